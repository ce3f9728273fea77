"""Whether what stands beside a letter speaks against it: another option's text, or something else where its own should stand."""

import itertools
import re

from app.cloud.text import normal
from app.cloud.values import Values, text_behind

_NUMBER = re.compile(r"\d[\d.,]*")
_REMARK = re.compile(
    r"(?:because|since|as|the|this|that|it|its|correct|right|yes|true|final|most|see|i|explanation|reason\w*|we|by|in|for|so)\b",
    re.IGNORECASE,
)
_MANY_WORDS = 3


def contradicts(letter: str, behind: str, values: Values, *, label: bool) -> bool:
    """Whether what follows a letter, and is not its own option's text, is another one's, or no text of an option where there should be one.

    Args:
        letter: an offered letter.
        behind: what follows it, to the end of the line.
        values: reads the texts of options.
        label: whether the letter stands as in a list (`B) …`, `B: …`), so that its option's text is expected.
    """
    behind = text_behind(behind)
    other = values.texts.begins(behind) if behind else None
    if other or not any(map(str.isalnum, behind)):
        return other not in {None, letter}
    if _is_surname(letter, behind, values):
        return True
    form, own = normal(behind[: values.texts.most_chars]), values.texts.form(letter)
    if form.startswith(own) or not label:
        return False
    shortened = values.texts.shortened(behind)
    return letter not in shortened if shortened else _is_unlike(form, own)


def _is_unlike(form: str, own: str) -> bool:
    """Whether a few words, or a number, stand where an option's own text should be and share nothing with it; both in the normal form."""
    number = _NUMBER.match(form.lstrip("$€£¥₸₽+- "))
    if number and (numbers := _NUMBER.findall(own)):
        return number[0].rstrip(".,") not in {found.rstrip(".,") for found in numbers}
    words = form.split()
    return len(words) <= _MANY_WORDS and not _REMARK.match(form) and not set(words) & set(own.split())


def _is_surname(letter: str, behind: str, values: Values) -> bool:
    """Whether `A. Lincoln` is what another option writes as `Abraham Lincoln`."""
    first = (re.match(r"\w+", behind) or [""])[0].casefold()
    for other, option in ((other, values.texts_of(other)) for other in values.letters):
        words = re.findall(r"\w+", option)
        # `because the`, in an option that is a sentence, is nobody's name.
        named = any(
            one.casefold().startswith(letter.lower()) and two.casefold() == first and (two[0].isupper() or len(words) <= _MANY_WORDS)
            for one, two in itertools.pairwise(words)
        )
        if named and other != letter and len(first) > 2:  # noqa: PLR2004
            return True
    return False

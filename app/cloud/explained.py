"""An option's letter at the beginning of a reply, with a sentence behind it that explains it."""

import re

from app.cloud.text import normal
from app.cloud.values import ARTICLE, JUDGED, Values

_CLAUSE = re.compile(r"[;,.:(!]")
_DECIDES = frozenset({"yes", "no", "not", "never", "cannot", "wrong", "incorrect", "false", "true", "only", "all", "none", "without"})
_WORD, _FEW, _NEARLY = re.compile(r"\w+"), 2, 0.8
_TURNS = re.compile(r"(?:but|however|though|yet|actually|still|nevertheless)\b", re.IGNORECASE)


def introduces(values: Values, letter: str, rest: str) -> bool:
    """Whether this is a sentence about the letter's option that begins with its text and judges it not wrong."""
    if letter not in values.letters:
        return False
    sentence = normal(re.split(r"(?<=[.!?])\s", rest[: values.texts.most_chars], maxsplit=1)[0])
    own = values.texts.form(letter)
    if _turns_to_another(values, letter, rest):
        return False
    if not re.match(r"[*_`]* ", sentence[len(own) :]) or not sentence.startswith(own):
        return False
    says = _CLAUSE.split(sentence[len(own) :])[0]
    return not JUDGED.search(sentence, len(own)) or (values.asked.for_wrong and values.asked.is_echoed(says))


def resembles(values: Values, letter: str, rest: str) -> bool:
    """Whether this offered letter's own text is said in slightly other words, nearer to it than to any other option."""
    said = set(_WORD.findall(normal(rest[: values.texts.most_chars]).casefold()))
    shared = {other: len(said & set(_WORD.findall(values.texts.form(other).casefold()))) for other in values.letters}
    most = shared.pop(letter, 0)
    differs = said ^ set(_WORD.findall(values.texts.form(letter).casefold())) if most else said
    if _DECIDES & differs or any(word.isdigit() for word in differs):
        return False
    return most > _FEW and most >= _NEARLY * len(said) and most > max(shared.values()) + 1


def is_alone(values: Values, letter: str, rest: str) -> bool:
    """Whether this offered letter is explained in words that mention no option's text."""
    form = normal(rest[: values.texts.most_chars])
    return letter in values.letters and not any(
        re.search(rf"(?<!\w){re.escape(values.texts.form(other))}(?!\w)", form) for other in values.letters
    )


def _turns_to_another(values: Values, letter: str, rest: str) -> bool:
    """Whether a later sentence begins with another option, or turns against what was said."""
    later = re.split(r"(?<=[.!?])\s+", rest[: values.texts.most_chars])[1:]
    forms = tuple(values.texts.form(other) for other in values.letters if other != letter)
    return any(_TURNS.match(sentence) or normal(ARTICLE.sub("", sentence)).startswith(forms) for sentence in later)

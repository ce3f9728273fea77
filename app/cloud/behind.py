"""What stands behind words such as `The answer is`: a letter, an option's text, or neither."""

import itertools
import re

from app.cloud.contradiction import contradicts
from app.cloud.values import CLOSE, OPEN, UNCLEAR, WORDS, Values

# A letter is one where a sign, the end of the line or one of these words follows it; not in `A vaccine`.
_ENDS = (
    r"(?=[)\]}>\"'”».,;:!。]|[ \t]*+(?:\Z|\n)|\s[-–—(:]|[–—]|\s*+(?:because|since|as|and not|not|rather than|instead of|weil|denn|parce|car|porque|pues|потому|так как|"
    r"нұсқасы(?!\s+емес)|選択肢|(?:选项|選項)(?![不错錯])|です|で(?!は|も)|だ|입니다|이다|번|(?:şıkkı|seçeneği)(?!\s+değil)|है(?!\s+नहीं))|,|\s?\[\^?\d{1,3}\]|\s?[✅✔✓])"
)
_LETTER = re.compile(
    rf"({OPEN}){WORDS}{OPEN}([A-Za-z])(?:{CLOSE}['’]?[dt][ıi]r\b|{CLOSE}(?![A-Za-z0-9_+#*/])(?:{_ENDS}|(?<=[)\]])(?=\s)|(?<=\*\*)(?=\s)))",
    re.IGNORECASE,
)
_CAPITAL = re.compile(rf"{OPEN}{WORDS}{OPEN}([A-Z]){CLOSE}[ \t]++(?=\S)")
_BRACKETED = re.compile(rf"{OPEN}{WORDS}{OPEN}([A-Z]){CLOSE}(?=\()")
# A second letter behind the first one, as in `A or B`, `A, C`, `A–D`, `A (B)`.
_JOIN = (
    r"(?:[,/&+;|、，・~–—-]|\.\.\.?|…|\b(?:or|and|to|through|und|oder|bis|et|ou|y|o|e|и|или|або|және|немесе|мен|ve|veya|dan|atau|và|hoặc|i|lub|en|of|och|"
    r"eller)\b|或|和|及|与|와|과|と|か|또는)"
)
_SECOND = re.compile(
    rf"[\s*_`)\]}}.]{{0,6}}(?:(?:{_JOIN}[\s*_`(\[]{{0,6}}){{1,2}}|\s?\(\s?(?:(?=[A-Z]\s?\))|(?:possibly|maybe|or|perhaps|and|also|alternatively|both|with)\s+))\(?([A-Z])(?![\w'’])(?!\s*(?:is|was)\b)",
    re.IGNORECASE,
)
# What doubts the letter in the same sentence, or makes it the subject of another one (`A is wrong`).
_TURNED = re.compile(
    r"[ \t*_`)\]]{0,6}(?:(?:[,;:–—-]|\.{1,3}|…)[ \t]*)?(?:but|rather(?! than)|well|hmm|however|though|although|if|unless|except|or|provided|assuming|maybe|perhaps|not sure|либо|но|aber|mais|pero|但)\b|[ \t*_`)\]]{0,6}\b(?:is|was|isn|are|seems|looks|can|cannot|may|might)\b|[ \t*_`)\]\"']{0,6}\?",
    re.IGNORECASE,
)
LISTED = re.compile(r"^[ \t]*[-*•]?[ \t]*[*(\[]{0,3}([A-Z])[*)\]]{0,3}[.):](?=\s)", re.MULTILINE)
# A second option behind the text of the first one, as in `B. Paris or C. Rome`.
_ANOTHER = re.compile(r"(?:\b(?:or|and|und|oder|et|ou|y|o|и|или)\b|[/,;&])\s*[*(\[]{0,3}([A-Z])[*)\]]{0,3}[.):](?=\s)")
_REASONED = re.compile(r"(?<!\w)([A-Z])[)*]{0,3},? (?:because|since)\b")
# `A -> wrong, B -> right`.
_JUDGED_WRONG = re.compile(
    r"[\s*_`)\]]{0,6}(?:->|=>|[→⇒=:(–—-])\s{0,4}(?:is\s)?(?:wrong|incorrect|false|eliminated|ruled out|not correct|no\b)", re.IGNORECASE
)
_LABEL = re.compile(r"(?<![\w'’])([A-Z])[*_`]{0,2}[.):][*_`\s]{0,6}")
_EXCLUDES = re.compile(r"\b(?:not|than|unlike|nor|of)\b[\s\w]{0,12}[*_`(]{0,4}\Z", re.IGNORECASE)
# The other options may be named in what follows.
_REASONS = re.compile(r"[,*)] (?:because|since|as|given that)\b")
_MAX_LABELS, _MAX_COMPARED = 26, 200
# What may stand between a letter and its option's text.
_BETWEEN = re.compile(r"[^\w\n]*\n?[^\w\n]*(?:(?:i\.?e|that is|which is|namely|option|the|a|an)[^\w\n]+)*", re.IGNORECASE)
_ARTICLE = re.compile(r"[*\s]*(?:the|an?)\s+[*]*(?=\w)", re.IGNORECASE)
_SUFFIX = re.compile(r"['’][dt][ıi]r\b")


def is_doubted(latin: str, at: int, end: int | None = None) -> bool:
    """Whether what stands here, to `end` where it is no letter, is doubted at once: `B?`, `B, but …`, `B is …`."""
    match = _LETTER.match(latin, at)
    return bool(_TURNED.match(latin, match.end(2) if match else end or at))


def value_end(text: str, latin: str, at: int, letter: str, values: Values) -> int:
    """The end of the letter that stands here and of its option's text: what follows is looked at for second thoughts."""
    match = _LETTER.match(latin, at)
    end = match.end(2) if match else at
    if letter not in values.letters:
        return end
    option = values.texts_of(letter).lower()
    begins = text[end : end + len(option) + 20].lower().find(option)
    between = text[end : end + max(0, begins)]
    return end if begins < 0 or not _BETWEEN.fullmatch(between) else end + begins + len(option)


def value_behind(text: str, latin: str, at: int, values: Values, *, numbered: bool = False) -> str | None:
    """The value that stands here.

    Args:
        text: as the model wrote it.
        latin: the same with letters in Latin, character for character.
        at: a place in both.
        values: reads the texts of options.
        numbered: whether it stands behind a word for "option", so that a number may count the options (`option 2`).
    """
    begin = at + len(latin[at : at + 12]) - len(latin[at : at + 12].lstrip(" \t*_\n:："))
    segment = _line(text, begin, values)
    named = values.begun(segment.lstrip("* "), described="\n" not in latin[at:begin])
    if not named and (article := _ARTICLE.match(segment)):
        named = values.begun(segment[article.end() :], described="\n" not in latin[at:begin]) or values.with_letter(
            segment[article.end() :]
        )
    by_text = named or values.with_letter(segment) or values.bracketed(segment) or values.texts.measured(segment.strip(" *$"))
    if by_text and by_text in values.letters and numbered and values.texts_of(by_text).isdigit():
        return UNCLEAR
    match = _LETTER.match(latin, at)
    letter = match and _meant(latin, match)
    if by_text == UNCLEAR or (match and "\n" in match[1] and _is_listed(latin, match, values.whole(segment))):
        return UNCLEAR
    if match is None or letter is None:
        if by_text:
            return UNCLEAR if _other_in_brackets(latin[begin : begin + len(segment)], by_text) else by_text
        return None if match else _unmarked(text, latin, at, values)
    return _checked(text, latin, match, by_text, values)


def _checked(text: str, latin: str, match: re.Match[str], by_text: str | None, values: Values) -> str:
    """The letter, if nothing beside it speaks against it; `by_text` is the option as whose text the place can be read."""
    letter = match[2].upper()
    behind = _line(text, match.end(2), values)
    if letter in values.letters and _lists_another(letter, behind, values):
        return UNCLEAR
    if by_text and by_text != letter and values.labelled(text[match.start(2) : match.end(2)] + behind) != letter:
        # `E. coli` is an option's text, whatever the letter's own option is; `B` as an option's text is not that clear.
        return by_text if len(values.texts_of(by_text)) > 1 or letter not in values.letters else UNCLEAR
    if letter not in values.letters:
        return UNCLEAR
    if (by_text == letter and len(values.texts_of(letter)) > 1) or values.confirmed(letter, behind):
        return letter
    unclear = (
        _JUDGED_WRONG.match(latin, match.end(2)) is not None
        or _is_joined(latin, match, letter)
        or _is_a_word(latin, match, letter, values)
        or contradicts(letter, behind, values, label=_is_label(latin, match.end(2)))
    )
    return UNCLEAR if unclear else letter


def _lists_another(letter: str, behind: str, values: Values) -> bool:
    """Whether another option stands on the same line with its letter, as in `A. Paris B. Rome`."""
    reasons = _REASONS.search(behind)
    behind = behind[: reasons.start()] if reasons else behind
    for label in itertools.islice(_LABEL.finditer(behind), _MAX_LABELS):
        if label[1] == letter or label[1] not in values.letters or _EXCLUDES.search(behind[max(0, label.start() - 20) : label.start()]):
            continue
        own = values.texts_of(letter)
        begins, option = behind.find(own), values.texts_of(label[1])[:_MAX_COMPARED]
        # The label may be a part of the letter's own text.
        inside = begins >= 0 and begins <= label.start() < begins + len(own)
        if not inside and behind.startswith(option, label.end()):
            return True
    return False


def _is_listed(latin: str, match: re.Match[str], whole: str | None) -> bool:
    """Whether the line below a head is one of a list, or no more than the beginning of a sentence.

    Args:
        latin: the text.
        match: the letter, with a line break before it.
        whole: what the line names by itself.
    """
    letter = match[2].upper()
    reasoned = re.match(r"[)*]{0,3},? (?:because|since)\b", latin[match.end(2) : match.end(2) + 20])
    others = any(found[1] != letter for found in LISTED.finditer(latin, match.end(2)))
    return others or (whole != letter and not (reasoned and len(_REASONED.findall(latin)) == 1))


def _unmarked(text: str, latin: str, at: int, values: Values) -> str | None:
    """The value of a capital with a word right behind it: `B Paris` and `B(Paris)` name B, `B something` is unclear, `A vaccine` names none."""
    if match := _BRACKETED.match(latin, at):
        return match[1] if match[1] in values.letters and values.in_brackets(match[1], _line(text, match.end(1), values)) else None
    match = _CAPITAL.match(latin, at)
    if not match:
        return None
    if match[1] in values.letters and values.repeats(match[1], _line(text, match.end(), values)):
        return match[1]
    return None if match[1] in {"A", "I"} and latin[match.end()].islower() else UNCLEAR


def _line(text: str, at: int, values: Values) -> str:
    """What stands from here to the end of the line, or as much of it as could be an option."""
    end = text.find("\n", at, at + values.texts.most_chars)
    return text[at : at + values.texts.most_chars if end < 0 else end]


def _meant(latin: str, match: re.Match[str]) -> str | None:
    """The letter in upper case, if a letter is meant: no symbol (`C*`), and no article (`a matter of taste`)."""
    end = match.end(2)
    if _is_symbol(latin, match.start(), end) or re.match(r"[\"']\s?:", latin[end : end + 3]):
        return None
    if match[2].isupper():
        return match[2]
    marked = bool(re.search(r"[(\[`*]\s*\Z", match[1])) and latin[end : end + 1] in {")", "]", "`", "*"}
    return match[2].upper() if marked or re.match(r"[.)]?[ \t]*(?:\Z|\n)", latin[end:]) else None


def _is_symbol(latin: str, start: int, end: int) -> bool:
    """Whether a mark behind the letter belongs to it, as in `C*` or `B'`: one that closes nothing."""
    mark = latin[end : end + 1]
    if mark not in {"*", "'", "’"} or latin[end + 1 : end + 2] == mark or _SUFFIX.match(latin, end):
        return False
    line = latin[latin.rfind("\n", 0, end) + 1 : end]
    return not set(line + latin[start:end]) & set("*'’‘")


def _is_joined(latin: str, match: re.Match[str], letter: str) -> bool:
    """Whether another letter is named beside this one."""
    second = _SECOND.match(latin, match.end(2))
    if second and second[1].isupper() and second[1] != letter:
        return True
    end = latin.find("\n", match.end(2))
    reasons = _REASONS.search(latin, match.end(2), len(latin) if end < 0 else end)
    end = reasons.start() if reasons else end
    return any(found[1] != letter for found in _ANOTHER.finditer(latin, match.end(2), len(latin) if end < 0 else end))


def _is_a_word(latin: str, match: re.Match[str], letter: str, values: Values) -> bool:
    """Whether the pronoun `I` or the article `A` may be meant (`I, as a model, …`, `A (good) question`)."""
    rest = latin[match.end(2) : match.end(2) + values.texts.most_chars]
    if match[1].strip():
        return False
    if letter == "I":
        return not re.match(r"[.)]?\s*(?:\Z|\n)|\)", rest)
    return letter == "A" and bool(re.match(r" \((?!because)", rest)) and values.texts.begins(rest.split("\n", 1)[0].strip(" ().")) != "A"


def _is_label(latin: str, end: int) -> bool:
    """Whether the letter stands as in a list of options: `B) …`, `B: …`."""
    line = latin[end : end + 40].split("\n", 1)[0]
    return bool(re.match(r"[*_`]{0,2}[):]|\.", line)) and any(map(str.isalnum, line))


def _other_in_brackets(latin: str, letter: str) -> bool:
    """Whether a text is followed by another option's letter, as in `Paris (C)`."""
    inside = re.search(r"\((?:option |choice )?([A-Z])\)", latin, re.IGNORECASE)
    return inside is not None and inside[1].upper() != letter

"""The claims of a prose text: every place where it says which option is the answer, with how firmly it does."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.cloud.heads import HEADS, is_asserted, is_final
from app.cloud.values import CLOSE, OPEN, UNCLEAR, WORDS, Values
from app.errors import CloudUnparsable

# How firm a claim is: doubted at once (`B, but …`), of the closest option, in running text, on a line of its own (`Answer: B`),
# or said to be final.
DOUBTED, CLOSEST, PROSE, LINE, FINAL = range(5)
# A model that argues names an answer a few times.
_MAX_CLAIMS = 40
_EXTRA_CHARS = 200
# What a claim names that names no option: it counts only where no other claim follows it.
NOTHING = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A letter (or `UNCLEAR`, or `NOTHING`) with where it is claimed, and how firmly."""

    start: int
    end: int
    letter: str
    strength: int


_ENDS = (
    r"(?=[)\]}>\"'”».,;:!]|[ \t]*+(?:\Z|\n)|\s[-–—(]|[–—]|\s*+(?:because|since|as|and not|weil|denn|parce|car|porque|pues|потому|так как|"
    r"нұсқасы|selected|選択肢|选项|選項|です|で|だ|である|입니다|이다|번|şıkkı|seçeneği|है)|,|\s?[✅✔✓])"
)
_LETTER = re.compile(rf"({OPEN}){WORDS}{OPEN}([A-Za-z])(?:['’]?[dt][ıi]r\b|{CLOSE}(?![A-Za-z0-9_+#*/])(?:{_ENDS}|(?<=[)\]])(?=\s)|(?<=\*\*)(?=\s)))", re.IGNORECASE)
# A second letter behind the first one, as in `A or B`, `A, C`, `A–D`, `A (B)`.
_JOIN = (
    r"(?:[,/&+;|、，・~–—-]|\.\.\.?|…|\b(?:or|and|to|through|und|oder|bis|et|ou|y|o|e|и|или|або|және|немесе|мен|ve|veya|dan|atau|và|hoặc|i|lub|en|of|och|"
    r"eller)\b|或|和|及|与|와|과|と|か|또는)"
)
_SECOND = re.compile(rf"[\s*_`)\]}}.]{{0,6}}(?:(?:{_JOIN}[\s*_`(\[]{{0,6}}){{1,2}}|\s?\(\s?(?=[A-Z]\s?\)))\(?([A-Z])(?![\w'’])(?!\s*(?:is|was)\b)", re.IGNORECASE)
_TURNED = re.compile(r"[\s*_`)\]]{0,6}(?:[,;:.–—-]\s*)?(?:but|however|though|although|if|unless|except|or|provided|assuming|maybe|perhaps|not sure|либо|но|aber|mais|pero|但)\b|[\s*_`)\]]{0,6}\b(?:is|was|isn|are|seems|looks|can|cannot|may|might)\b|[\s*_`)\]\"']{0,6}\?", re.IGNORECASE)
_NOTHING = re.compile(r"[\s*_(]*(?:not|none|neither|unclear|unknown|impossible|undetermined|indeterminate|missing|ambiguous|нет|无|沒有|没有)\b", re.IGNORECASE)
_LISTED = re.compile(r"^[ \t]*[-*•]?[ \t]*[*(\[]{0,3}([A-Z])[*)\]]{0,3}[.):](?=\s)", re.MULTILINE)
_BACKWARD = re.compile(
    r"(?:(?<=[\s*(\[\"'“])|^)(?:option |choice |answer |letter )?[*(\[]{0,3}([A-Z])[*)\]]{0,3} (?:is|must be|should be|would be|ist|est|es|является)"
    r"(?: therefore| thus| clearly| indeed| definitely)? (?:(?:the |la |die )?(?:(?:most |only |single )?(?:correct|right|best|accurate|appropriate|suitable|"
    r"likely|richtig|korrekt|correcta?|правильным)(?: and |, )?){1,3}(?: (?:answer|option|choice|one|response|ответом))?|the answer)(?=[*]{0,2}(?:[.!,;:]|\s*(?:\Z|\n)| because| since| as ))",
    re.MULTILINE,
)
_BACKWARD_ZH = re.compile(r"(?:选项|選項)?\s?([A-Z])\s?(?:选项|選項)?(?:是|为)?(?:正确|正確)(?:答案|的|选项)?(?=[。，,.\s]|\Z)")
_BACKWARD_BEFORE = re.compile(r"(?:^|[.!?:;\n*(\[]\s*|[,–—]\s*|\b(?:so|therefore|thus|hence|that|then|means)[,:]?\s+)\Z", re.IGNORECASE)
_HEADING = re.compile(r"^[ \t]*[#*_>]{1,4}[ \t]*(?:the )?(?:final |correct )?(?:answer|option|choice)[ \t]*[*_]{0,4}[ \t]*:?[ \t]*\n+", re.IGNORECASE | re.MULTILINE)
_PREFIX = re.compile(r"[\s>*_#`\"'“【\[(-]*(?:(?:so|thus|therefore|hence|the|my|correct|right|best|final|also|и|итоговый|окончательный|правильный|верный|дұрыс|соңғы|正确|正確|最终|"
                     r"最終|최종|die|richtige|la|bonne|doğru)[,:]?\s*)*\Z", re.IGNORECASE)  # fmt: skip
_ALONE = re.compile(rf"{OPEN}{WORDS}{OPEN}([A-Z]){CLOSE}[.!]?{CLOSE}[ \t✅✔]*\Z")
_DASHED = re.compile(rf"{OPEN}([A-Z]){CLOSE}\s+[-–—]\s+")


def claims(text: str, latin: str, values: Values) -> Iterator[Claim]:
    """Every claim of a text.

    Args:
        text: as the model wrote it, regions aside.
        latin: the same text with letters in Latin, character for character.
        values: reads what stands behind a head.

    Raises:
        CloudUnparsable: more claims than an answer makes.
    """
    number = 0
    for heads in (HEADS, _HEADING):
        for head in heads.finditer(latin):
            number += 1
            if number > _MAX_CLAIMS:
                raise CloudUnparsable("the cloud's reply claims too often to be an answer")
            if heads is HEADS and (_is_block_quoted(latin, head.start()) or not is_asserted(latin, head.start())):
                continue
            strength = _strength(latin, head) if heads is HEADS else LINE
            letter = _behind(text, latin, head.end(), values)
            if letter is None and (strength >= LINE or _NOTHING.match(latin, head.end())):
                letter = NOTHING
            if _TURNED.match(latin, _value_end(latin, head.end())) and letter != NOTHING:
                strength = DOUBTED
            if letter is not None:
                yield Claim(head.start(), _value_end(latin, head.end()), letter, strength)
    for pattern in (_BACKWARD, _BACKWARD_ZH):
        for match in pattern.finditer(latin):
            start = match.start()
            if _BACKWARD_BEFORE.search(latin[max(0, start - 20) : start]) and not _TURNED.match(latin, match.end()) and is_asserted_line(latin, start):
                yield Claim(start, match.end(), match[1] if match[1] in values.letters else UNCLEAR, PROSE)
    yield from _lines(text, latin, values)


def is_asserted_line(latin: str, start: int) -> bool:
    """Whether nothing before it in the sentence supposes or denies what begins here."""
    before = re.split(r"[.!?\n]", latin[max(0, start - 200) : start])[-1]
    return not re.search(r"\b(?:if|not|whether|why|unless|suppose|think|said|says)\b|不|如果", before, re.IGNORECASE)


def _strength(latin: str, head: re.Match[str]) -> int:
    if is_final(latin, head.start()):
        return FINAL
    if head[0].lower().startswith("closest"):
        return CLOSEST
    line = latin[latin.rfind("\n", 0, head.start()) + 1 : head.start()]
    sign = re.search(r"[:：=→>](?=[\s*_`]*\Z)|[-–—]\s*\Z", head[0])
    return LINE if sign and len(line) < 60 and _PREFIX.match(line) else PROSE  # noqa: PLR2004


def _is_block_quoted(latin: str, start: int) -> bool:
    line = latin[latin.rfind("\n", 0, start) + 1 : start]
    return line.lstrip().startswith(">") and not latin.lstrip().startswith(">")


def _value_end(latin: str, start: int) -> int:
    """The end of the letter behind a head, if there is one: what follows is looked at for second thoughts."""
    match = _LETTER.match(latin, start)
    return match.end(2) if match else start


def _behind(text: str, latin: str, at: int, values: Values) -> str | None:
    """The value that stands at this place."""
    begin = at + len(latin[at : at + 12]) - len(latin[at : at + 12].lstrip(" \t*_\n:："))
    end = text.find("\n", begin)
    segment = text[begin : len(text) if end < 0 else end][: 2 * values.texts.longest + _EXTRA_CHARS]
    by_text = values.texts.begins(segment.lstrip("*_ "))
    match = _LETTER.match(latin, at)
    if not match:
        return by_text and (UNCLEAR if _parenthesis_differs(latin, begin, segment, by_text) else by_text)
    letter = match[2]
    rest = latin[match.end(2) :]
    if letter.islower() and not _lower_is_letter(latin, match):
        return by_text
    letter = letter.upper()
    if by_text and by_text != letter and values.labelled(segment) != letter:
        # `E. coli` is an option's text, whatever the letter's own option is; `B` as an option's text is not that clear.
        return by_text if len(values.texts_of(by_text)) > 1 else UNCLEAR
    if letter not in values.letters:
        return UNCLEAR
    second = _SECOND.match(latin, match.end(2))
    if second and second[1].isupper() and second[1] != letter:
        return UNCLEAR
    if match[1].count("\n") and any(found[1] != letter for found in _LISTED.finditer(latin, match.end(2))):
        return UNCLEAR
    if letter == "I" and not (match[1].strip() or re.match(r"[.)]?\s*(?:\Z|\n)|\)", rest)):
        return UNCLEAR
    if letter == "A" and re.match(r" \((?!because)", rest) and not match[1].strip() and values.texts.begins(rest.strip(" ()")) != "A":
        return UNCLEAR
    line = text[match.end(2) :].split("\n", 1)[0]
    label = bool(re.match(r"[*_`]{0,2}[).:]", line)) and not re.match(r"\)?[*_`]{0,2}[.!]?\s*\Z", line)
    return UNCLEAR if values.contradicted(letter, line[: 2 * values.texts.longest + _EXTRA_CHARS], label=label) else letter


def _lower_is_letter(latin: str, match: re.Match[str]) -> bool:
    """Whether a lower-case letter is meant as one: in brackets or marked up, or with nothing behind it on its line."""
    marked = bool(re.search(r"[(\[`*]\s*\Z", match[1])) and latin[match.end(2) : match.end(2) + 1] in {")", "]", "`", "*"}
    return marked or bool(re.match(r"[.)]?[ \t]*(?:\Z|\n)", latin[match.end(2) :]))


def _parenthesis_differs(latin: str, begin: int, segment: str, letter: str) -> bool:
    inside = re.search(r"\((?:option |choice )?([A-Z])\)", latin[begin : begin + len(segment)], re.IGNORECASE)
    return bool(inside) and inside[1].upper() != letter if inside else False


def _lines(text: str, latin: str, values: Values) -> Iterator[Claim]:
    """A letter alone, or a letter with its option's text, or the text, on the first or the last line."""
    lines = [(match.start(), match[0]) for match in re.finditer(r"[^\n]*\S[^\n]*", latin)]
    if not lines:
        return
    listed = {match[1] for match in _LISTED.finditer(latin)}
    for place in dict.fromkeys((0, len(lines) - 1)):
        start, line = lines[place]
        original = text[start : start + len(line)]
        follows = lines[place + 1][1].strip() if place + 1 < len(lines) else ""
        if alone := _ALONE.match(line):
            if not follows[:1].islower():
                yield Claim(start, start + len(line), alone[1] if alone[1] in values.letters else UNCLEAR, PROSE)
        elif place == 0 and len(listed) <= 1 and (dash := _DASHED.match(line)) and values.introduces(dash[1], original[dash.end() :]):
            yield Claim(start, start + dash.end(), dash[1], PROSE)
        elif len(listed) <= 1 and (letter := _label_line(original, values)):
            yield Claim(start, start + len(line), letter, PROSE)
        elif place == 0 and not listed and (letter := values.texts.begins(original)) and not re.match(r"[^.]*\?", line):
            yield Claim(start, start + len(line), letter, PROSE)


def _label_line(line: str, values: Values) -> str | None:
    if len(line) > 2 * values.texts.longest + 2_000:
        return None
    return values.labelled(line)

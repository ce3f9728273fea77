"""The claims of a prose text: every place where it says which option is the answer, with how firmly it does."""

import itertools
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from app.cloud.behind import LISTED, is_doubted, value_behind, value_end
from app.cloud.heads import HEADS, is_asserted, is_denied, is_final, points_back
from app.cloud.values import CLOSE, OPEN, UNCLEAR, WORDS, Values
from app.errors import CloudUnparsable

# How firm a claim is: doubted at once (`B, but …`), of the closest option, in running text, on a line of its own (`Answer: B`),
# or said to be final.
DOUBTED, CLOSEST, PROSE, LINE, FINAL = range(5)
# A model that argues names an answer a few times.
_MAX_CLAIMS = 40
# What a claim names that names no option: it counts only where no other claim follows it.
NOTHING = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A letter (or `UNCLEAR`, or `NOTHING`) with where it is claimed, and how firmly."""

    start: int
    end: int
    letter: str
    strength: int


_NOTHING = re.compile(
    r"[\s*_(]*(?:not|none|neither|unclear|unknown|impossible|undetermined|indeterminate|missing|ambiguous|нет|无|沒有|没有)\b",
    re.IGNORECASE,
)
# `the option that is not a mammal is`
_RELATIVE = re.compile(
    r"\b(?:option|choice|letter|answer|statement|one|item|response|alternative)s? (?:that|which)\b(.{0,100})", re.IGNORECASE | re.DOTALL
)
# `B is the correct answer.`
_BACKWARD = re.compile(
    r"(?:(?<=[\s*(\[\"'“])|^)(?i:option |choice |answer |letter |antwort |opción |alternativa |respuesta |réponse |вариант |ответ )?[*(\[]{0,3}([A-Z])[*)\]]{0,3} (?:is|must be|should be|would be|ist|est|es|является)"
    r"(?: therefore| thus| clearly| indeed| definitely)? (?:(?:the |la |die )?(?:(?:most |only |single )?(?:correct|right|best|accurate|appropriate|suitable|"
    r"likely|richtig|korrekt|correcta?|правильным)(?: and |, )?){1,3}(?: (?:answer|option|choice|one|response|ответом))?|the answer)(?=[*]{0,2}(?:[.!,;:]|\s*(?:\Z|\n)| because| since| as ))",
    re.MULTILINE,
)
# What calls an option the answer, and where the option may begin.
_CORRECT = re.compile(
    r",? (?:(?:is|was|are|must be|should be|would be)(?: therefore| thus| clearly| indeed)? ((?:the )?(?:only )?(?:correct|right|best) (?:answer|option|choice|one)|the answer)|(?<=[A-Z] )(the (?:correct|right|best) (?:answer|option|choice|one))|"
    r"(?:is |(?<=[A-Z] ))(?:the )?(?:correct|right|best))[*]{0,2}(?=[.!,;:]|\s*(?:\Z|\n)| because| since| as )"
)
_BEGINS = re.compile(
    r"(?<!\b[A-Z])[.!:;,]\s+(?=\S)|\b(?:only|so|therefore|thus|hence|that|making|makes|leaving)[,:]?\s+(?=\S)", re.IGNORECASE
)
_NEITHER = re.compile(r"\W*(?:neither|none|not|no|both)\b", re.IGNORECASE)
_MAX_BEFORE, _MAX_LISTED = 400, 8
_BACKWARD_ZH = re.compile(r"(?:选项|選項)?\s?([A-Z])\s?(?:选项|選項)?(?:是|为)?(?:正确|正確)(?:答案|的|选项)?(?=[。，,.\s]|\Z)")
_EXCEPTION = re.compile(
    r"(?:^|(?<=[.!] ))[*(]{0,3}(?i:option )?[*(]{0,3}([A-Z])[*)]{0,3} is the (?:exception|odd one out)(?=[*]{0,2}(?:[.!,;:]|\s*(?:\Z|\n)| because| since))",
    re.MULTILINE,
)
_BACKWARD_MORE = re.compile(
    r"([A-Z])(?:번|선택지)?[이가] (?:정답|맞)(?![^\n.]{0,8}아[니닙닌냐]|지\s?않)|([A-Z])が(?:正解|正答|正しい)(?!で(?:は|も)|と(?:は|も))|([A-Z]) (?:нұсқасы )?дұрыс(?: жауап)?(?=[.!]|\s*(?:\Z|\n))|([A-Z]) (?:richtig|korrekt)(?=[.!]|\s*(?:\Z|\n))"
)
_BACKWARD_BEFORE = re.compile(
    r"(?:^|[.!?:;\n*(\[]\s*|[,–—]\s*|\b(?:so|therefore|thus|hence|that|then|means|also|somit ist|damit ist|선택지|選択肢|вариант)[,:]?\s*)\Z",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"^[ \t]*[#*_>]{1,4}[ \t]*(?:the )?(?:final |correct )?(?:answer|option|choice)[ \t]*[*_]{0,4}[ \t]*:?[ \t]*\n+",
    re.IGNORECASE | re.MULTILINE,
)
_PREFIX = re.compile(r"[\s>*_#`\"'“【\[(-]*(?:(?:so|thus|therefore|hence|the|my|correct|right|best|final|also|и|итоговый|окончательный|правильный|верный|дұрыс|соңғы|正确|正確|最终|"
                     r"最終|최종|die|richtige|la|bonne|doğru)[,:]?\s*)*\Z", re.IGNORECASE)  # fmt: skip
_ALONE = re.compile(rf"{OPEN}{WORDS}{OPEN}([A-Z]){CLOSE}[.!]?{CLOSE}[ \t✅✔]*\Z")
_LEADING = re.compile(rf"{OPEN}([A-Z]){CLOSE},? (?:because|since|(?:and )?not (?:option )?[(*]*[A-Z](?!\w))")
_REASONED = re.compile(r"(?<!\w)([A-Z])[)*]{0,3},? (?:because|since)\b")
# The line behind one that names an option, where it says that this is not the answer.
_BELOW = re.compile(r"\s{0,20}[^\n]{0,2000}\n\s{0,20}")
_REFUTED = re.compile(
    r"\W{0,4}(?:(?:this|that|it|(?:the|this) (?:option|answer|choice|statement)) (?:is|was|would be) (?:not|incorrect|wrong|false)\b|"
    r"(?:incorrect|wrong|false)\b|no[,.!:]|not (?:correct|right|quite|the)\b|(?:or|alternatively|perhaps|maybe)\b|(?:this|that|it) isn['’]t\b)|[✗✘❌]",
    re.IGNORECASE,
)
# `The unit of force is the newton. **B**`
_AT_END = re.compile(r"(?:[.!:]|→|⇒)\s{1,4}\*\*\(?([A-Z])\)?\*\*[.!]?\s{0,4}\Z")
# `A. The rule makes an acceptance effective on dispatch.`
_EXPLAINED = re.compile(
    rf"{OPEN}([A-Z]){CLOSE}[.:)–—-]{CLOSE}\s+(?=(?:The|This|In|By|Since|When|Under|It|Because|As|For|According|Based|Given|With|These|To|On|At|From)\s\w+\s\w+\s)"
    r"(?!.{0,300}\b(?:not|no|none|wrong|incorrect|false|or|unclear|unsure)\b)"
)
_DASHED = re.compile(rf"{OPEN}([A-Z]){CLOSE}(?:\s+(?:[-–—]\s+|\()|[.):]{CLOSE}\s+)")
_LABEL = re.compile(r"(?<![\w'’])([A-Z])[*_`]{0,2}[.):](?=\s)")


def claims(text: str, latin: str, values: Values) -> Iterator[Claim]:
    """Every claim of a text.

    Args:
        text: as the model wrote it, regions aside.
        latin: the same text with letters in Latin, character for character.
        values: reads what stands behind a head.

    Raises:
        CloudUnparsable: more claims than an answer makes.
    """
    yield from _behind_heads(text, latin, values)
    for pattern in (_BACKWARD, _BACKWARD_ZH, _BACKWARD_MORE):
        for match in pattern.finditer(latin):
            start = match.start()
            before = _BACKWARD_BEFORE.search(latin[max(0, start - 20) : start])
            if before and not is_doubted(latin, match.end()) and _is_asserted_line(latin, start):
                letter = next(filter(None, match.groups()))
                yield Claim(start, match.end(), letter if letter in values.letters else UNCLEAR, PROSE)
    if values.asked.for_wrong:
        for match in _EXCEPTION.finditer(latin):
            if match[1] in values.letters and _is_asserted_line(latin, match.start()):
                yield Claim(match.start(), match.end(), match[1], PROSE)
    yield from _called_correct(text, latin, values)
    yield from _lines(text, latin, values)


def _called_correct(text: str, latin: str, values: Values) -> Iterator[Claim]:
    """An option that is called the answer with its text: `B. Paris is correct`, `Paris is the right answer`, `making option B correct`."""
    for match in itertools.islice(_CORRECT.finditer(latin), _MAX_CLAIMS):
        line = latin.rfind("\n", 0, match.start()) + 1
        if match.start() - line > _MAX_BEFORE or is_doubted(latin, match.end()):
            continue
        starts = [line, *(line + begin.end() for begin in _BEGINS.finditer(latin[line : match.start()]))]
        for start in starts:
            letter = values.whole(text[start : match.start()])
            if values.asked.for_wrong and not (match[1] or match[2]):
                continue
            if letter and not _NEITHER.match(latin, start) and _is_asserted_line(latin, start):
                yield Claim(start, match.end(), letter, PROSE)
            if letter:
                break


def _behind_heads(text: str, latin: str, values: Values) -> Iterator[Claim]:
    found = [(head, False) for head in itertools.islice(HEADS.finditer(latin), _MAX_CLAIMS + 1)]
    found += [(head, True) for head in itertools.islice(_HEADING.finditer(latin), _MAX_CLAIMS + 1)]
    if len(found) > _MAX_CLAIMS:
        raise CloudUnparsable("the cloud's reply claims too often to be an answer")
    for head, heading in found:
        if not heading and (_is_block_quoted(latin, head.start()) or not is_asserted(latin, head.start())):
            continue
        if (clause := _RELATIVE.search(head[0])) and not values.asked.repeats(clause[1]):
            continue
        strength = LINE if heading else _strength(latin, head)
        letter = value_behind(text, latin, head.end(), values, numbered=not heading and bool(head["word"]))
        if not heading and letter and letter in values.letters and points_back(head[0]) and not values.said(letter, text[: head.start()]):
            letter = UNCLEAR
        end = head.end() if letter is None else value_end(text, latin, head.end(), letter, values)
        if letter is None and (strength >= LINE or _NOTHING.match(latin, head.end())):
            letter = NOTHING
        elif is_doubted(latin, head.end(), end) or _is_refuted(latin, head.end()):
            strength = DOUBTED
        if letter is not None:
            yield Claim(head.start(), end, letter, strength)


def _is_refuted(latin: str, at: int) -> bool:
    """Whether the line below the value that stands here says that it is not the answer."""
    # A text may itself stand below its head.
    below = _BELOW.match(latin, at)
    return below is not None and _REFUTED.match(latin, below.end()) is not None


def _is_asserted_line(latin: str, start: int) -> bool:
    """Whether nothing before it in the sentence supposes or denies what begins here."""
    before = re.split(r"[.!?\n]", latin[max(0, start - 200) : start])[-1]
    return not is_denied(before)


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


def _lines(text: str, latin: str, values: Values) -> Iterator[Claim]:
    """A letter alone, or a letter with its option's text, or the text, on the first or the last line."""
    lines = [(match.start(), match[0]) for match in re.finditer(r"[^\n]*\S[^\n]*", latin)]
    if not lines:
        return
    listed = {match[1] for match in LISTED.finditer(latin)}
    alone = {match[1] for _, line in lines if (match := _ALONE.match(line))}
    for place in dict.fromkeys((0, len(lines) - 1)):
        start, line = lines[place]
        follows = lines[place + 1][1].strip() if place + 1 < len(lines) else ""
        if _REFUTED.match(follows):
            continue
        letter, end = _line(text[start : start + len(line)], line, values, first=place == 0, last=not follows, listed=listed)
        if letter and (
            len(alone) > 1
            or (place == 0 and any(values.texts.begins(later) not in {None, letter} for _, later in lines[1:_MAX_LISTED]))
            or follows[:1].islower()
            or (_LEADING.match(line) and {match[1] for match in _REASONED.finditer(latin)} - {letter})
        ):
            letter = UNCLEAR
        if letter:
            yield Claim(start, start + end, letter, PROSE)


def _line(original: str, latin: str, values: Values, *, first: bool, last: bool, listed: AbstractSet[str]) -> tuple[str | None, int]:
    """What one line names by itself, and where that ends."""
    marked, end = _marked(original, latin, values, first=first, last=last, listed=listed)
    if marked:
        return marked, end
    if first and not listed and not re.match(r"[^.]*\?", latin):
        return values.begun(original), len(latin)
    return (values.texts.equal(original) if last and not listed else None), len(latin)


def _marked(original: str, latin: str, values: Values, *, first: bool, last: bool, listed: AbstractSet[str]) -> tuple[str | None, int]:
    """What a line names with a letter, and where that ends."""
    if match := _ALONE.match(latin):
        return values.whole(original), match.end(1)
    at_end = _AT_END.search(latin, max(0, len(latin) - 40)) if last and not listed else None
    if match := at_end or (_LEADING.match(latin) if first else None):
        return (match[1] if match[1] in values.letters else UNCLEAR), match.end(1)
    if len(listed) > 1:
        return None, 0
    if first and (match := _EXPLAINED.match(latin)) and match[1] in values.letters and values.texts.begins(original[match.end() :]) is None:
        return match[1], match.end(1)
    dash = _DASHED.match(latin) if first else None
    if (
        dash
        and {label[1] for label in _LABEL.finditer(latin)} & set(values.letters) <= {dash[1]}
        and values.introduces(dash[1], original[dash.end() :])
    ):
        return dash[1], dash.end(1)
    return values.labelled(original), len(latin)

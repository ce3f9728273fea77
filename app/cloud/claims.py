"""The claims of a prose text: every place where it says which option is the answer, with how firmly it does."""

import itertools
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from app.cloud.backward import named_before
from app.cloud.behind import LISTED, is_doubted, value_behind, value_end
from app.cloud.explained import introduces, is_alone, resembles
from app.cloud.heads import HEADS, is_asserted, is_final, points_back
from app.cloud.values import CLOSE, OPEN, UNCLEAR, WORDS, Values
from app.core.errors import CloudUnparsable

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
_TRUTH = re.compile(r"(?:true(?= statement)|(false|untrue|incorrect|exception|неверн\w+|ложн\w+))\b", re.IGNORECASE)
_HEADING = re.compile(
    r"^[ \t]*[#*_>]{1,4}[ \t]*(?:the )?(?:final |correct )?(?:answer|option|choice)[ \t]*[*_]{0,4}[ \t]*:?[ \t]*\n+",
    re.IGNORECASE | re.MULTILINE,
)
_PREFIX = re.compile(r"[\s>*_#`\"'“【\[(-]*(?:(?:so|thus|therefore|hence|the|my|correct|right|best|final|also|и|итоговый|окончательный|правильный|верный|дұрыс|соңғы|正确|正確|最终|"
                     r"最終|최종|die|richtige|la|bonne|doğru)[,:]?\s*)*\Z", re.IGNORECASE)  # fmt: skip
_ALONE = re.compile(rf"{OPEN}{WORDS}{OPEN}([A-Z]){CLOSE}[.!]?{CLOSE}[ \t✅✔]*\Z")
_LEADING = re.compile(
    rf"{OPEN}([A-Z]){CLOSE},? (?:because|since|car|porque|weil|denn|perché|çünkü|так как|потому что|өйткені|因为|(?:and )?not (?:option )?[(*]*[A-Z](?!\w))"
)
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
    rf"{OPEN}([A-Z]){CLOSE}(?:(?:\.{CLOSE}|(?<=[)\]])|\s?[–—])\s+(?=(?:The|In|By|Since|When|Under|It|Because|As|For|According|Based|Given|With|These|To|On|At|From)\s\w+\s\w+\s)|\s[–—-]\s(?=[a-z]+\s\w+\s\w+\s))"
    r"(?!.{0,300}\b(?:not|no|none|wrong|incorrect|false|or|but|though|however|unclear|unsure)\b)"
)
_MAX_LISTED = 8
_DASHED = re.compile(rf"{OPEN}([A-Z]){CLOSE}(?:\s+(?:[-–—]\s+|\()|[.):]{CLOSE}\s+|(?<=[)\]])\s+)")
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
    for start, end, letter in named_before(text, latin, values):
        yield Claim(start, end, letter, PROSE)
    yield from _lines(text, latin, values)


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
        if (truth := _TRUTH.match(head[0])) and not (values.asked.for_wrong is bool(truth[1]) and values.asked.has(truth[0])):
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
    labels = {label[1] for label in _LABEL.finditer(latin)} & set(values.letters) if first else set()
    for pattern, explains in ((_EXPLAINED, is_alone), (_DASHED, introduces), (_DASHED, resembles)):
        match = pattern.match(latin) if len(labels) <= 1 else None
        if match and labels <= {match[1]} and first and explains(values, match[1], original[match.end() :]):
            # `C. No, he lacked the intent` takes nothing back.
            return match[1], len(latin) if explains is resembles else match.end(1)
    return values.labelled(original), len(latin)

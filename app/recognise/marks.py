"""The marks that can begin an option (`A.`, `(b)`, `**3)**`, `- C:`, `| A |`), and the chains of marks that follow each other.

A chain is a row of marks of one style with the labels 1, 2, 3, … of one alphabet. One pass over the text finds all of them:
the patterns look at bounded pieces, so that the time grows with the length of the text only.
"""

import re
from dataclasses import dataclass

from app.recognise.labels import EVERY, fitting, kind

_LABEL = r"(?P<label>[A-Za-zА-Яа-яЁёӘәҒғҚқҢңӨөҰұҮүҺһІі]|[0-9]{1,3})"
_BOLD = r"(?:\*\*|__|`)?"
_CLOSE = r"(?P<close>[)\]】）.:．、：]{1,2}"
_LINE = re.compile(
    r"[ \t\xa0\u3000]{0,16}(?P<bullet>(?:[-*•‣◦·–—+]|\[[ ]?\])[ \t]{1,4}|\|[ \t]{0,4})?"
    r"(?P<word>(?i:option|choice|answer choice|вариант|нұсқа)[ \t])?"
    rf"(?P<bold>{_BOLD})(?P<open>[(\[（【]?){_LABEL}(?P<inner>{_BOLD}){_CLOSE}|[ \t][-–—](?=[ \t])|[ \t]{{0,4}}\|)(?P<outer>{_BOLD})"
)
_INLINE = re.compile(rf"(?<!\S)(?P<bold>{_BOLD})(?P<open>[(\[（]?){_LABEL}(?P<inner>{_BOLD}){_CLOSE})(?P<outer>{_BOLD})")
_FENCE = re.compile(r"[ \t]{0,8}(?:```|~~~)")


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark.

    Attributes:
        start: where it begins (its line, for one at the beginning of a line).
        end: where the option's text begins.
        line: number of its line.
        label: label as written.
        style: what marks of one chain have in common.
        bold: markup that was opened in the mark and not closed, so that the option's text ends with it.
    """

    start: int
    end: int
    line: int
    label: str
    style: str
    bold: str = ""


@dataclass(slots=True)
class Chain:
    """Marks that follow each other; `broken` when a label of the same style came that does not follow."""

    marks: list[Mark]
    alphabets: frozenset[int]
    broken: bool = False

    @property
    def style(self) -> str:
        return self.marks[0].style

    @property
    def start(self) -> int:
        return self.marks[0].start

    @property
    def last(self) -> Mark:
        return self.marks[-1]


@dataclass(frozen=True, slots=True)
class Line:
    """A line: where it begins and ends in the text, and whether it stands in a block of code."""

    start: int
    end: int
    code: bool


def lines_of(text: str) -> list[Line]:
    """The lines of a text whose line breaks are `\\n`."""
    found, at, code = [], 0, False
    for piece in text.split("\n"):
        fence = _FENCE.match(piece) if "```" in piece or "~~~" in piece else None
        # Text behind the closing fence is no code: options follow it in one line.
        closed = code and fence is not None and piece[fence.end() :].strip() != ""
        found.append(Line(at, at + len(piece), (code or fence is not None) and not closed))
        code ^= fence is not None
        at += len(piece) + 1
    return found


def line_marks(text: str, lines: list[Line], most: int) -> list[Mark]:
    """The marks at the beginnings of lines outside of code; none where there are more than `most`."""
    found: list[Mark] = []
    for number, line in enumerate(lines):
        if line.code or not (match := _LINE.match(text, line.start, line.end)):
            continue
        if (mark := _mark(match, text, line, number)) is not None:
            found.append(mark)
        if len(found) > most:
            return []
    return found


def inline_marks(text: str, lines: list[Line], most: int) -> list[Mark]:
    """The marks anywhere in lines outside of code; none where there are more than `most`."""
    found: list[Mark] = []
    for number, line in enumerate(lines):
        if line.code:
            continue
        for match in _INLINE.finditer(text, line.start, line.end):
            if (mark := _mark(match, text, line, number, inline=True)) is not None:
                found.append(mark)
            if len(found) > most:
                return []
    return found


def _mark(match: re.Match[str], text: str, line: Line, number: int, *, inline: bool = False) -> Mark | None:
    label, opened, close = match["label"], match["open"], match["close"]
    end = match.end()
    behind = text[end : min(end + 1, line.end)]
    tight = behind != "" and not behind.isspace()
    # `1.5`, `a.m.`, `A.B.`, `8:30`, `e.g.`, `A::B` are no marks; `(A)text`, `A)text` and `A、text` are.
    if tight and close[-1] in ".:" and (inline or label[0].isdigit() or not behind.isalpha() or text[end + 1 : end + 2] in {".", ""}):
        return None
    if (opened in {"(", "（"} and close[0] not in ")）") or (opened in {"[", "【"} and close[0] not in "]】"):
        return None
    if not opened and close[0] in "]】":
        return None
    if inline and (behind == "" or (not opened and close[0] in "、．")):
        return None
    groups = match.groupdict()
    bold, inner, outer = match["bold"], match["inner"], match["outer"]
    bullet = (groups.get("bullet") or "").strip()
    if close.strip() == "|" and bullet != "|":
        return None
    word = (groups.get("word") or "").strip().lower()
    style = f"{'inline ' if inline else ''}{bullet}{word}{bold}{opened}{kind(label)}{inner}{close.strip()}{outer}"
    return Mark(match.start(), end, number, label, style, bold if bold and not inner and not outer else "")


def chains_of(marks: list[Mark]) -> list[Chain]:
    """All chains, in the order of their beginnings; a chain may have a single mark."""
    current: dict[str, Chain] = {}
    found: list[Chain] = []
    for mark in marks:
        chain = current.get(mark.style)
        if chain and (alphabets := fitting(mark.label, len(chain.marks), chain.alphabets)):
            chain.marks.append(mark)
            chain.alphabets = alphabets
        elif alphabets := fitting(mark.label, 0, EVERY):
            current[mark.style] = Chain([mark], alphabets)
            found.append(current[mark.style])
        elif chain:
            chain.broken = True
    return found

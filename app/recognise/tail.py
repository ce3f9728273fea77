"""The options' texts, and what stands behind the last one: continued text of it, instructions, or something else."""

from dataclasses import dataclass

from app.recognise.instructions import CUE, SEPARATOR, certainly_instructs, instructs, sentences, trailing_instruction
from app.recognise.marks import Chain, Line, Mark

_MOST_CONTINUED, _FULL_LINE = 60, 30


@dataclass(frozen=True, slots=True)
class Tail:
    """What stands behind the options.

    Attributes:
        start: where the last option's text ends.
        instructions: the lines behind it, all of them instructions.
        waits: whether the text ends in a word that waits for the answer (`Answer:`).
    """

    start: int
    instructions: str
    waits: bool


def split_tail(text: str, lines: list[Line], chain: Chain) -> Tail | None:
    """Find the end of the last option, or None if something follows that is neither its text nor an instruction."""
    behind = lines[chain.last.line + 1 :]
    first = len(behind)
    while first > 0:
        line = text[behind[first - 1].start : behind[first - 1].end]
        if behind[first - 1].code or not (not line.strip() or trailing_instruction(line)):
            break
        first -= 1
    while first < len(behind) and not text[behind[first].start : behind[first].end].strip():
        first += 1
    continued = behind[:first]
    while continued and not text[continued[-1].start : continued[-1].end].strip():
        continued = continued[:-1]
    if continued and not _continues(text, lines, chain, continued):
        return None
    start = continued[-1].end if continued else lines[chain.last.line].end
    instructions = [text[line.start : line.end].strip() for line in behind[first:]]
    instructions = [line for line in instructions if line and not SEPARATOR.fullmatch(line)]
    waits = bool(instructions) and CUE.fullmatch(instructions[-1]) is not None
    return Tail(start, "\n".join(instructions), waits)


def _continues(text: str, lines: list[Line], chain: Chain, continued: list[Line]) -> bool:
    """Whether lines behind the last mark belong to its option: the other options go on over several lines too."""
    if len(continued) > _MOST_CONTINUED:
        return False
    pairs = list(zip(chain.marks, chain.marks[1:], strict=False))
    own = [lines[mark.line + 1 : following.line] for mark, following in pairs]
    blanks_inside = any(_blank_between(text, one) for one in own)
    if _blank_between(text, continued) and not blanks_inside:
        return False
    if any(any(text[line.start : line.end].strip() for line in one) for one in own):
        return True
    # Only the last option is long: its lines are indented, or go on with a small letter where the line before was full.
    wrapped = lines[chain.last.line].end - chain.last.end >= _FULL_LINE
    return all(
        line.code or text[line.start : line.end][:1].isspace() or (wrapped and text[line.start : line.end][:1].islower())
        for line in continued
    )


def _blank_between(text: str, lines: list[Line]) -> bool:
    filled = [bool(text[line.start : line.end].strip()) or line.code for line in lines]
    return any(not one and any(filled[index:]) for index, one in enumerate(filled)) if len(lines) <= _MOST_CONTINUED else True


def option_texts(text: str, chain: Chain, end: int) -> tuple[str, ...]:
    """The texts of the options; the last one ends at `end`."""
    ends = [*(mark.start for mark in chain.marks[1:]), end]
    return tuple(_option(text[mark.end : stop], mark) for mark, stop in zip(chain.marks, ends, strict=True))


def _option(raw: str, mark: Mark) -> str:
    text = raw.strip()
    if mark.bold and text.endswith(mark.bold):
        text = text[: -len(mark.bold)].rstrip()
    if mark.style.startswith("|"):
        text = text.removesuffix("|").rstrip()
    return text


def cut_inline(options: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Options that stand in one line, without the signs between them, and the instruction that follows the last one in its line."""
    *others, last = options
    for sign in (";", ","):
        # A sign behind the last one too is a part of them, as in statements of a program.
        if others and not last.endswith(sign) and all(option.endswith(sign) for option in others):
            others = [option.removesuffix(sign).rstrip() for option in others]
            break
    pieces = sentences(last)
    kept = len(pieces)
    while kept > 1 and (CUE.fullmatch(pieces[kept - 1]) or (instructs(pieces[kept - 1]) and certainly_instructs(pieces[kept - 1]))):
        kept -= 1
    extra = " ".join(pieces[kept:])
    if kept < len(pieces):
        last = last[: last.rfind(pieces[kept])].rstrip()
    return (*others, last), extra

"""Examples inside of one message: questions with their answers, in front of the one that is asked."""

from dataclasses import dataclass
from itertools import pairwise

from app.recognise.forms import Asked, form_of_reply
from app.recognise.marks import Chain, Line
from app.recognise.tail import option_texts


@dataclass(frozen=True, slots=True)
class Example:
    """Where the last example ends, and the form of its answer."""

    end: int
    asked: Asked


def last_answer(text: str, lines: list[Line], chains: list[Chain]) -> Example | None:
    """Find the answers behind all chains but the last, or None if one of them has no answer: then several questions are asked.

    Args:
        text: text of the message.
        lines: its lines.
        chains: chains of options of one style, in order; the last one is the question that is asked.
    """
    found: Example | None = None
    for chain, following in pairwise(chains):
        labels = tuple(mark.label for mark in chain.marks)
        between = [line for line in lines[chain.last.line + 1 : following.marks[0].line] if text[line.start : line.end].strip()]
        options = option_texts(text, chain, lines[chain.last.line].end)
        found = None
        # The answer follows the options; one with reasoning in front of it is the last line that states an answer.
        for line in reversed(between):
            if (asked := form_of_reply(text[line.start : line.end], labels, options)) is not None and _stated(text[line.start : line.end]):
                found = Example(line.end, asked)
                break
        if found is None:
            return None
    return found


def _stated(line: str) -> bool:
    """Whether a line states an answer in words; a line such as `A` or `1` could be a part of the next question."""
    return any(word in line.lower() for word in ("answer", "ответ", "жауап", "жауаб", "a:", "choice", "option", "boxed", "正解", "答"))

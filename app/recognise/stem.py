"""What stands in front of the options: instructions, then the question."""

import re
from dataclasses import dataclass

from app.recognise.instructions import OPTIONS_HEADER, QUESTION_HEADER, SEPARATOR, leading_instruction, persona, sentences, speaks_of_choice
from app.recognise.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Stem:
    """The question's text, the instructions in front of it, and whether a word such as `Question:` marks it as one."""

    preface: str
    question: str
    marked: bool


def split_stem(before: str, first_preface: str = "") -> Stem | Refusal:
    """Split the text in front of the options.

    Args:
        before: text between the message's beginning (or the last example) and the first option.
        first_preface: text in front of the first example, which may hold instructions.

    Returns:
        The parts, or why there is no question, or that there are several.
    """
    lines = before.rstrip().split("\n")
    headed = False
    # A table's head and rule, and a line such as `Options:`.
    while lines and (OPTIONS_HEADER.fullmatch(lines[-1]) or _table_head(lines[-1]) or not lines[-1].strip()):
        headed = headed or bool(lines[-1].strip())
        lines.pop()
    lines, headed_inline = _without_inline_header(lines)
    headers = [index for index, line in enumerate(lines) if QUESTION_HEADER.match(line)]
    numbered = [index for index in headers if (match := QUESTION_HEADER.match(lines[index])) and match["number"]]
    if len(numbered) > 1:
        return Refusal.SEVERAL_QUESTIONS
    preface: list[str] = []
    marked = headed or headed_inline
    start = 0
    while start < len(lines) and (not lines[start].strip() or (start not in headers and _leads(lines[start], first=not start))):
        start += 1
    at = next((index for index in headers if index >= start), None)
    if at is not None and (at == start or _only_instructions(lines[:at])):
        rest = QUESTION_HEADER.sub("", lines[at], count=1)
        question = [rest, *lines[at + 1 :]] if rest.strip() else lines[at + 1 :]
        preface, marked = lines[:at], True
    else:
        preface, question = lines[:start], lines[start:]
    if all(QUESTION_HEADER.fullmatch(line) for line in lines if line.strip()):
        return Refusal.NO_QUESTION
    if not any(line.strip() for line in question):
        # Nothing but what looks like an instruction: it is the question.
        preface, question = [], lines
    text = "\n".join(question).strip().rstrip("*").strip() if marked else "\n".join(question).strip()
    if not text:
        return Refusal.NO_QUESTION
    instructions = "\n".join(part for part in (_instructions(first_preface), *preface) if part.strip())
    return Stem(instructions, text, marked)


def _leads(line: str, *, first: bool) -> bool:
    """Whether a line in front of the question is an instruction; a rule of dashes is one only behind another."""
    return leading_instruction(line) and not (first and SEPARATOR.fullmatch(line))


def _only_instructions(lines: list[str]) -> bool:
    """Whether the text in front of `Question:` tells how to answer, and is no passage that belongs to the question."""
    filled = [line for line in lines if line.strip()]
    return all(leading_instruction(line) or all(map(persona, sentences(line))) for line in filled) or any(
        speaks_of_choice(line) for line in filled
    )


def _instructions(first_preface: str) -> str:
    """The instructions in front of the first example."""
    lines = first_preface.split("\n")
    end = 0
    while end < len(lines) and (not lines[end].strip() or leading_instruction(lines[end])):
        end += 1
    return "\n".join(lines[:end])


def _table_head(line: str) -> bool:
    return line.lstrip().startswith("|") and len(line) < 200  # noqa: PLR2004


_INLINE_HEADER = re.compile(
    r"[\s*_(]{0,4}(?:options|choices|answer choices|варианты(?: ответа| ответов)?|(?:жауап )?нұсқалары)[*_]{0,2}:[*_]{0,2}\s{0,4}$",
    re.IGNORECASE,
)


def _without_inline_header(lines: list[str]) -> tuple[list[str], bool]:
    """Without `Options:` at the end of the last line, where the options stand in the same line."""
    if lines and (match := _INLINE_HEADER.search(lines[-1][-60:])) is not None and len(lines[-1]) > len(match[0]):
        return [*lines[:-1], lines[-1][: len(lines[-1]) - len(match[0])]], True
    return lines, False

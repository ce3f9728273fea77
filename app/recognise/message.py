"""One message → the multiple-choice question in it, or None. Read this first: the other files each decide one thing for it."""

from bisect import bisect_right
from dataclasses import dataclass

from app.core.errors import InvalidQuestion
from app.core.question import MAX_OPTIONS, MIN_OPTIONS, Question
from app.recognise import items, other_tasks
from app.recognise.evidence import doubt as doubt_of
from app.recognise.evidence import everyday
from app.recognise.examples import Example, last_answer
from app.recognise.forms import LETTER, OPEN, Asked, asked_form, form_of_reply
from app.recognise.instructions import CUE, speaks_of_choice
from app.recognise.marks import Chain, Line, chains_of, inline_marks, line_marks, lines_of
from app.recognise.recognised import Recognised
from app.recognise.refusal import Refusal
from app.recognise.stem import Stem, split_stem
from app.recognise.tail import Tail, cut_inline, option_texts, split_tail

# A longer message is no question that a small model could read; the limits bound the time as well. Examples of evaluations have a
# few thousand characters and some hundred lines.
MAX_CHARS, MAX_CHAT_CHARS, MAX_LINES, MAX_MARKS = 40_000, 100_000, 2_000, 1_000
# Examples in one message, and characters of instructions: evaluations send at most a few dozen and a few thousand.
_MOST_EXAMPLES, MAX_INSTRUCTIONS = 200, 20_000
_MOST_LINES_BEHIND = 200
# Characters at both ends of a question in which a task can stand; in between is what the question is about.
_READ = 300


def recognise(text: str) -> Recognised | None:
    """Find the one multiple-choice question of a message.

    Args:
        text: text of the message.

    Returns:
        The question with its options, or None if the message is not clearly one multiple-choice question that wants an answer.
    """
    found = examine(text)
    return found if isinstance(found, Recognised) else None


def examine(text: str, *, is_question: bool = False) -> Recognised | Refusal:
    """`recognise`, with the reason where nothing is found.

    Args:
        text: the message.
        is_question: whether its writer has said that it is one, as in the page's field for a question: its words need not show that then.
    """
    found = read(text)
    if isinstance(found, Refusal):
        return found
    doubt = None if is_question and found.doubt in {Refusal.EVERYDAY, Refusal.LANGUAGE} else found.doubt
    return doubt or found.recognised("")


@dataclass(frozen=True, slots=True)
class Found:
    """The parts of a message that can be one question: what `recognise` and `recognise_chat` decide on.

    Attributes:
        question: the question and its options.
        labels: labels as written.
        layout: layout of the options.
        instructions: sentences of the message that tell how to answer.
        waits: whether the message ends in a word that waits for the answer.
        doubt: why the message alone does not show that one of the options is asked for, or None; a conversation can show it too.
        example: form of the answers of the examples in the message, or None.
    """

    question: Question
    labels: tuple[str, ...]
    layout: str
    instructions: str
    waits: bool
    doubt: Refusal | None
    example: Asked | None

    def recognised(self, system: str) -> Recognised | Refusal:
        """The result in the form asked for by the message together with a system prompt, or why one label cannot fill it."""
        instructions = f"{system}\n{self.instructions}".strip()
        asked = asked_form(instructions)
        if asked is None:
            return Refusal.OTHER_FORM
        if other_tasks.wants_explanation(instructions, fixed_end=asked.fixed):
            return Refusal.EXPLANATION
        if asked is OPEN:
            asked = self.example or (LETTER if self.waits else OPEN)
        return Recognised(self.question, self.labels, self.layout, asked.form, asked.template)


def read(text: str) -> Found | Refusal:
    """Take a message apart, without deciding on the form of the answer."""
    if len(text) > MAX_CHARS:
        return Refusal.TOO_LONG
    if other_tasks.has_image(text):
        return Refusal.PICTURE
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if text.count("\n") >= MAX_LINES:
        return Refusal.TOO_LONG
    lines = lines_of(text)
    listed, why = -1, Refusal.NO_OPTIONS
    for marks, inline in ((line_marks(text, lines, MAX_MARKS), False), (inline_marks(text, lines, MAX_MARKS), True)):
        chains = [chain for chain in chains_of(marks) if len(chain.marks) >= MIN_OPTIONS]
        chain = _options(chains)
        if chain is None or (inline and chain.start <= listed):
            continue
        found = _read_chain(text, lines, chains, chain, inline=inline)
        if isinstance(found, Found):
            return found
        why = found if why is Refusal.NO_OPTIONS else why
        # Options in one line may follow a list that belongs to the question.
        listed = chain.last.start
    return why


def _options(chains: list[Chain]) -> Chain | None:
    """The chain that holds the options: the one that ends last, unless it stands inside of another one's options."""
    if not chains:
        return None
    last = max(chains, key=lambda chain: chain.last.start)
    inside = sorted(chain.start for chain in chains if chain.style == last.style)
    for outer in chains:
        if outer.style == last.style or outer.start > last.start:
            continue
        # It begins between two options of the other one, or the options before have such lists too.
        if (last.start < outer.last.start and len(outer.marks) > len(last.marks)) or (
            len(inside) > 1 and len(inside) - bisect_right(inside, outer.start) >= len(outer.marks) - 1
        ):
            return outer
    return last


def _read_chain(text: str, lines: list[Line], chains: list[Chain], chain: Chain, *, inline: bool) -> Found | Refusal:
    if chain.broken or len(chain.marks) > MAX_OPTIONS:
        return Refusal.INVALID_OPTIONS
    if text.count("\n", chain.last.start) > _MOST_LINES_BEHIND:
        # No instruction has so many lines, and each of them would be searched.
        return Refusal.TOO_LONG
    tail = split_tail(text, lines, chain)
    if tail is None:
        return Refusal.TEXT_BEHIND
    earlier = [other for other in chains if other.style == chain.style and other.start < chain.start]
    example: Example | None = None
    if earlier:
        example = last_answer(text, lines, [*earlier, chain]) if len(earlier) <= _MOST_EXAMPLES else None
        if example is None:
            return Refusal.SEVERAL_QUESTIONS
    if any(_asks_before(text, other, chain) for other in chains):
        return Refusal.SEVERAL_QUESTIONS
    stem = split_stem(text[example.end if example else 0 : chain.start], text[: earlier[0].start] if earlier else "")
    return stem if isinstance(stem, Refusal) else _decide(text, chain, tail, stem, example, inline=inline)


def _asks_before(text: str, other: Chain, chain: Chain) -> bool:
    """Whether a list in front of the options belongs to a question of its own: one stands in front of each of them."""
    if other.style == chain.style or other.last.start >= chain.start or len(other.marks) < MIN_OPTIONS + 1:
        return False
    return text[: other.start].rstrip()[-1:] == "?" and text[: chain.start].rstrip()[-1:] == "?"


def _decide(text: str, chain: Chain, tail: Tail, stem: Stem, example: Example | None, *, inline: bool) -> Found | Refusal:
    options = option_texts(text, chain, tail.start)
    extra, listed = "", False
    if inline:
        listed = any(option.endswith((",", ";")) for option in options[:-1])
        options, extra = cut_inline(options)
    instructions = "\n".join(part for part in (stem.preface, extra, tail.instructions) if part)
    labels = tuple(mark.label for mark in chain.marks)
    if (refused := _refused(stem, options, labels, instructions, f"{extra}\n{tail.instructions}")) is not None:
        return refused
    try:
        question = Question(stem.question, options)
    except InvalidQuestion:
        return Refusal.INVALID_OPTIONS
    waits = tail.waits or CUE.fullmatch(extra) is not None
    if waits or example is not None or asked_form(instructions) is not OPEN:
        unclear = None
    elif speaks_of_choice(instructions):
        unclear = everyday(stem.question, options)
    else:
        unclear = doubt_of(stem.question, options, chain, marked=stem.marked, inline=inline, listed=listed)
    layout = chain.style if inline else f"{chain.style} lines"
    return Found(question, labels, layout, instructions, waits, unclear, example.asked if example else None)


def _refused(stem: Stem, options: tuple[str, ...], labels: tuple[str, ...], instructions: str, behind: str) -> Refusal | None:
    """What in a message shows that something else is wanted, whatever its instructions are."""
    question = stem.question if len(stem.question) <= 2 * _READ else f"{stem.question[:_READ]}\n{stem.question[-_READ:]}"
    about = f"{stem.preface}\n{question}\n{behind}"
    rules = (
        (Refusal.TOO_LONG, len(instructions) > MAX_INSTRUCTIONS),
        (Refusal.OTHER_TASK, other_tasks.transforms(instructions) or other_tasks.is_task(about)),
        (Refusal.OTHER_FORM, other_tasks.wants_other_form(instructions)),
        (Refusal.ABOUT_A_QUESTION, other_tasks.is_about_a_question(stem.question)),
        (Refusal.SEVERAL_ANSWERS, other_tasks.wants_several(about)),
        (Refusal.EXPLANATION, other_tasks.question_wants_explanation(stem.question, options)),
        # A question with its answer is quoted, and not asked.
        (Refusal.ANSWERED, any(form_of_reply(line, labels, options) is not None for line in behind.split("\n") if line.strip())),
        (Refusal.LIST_OF_QUESTIONS, items.are_questions(stem.question, options)),
    )
    return next((refusal for refusal, holds in rules if holds), None)

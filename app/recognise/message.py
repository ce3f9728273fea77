"""One message → the multiple-choice question in it, or None. Read this first: the other files each decide one thing for it."""

from bisect import bisect_right
from dataclasses import dataclass

from app.core.errors import InvalidQuestion
from app.core.question import MAX_OPTIONS, MIN_OPTIONS, Question
from app.recognise import refusals
from app.recognise.evidence import is_asked, is_list_of_questions
from app.recognise.examples import Example, last_answer
from app.recognise.forms import LETTER, OPEN, Asked, asked_form, form_of_reply
from app.recognise.instructions import CUE, speaks_of_choice
from app.recognise.marks import Chain, Line, chains_of, inline_marks, line_marks, lines_of
from app.recognise.recognised import Recognised
from app.recognise.stem import Stem, split_stem
from app.recognise.tail import Tail, cut_inline, option_texts, split_tail

# A longer message is no question that a small model could read; the limit bounds the time as well.
MAX_CHARS = 100_000
# Examples in one message, and characters of instructions: evaluations send at most a few dozen and a few thousand.
_MOST_EXAMPLES, MAX_INSTRUCTIONS = 200, 20_000


def recognise(text: str) -> Recognised | None:
    """Find the one multiple-choice question of a message.

    Args:
        text: text of the message.

    Returns:
        The question with its options, or None if the message is not clearly one multiple-choice question that wants an answer.
    """
    found = read(text)
    if found is None or not found.evident:
        return None
    return found.recognised(found.asked(""))


@dataclass(frozen=True, slots=True)
class Found:
    """The parts of a message that can be one question: what `recognise` and `recognise_chat` decide on.

    Attributes:
        question: the question and its options.
        labels: labels as written.
        layout: layout of the options.
        instructions: sentences of the message that tell how to answer.
        waits: whether the message ends in a word that waits for the answer.
        evident: whether the message alone shows that one of the options is asked for; a conversation can show it too.
        example: form of the answers of the examples in the message, or None.
    """

    question: Question
    labels: tuple[str, ...]
    layout: str
    instructions: str
    waits: bool
    evident: bool
    example: Asked | None

    def asked(self, system: str) -> Asked | None:
        """The form asked for by the message together with a system prompt, or None if one letter cannot satisfy it."""
        instructions = f"{system}\n{self.instructions}".strip()
        asked = asked_form(instructions)
        if asked is None or refusals.wants_explanation(instructions, fixed_end=asked.fixed):
            return None
        if asked is not OPEN:
            return asked
        if self.example is not None:
            return self.example
        return LETTER if self.waits else OPEN

    def recognised(self, asked: Asked | None) -> Recognised | None:
        """The result, or None without a form."""
        return None if asked is None else Recognised(self.question, self.labels, self.layout, asked.form, asked.template)


def read(text: str) -> Found | None:
    """Take a message apart, without deciding on the form of the answer."""
    if len(text) > MAX_CHARS or refusals.has_image(text):
        return None
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    lines = lines_of(text)
    listed = -1
    for marks, inline in ((line_marks(text, lines), False), (inline_marks(text, lines), True)):
        chains = [chain for chain in chains_of(marks) if len(chain.marks) >= MIN_OPTIONS]
        chain = _options(chains)
        if chain is None or (inline and chain.start <= listed):
            continue
        if (found := _read_chain(text, lines, chains, chain, inline=inline)) is not None:
            return found
        # Options in one line may follow a list that belongs to the question.
        listed = chain.last.start
    return None


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


def _read_chain(text: str, lines: list[Line], chains: list[Chain], chain: Chain, *, inline: bool) -> Found | None:
    if chain.broken or len(chain.marks) > MAX_OPTIONS:
        return None
    tail = split_tail(text, lines, chain)
    if tail is None:
        return None
    earlier = [other for other in chains if other.style == chain.style and other.start < chain.start]
    example: Example | None = None
    if earlier:
        example = last_answer(text, lines, [*earlier, chain]) if len(earlier) <= _MOST_EXAMPLES else None
        if example is None:
            return None
    stem = split_stem(text[example.end if example else 0 : chain.start], text[: earlier[0].start] if earlier else "")
    return None if stem is None else _decide(text, chain, tail, stem, example, inline=inline)


def _decide(text: str, chain: Chain, tail: Tail, stem: Stem, example: Example | None, *, inline: bool) -> Found | None:
    options = option_texts(text, chain, tail.start)
    extra, listed = "", False
    if inline:
        listed = any(option.endswith((",", ";")) for option in options[:-1])
        options, extra = cut_inline(options)
    instructions = "\n".join(part for part in (stem.preface, extra, tail.instructions) if part)
    if len(instructions) > MAX_INSTRUCTIONS:
        return None
    about = f"{stem.preface}\n{stem.question[-2_000:]}\n{extra}\n{tail.instructions}"
    if refusals.transforms(instructions) or refusals.wants_other_form(instructions) or refusals.is_about_a_question(stem.question):
        return None
    if refusals.is_task(about) or refusals.wants_several(about) or refusals.question_wants_explanation(stem.question, options):
        return None
    labels = tuple(mark.label for mark in chain.marks)
    # A question with its answer is quoted, and not asked.
    answered = any(form_of_reply(line, labels, options) is not None for line in tail.instructions.split("\n"))
    if answered or is_list_of_questions(stem, options):
        return None
    waits = tail.waits or CUE.fullmatch(extra) is not None
    evident = waits or example is not None or speaks_of_choice(instructions) or is_asked(stem, options, chain, inline=inline, listed=listed)
    try:
        question = Question(stem.question, options)
    except InvalidQuestion:
        return None
    layout = chain.style if inline else f"{chain.style} lines"
    return Found(question, labels, layout, instructions, waits, evident, example.asked if example else None)

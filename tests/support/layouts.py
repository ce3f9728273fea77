"""Ways in which people and evaluation harnesses write a multiple-choice question: question and options → messages.

`TUNED` are the six layouts of the requirement and a few more, on which the recogniser's rules were made. `HARNESSES` follow the prompt
templates of evaluation harnesses (wording as in their sources). Each layout says which answer B the caller should get.
"""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Messages = list[tuple[str, str]]

LATIN, LOWER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
CYRILLIC = "АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЭЮЯ"
KAZAKH = "АӘБВГҒДЕЁЖЗИЙКҚЛМНҢОӨПРСТУҰҮФХҺЦЧШЩЫІЭЮЯ"
NUMBERS = tuple(str(number) for number in range(1, 27))


@dataclass(frozen=True)
class Layout:
    """A layout.

    Attributes:
        name: name in the report.
        write: function of the question and its options that returns the messages.
        second: what `Recognised.written("B")` must be; None where no form is asked for, and for a template with the text of the option `{}`.
        labels: the labels, in order.
    """

    name: str
    write: Callable[[str, Sequence[str]], Messages]
    second: str | None = None
    labels: Sequence[str] = LATIN


def rows(options: Sequence[str], form: str = "{}. {}", labels: Sequence[str] = LATIN, between: str = "\n") -> str:
    return between.join(form.format(label, option) for label, option in zip(labels, options, strict=False))


def plain(
    form: str, labels: Sequence[str] = LATIN, *, head: str = "{}\n", between: str = "\n", end: str = ""
) -> Callable[[str, Sequence[str]], Messages]:
    """One user message: the question in `head`, the options in `form`, and `end`."""

    def write(question: str, options: Sequence[str]) -> Messages:
        return [("user", head.replace("{}", question) + rows(options, form, labels, between) + end)]

    return write


def wrapped(question: str, options: Sequence[str]) -> Messages:
    folded = ["\n   ".join(textwrap.wrap(option, 40, break_long_words=False, break_on_hyphens=False)) for option in options]
    return [("user", f"{question}\n\n{rows(folded)}")]


TUNED = [
    Layout("A. lines", plain("{}. {}")),
    Layout("A) lines", plain("{}) {}")),
    Layout("(A) lines", plain("({}) {}")),
    Layout("A: lines", plain("{}: {}")),
    Layout("1. lines", plain("{}. {}", NUMBERS), labels=NUMBERS),
    Layout("(A) inline", plain("({}) {}", head="{} ", between=" ")),
    Layout("a) lines", plain("{}) {}", LOWER), labels=LOWER),
    Layout("A) inline", plain("{}) {}", head="{}\n", between="  ")),
    Layout("**A.** lines", plain("**{}.** {}", head="**Question:** {}\n\n")),
    Layout("- A. lines", plain("- {}. {}", head="{}\n\n")),
    Layout("А) Cyrillic lines", plain("{}) {}", CYRILLIC), labels=CYRILLIC),
    Layout("А. Kazakh lines", plain("{}. {}", KAZAKH, end="\n\nТек дұрыс жауаптың әрпін жаз."), "Ә", KAZAKH),
    Layout("wrapped lines", wrapped),
    Layout("letter only", plain("{}. {}", head="{}\n\n", end="\n\nAnswer with the letter only."), "B"),
    Layout("Question, Options, Answer", plain("({}) {}", head="Question: {}\nOptions:\n", end="\nAnswer:"), "B"),
]

# The six of the requirement: without any instruction.
SIX = [layout for layout in TUNED if layout.name in {"A. lines", "A) lines", "(A) lines", "A: lines", "1. lines", "(A) inline"}]

_SHOTS = [
    ("Which gas do plants take in for photosynthesis?", ("Oxygen", "Carbon dioxide", "Nitrogen", "Helium"), "B"),
    ("What is 7 * 8?", ("54", "56", "63", "48"), "B"),
    ('Who wrote "War and Peace"?', ("Leo Tolstoy", "Anton Chekhov", "Abai Kunanbaiuly", "Jane Austen"), "A"),
]


def few_shot(head: str, question_form: str, answer_form: str, between: str = "\n\n") -> Callable[[str, Sequence[str]], Messages]:
    """Examples and the question in one message; in `question_form` `{q}` is the question and `{o}` its options."""

    def one(question: str, options: Sequence[str]) -> str:
        return question_form.replace("{o}", rows(options)).replace("{q}", question)

    def write(question: str, options: Sequence[str]) -> Messages:
        shots = [one(text, choices) + answer_form.format(answer) for text, choices, answer in _SHOTS]
        return [("user", head + between.join([*shots, one(question, options)]))]

    return write


def chat_shots(system: str, answer_form: str) -> Callable[[str, Sequence[str]], Messages]:
    """Examples as turns of a conversation."""

    def write(question: str, options: Sequence[str]) -> Messages:
        turns: Messages = [("system", system)] if system else []
        for text, choices, answer in _SHOTS:
            turns += [("user", f"{text}\n{rows(choices)}"), ("assistant", answer_form.format(answer))]
        return [*turns, ("user", f"{question}\n{rows(options)}")]

    return write


def with_system(system: str, write: Callable[[str, Sequence[str]], Messages]) -> Callable[[str, Sequence[str]], Messages]:
    return lambda question, options: [("system", system), *write(question, options)]


_INSPECT = (
    "Answer the following multiple choice question. The entire content of your response should be of the following format: "
    "'ANSWER: $LETTER' (without quotes) where LETTER is one of A,B,C,D.\n\n{}\n\n"
)
_INSPECT_COT = (
    "Answer the following multiple choice question. The last line of your response should be of the following format: "
    "'ANSWER: $LETTER' (without quotes) where LETTER is one of A,B,C,D. Think step by step before answering.\n\n{}\n\n"
)
_SIMPLE_EVALS = (
    "Answer the following multiple choice question. The last line of your response should be of the following format: "
    "'Answer: $LETTER' (without quotes) where LETTER is one of ABCD. Think step by step before answering.\n\n{}\n\n"
)
_MMLU_PRO = (
    "The following are multiple choice questions (with answers) about law. Think step by step and then finish your answer with "
    '"the answer is (X)" where X is the correct letter choice.\n\n\n'
)
_META = "Given the following question and four candidate answers (A, B, C and D), choose the best answer.\nQuestion: {}\n"

HARNESSES = [
    Layout(
        "lm-eval mmlu, zero-shot",
        plain("{}. {}", head="The following are multiple choice questions (with answers) about law.\n\n{}\n", end="\nAnswer:"),
        "B",
    ),
    Layout(
        "lm-eval mmlu, few-shot",
        few_shot("The following are multiple choice questions (with answers) about law.\n\n", "{q}\n{o}\nAnswer:", " {}"),
        "B",
    ),
    Layout("inspect-ai multiple_choice", plain("{}) {}", head=_INSPECT), "ANSWER: B"),
    Layout("inspect-ai multiple_choice, cot", plain("{}) {}", head=_INSPECT_COT), "ANSWER: B"),
    Layout("simple-evals mmlu", plain("{}) {}", head=_SIMPLE_EVALS), "Answer: B"),
    Layout(
        "MMLU-Pro, few-shot cot",
        few_shot(_MMLU_PRO, "Question:\n{q}\nOptions:\n{o}\nAnswer: Let's think step by step.", " This one is known. The answer is ({})."),
        "the answer is (B)",
    ),
    Layout(
        "HELM mmlu",
        few_shot("The following are multiple choice questions (with answers) about law.\n\n", "Question: {q}\n{o}\nAnswer:", " {}"),
        "B",
    ),
    Layout(
        "Llama 3 evals",
        plain(
            "{}. {}",
            head=_META,
            end='\nYour response should end with "The best answer is [the_answer_letter]." where the [the_answer_letter] is one of A, B, C or D.',
        ),
        "The best answer is B.",
    ),
    Layout("chat few-shot, letters", chat_shots("", "{}"), "B"),
    Layout("chat few-shot, sentences", chat_shots("You are a helpful assistant.", "The answer is ({})."), "The answer is (B)."),
    Layout("system prompt: letter only", with_system("Answer with the letter only.", plain("{}. {}")), "B"),
    Layout(
        "system prompt: JSON",
        with_system('You answer multiple-choice questions. Reply with JSON: {"answer": "<letter>"}', plain("{}. {}")),
        '{"answer": "B"}',
    ),
]

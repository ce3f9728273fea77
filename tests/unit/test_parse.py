import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cloud.messages import cloud_messages
from app.cloud.parse import parse_letter
from app.core.errors import CloudUnparsable
from app.core.question import Question

CITIES = Question("Capital of France?", ("Berlin", "Paris", "Abraham Lincoln City", "Rome", "Oslo"))


@pytest.mark.parametrize(
    "reply",
    [
        "B", "b", " B.", "(B)", "**B**", "`B`", "B)", "[B]", "Option B", "Answer: B", "answer: b", "The answer is B.", "The correct answer is **B**.",
        "The answer is (B) because Paris is the capital.", "Final answer: B", "Final Answer: **B**", "final answer is B", "\\boxed{B}", "$\\boxed{\\text{B}}$",
        "<think>A? no, C? maybe D.</think>\n\nB", "B. Paris", "B) Paris.", "b) paris", "B: Paris", "Paris", "paris.", "B\n\nParis is the capital.",
        "Let me think. Berlin is in Germany.\n\nFinal answer: B", "The answer is not A.\nFinal answer: B", "Reasoning: long.\nB", "В", "в", "Ответ: В", "Жауап: В",
        "Final answer: В", "The correct option is B: Paris", '"B"', "«B»", "Answer - see below\nFinal answer: B",
    ],
)  # fmt: skip
def test_understood(reply):
    assert parse_letter(reply, CITIES) == "B"


@pytest.mark.parametrize(("look_alike", "letter"), [("А", "A"), ("В", "B"), ("С", "C"), ("Е", "E")])
def test_cyrillic_look_alikes_are_letters(look_alike, letter):
    assert parse_letter(look_alike, CITIES) == letter
    assert parse_letter(f"Final answer: {look_alike}.", CITIES) == letter


@pytest.mark.parametrize(
    "reply",
    [
        "", "   ", "I do not know.", "A good question; it depends.", "The answer is a matter of taste.", "A or B", "A, B", "F", "Z", "Б", "Final answer: F",
        "Final answer: A\nFinal answer: B", "The answer is A. The answer is C.", "A. Lincoln was a president.", "1", "None of the above", "AB", "Berlin or Paris",
        "<think>B</think>", "The answer is", '{"answer": null}', "It cannot be B", "A\nbecause of this\nB",
    ],
)  # fmt: skip
def test_never_a_guess(reply):
    with pytest.raises(CloudUnparsable):
        parse_letter(reply, CITIES)


@given(st.text(max_size=200), st.integers(2, 26))
def test_whatever_comes_the_result_is_an_offered_letter_or_an_error(reply, options):
    question = Question("q", tuple(f"option {n}" for n in range(options)))
    with contextlib.suppress(CloudUnparsable):
        assert parse_letter(reply, question) in question.letters


def test_the_prompt_asks_for_a_letter_and_lists_the_options():
    system, user = cloud_messages(CITIES)
    assert "letter" in system["content"]
    assert user["content"].endswith("E. Oslo")


@pytest.mark.parametrize(
    "reply", ["Final answer: B", "**Answer: B**\n\nParis is", "\\boxed{B}", "<answer>B</answer>", '{"answer": "B", "reason": "Pa']
)
def test_an_explicit_line_is_read_in_a_cut_answer(reply):
    assert parse_letter(reply, CITIES, cut=True) == "B"


@pytest.mark.parametrize(
    "reply",
    [
        "B", "B. Paris", "Paris", "The answer is B.", "The answer is B", "So it's B", "Final answer: B or", "Final answer: B\n\nWait, let me", "<answer>B", '{"answer": "B',
        "Final answer:", "Answer: A would be", "B is the correct answer.",
    ],
)  # fmt: skip
def test_nothing_else_is(reply):
    with pytest.raises(CloudUnparsable, match="before it was cut"):
        parse_letter(reply, CITIES, cut=True)

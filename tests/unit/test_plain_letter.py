"""The quick way for a reply in the very form that was asked for reads what the whole reader reads, or leaves the reply to it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.cloud.parse import _read, plain_letter
from app.cloud.text import seen
from app.cloud.values import Values
from app.core.errors import InvalidQuestion
from app.core.question import Question

CITIES = ("Berlin", "Paris", "Rome", "Oslo")
# What is near to an answer or to a letter, and what is not.
NEAR = st.sampled_from(
    ["A", "B", "C.", "(B)", "**C**", "b)", "В", "б", "Option B", "Vitamin B", "B cells", "Answer: B", "Final answer: C", "the answer is A", "AB",
     "A and B", "all of the above", "none of the above", "42", "B2", "x", "$B$", "\\boxed{B}", "not A", "B is wrong", "Paris", "Final", "≥ B"]
)  # fmt: skip
OPTION = NEAR | st.text(min_size=1, max_size=12)


@example(["\\boxed{B}", "Option B"], "B", "", "")
@example(["\\mathrm{B}", "Option B"], "B", ".", "")
@given(
    st.lists(OPTION, min_size=2, max_size=6, unique=True),
    st.sampled_from("ABCDEF"),
    st.sampled_from(["", ".", "\n", ".\n"]),
    st.text(max_size=30),
)
def test_what_it_reads_is_what_the_whole_reader_reads(options, letter, end, text):
    try:
        question = Question(f"Which is not {text}?", tuple(options))
    except InvalidQuestion:
        return
    reply = f"Final answer: {letter}{end}"
    if (plain := plain_letter(reply, question)) is not None:
        assert plain == _read(seen(reply).strip(), Values(question), cut=False) == letter


@pytest.mark.parametrize("letter", "ABCD")
def test_it_reads_the_form_that_was_asked_for(letter):
    assert plain_letter(f" Final answer: {letter}.\n", Question("Which?", CITIES)) == letter


@pytest.mark.parametrize(
    "reply", ["Final answer: E", "Final answer: A or B", "final answer: A", "Final answer: A\nFinal answer: B", "A", "Final answer: А"]
)
def test_every_other_reply_is_left_to_the_reader(reply):
    assert plain_letter(reply, Question("Which?", CITIES)) is None


@pytest.mark.parametrize(
    "option",
    ["B", "(C)", "**d**", "В", "AB", "Final answer: B", "No answer", "\\boxed{B}", "\\fbox{C}", "$\\mathrm{B}$", "\\text{\\textbf{B}}"],
)
def test_a_question_whose_option_could_be_taken_for_a_letter_or_an_answer_is_left_to_the_reader(option):
    assert plain_letter("Final answer: B", Question("Which?", (*CITIES, option))) is None

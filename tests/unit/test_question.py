"""What a question refuses, with the words and the field that a caller gets."""

import pytest

from app.core.errors import InvalidQuestion
from app.core.question import LETTERS, Question


@pytest.mark.parametrize(
    ("text", "options", "message", "param"),
    [
        (" \n", ("a", "b"), "question is blank", "question"),
        ("q", ("a",), "options must be 2 to 26, got 1", "options"),
        ("q", tuple(map(str, range(27))), "options must be 2 to 26, got 27", "options"),
        ("q", ("a", "b", " \n"), "option C is blank", "options.2"),
        ("q", ("a", "b", " b "), "options B and C are the same", "options.2"),
        ("q\ud800", ("a", "b"), "the text is not valid Unicode", "question"),
        ("q", ("a", "\udfff"), "the text is not valid Unicode", "question"),
    ],
)
def test_a_refusal_names_what_is_wrong_and_where(text, options, message, param):
    with pytest.raises(InvalidQuestion) as refused:
        Question(text, options)
    assert (refused.value.message, refused.value.param) == (message, param)


def test_two_and_twenty_six_options_are_taken_and_lettered_in_order():
    assert Question("q", ("a", "b")).letters == "AB"
    many = Question("q", tuple(f"option {n}" for n in range(26)))
    assert many.letters == LETTERS
    assert [many.text_of(letter) for letter in "AMZ"] == ["option 0", "option 12", "option 25"]
    with pytest.raises(ValueError, match="substring not found"):
        Question("q", ("a", "b")).text_of("C")

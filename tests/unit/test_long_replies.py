"""Which label of two letters a reply names: strictly, or none."""

import pytest

from app.cloud.long_labels import read_long_label
from app.core.errors import CloudUnparsable
from app.core.question import LongQuestion

# The label of option 12 is AM, that of option 30 is BE; option 3 (AD) is written like the label AA.
OPTIONS = tuple("AA" if number == 3 else f"city {number}" for number in range(40))
QUESTION = LongQuestion("Which?", OPTIONS)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("BE", "BE"),
        ("**BE**", "BE"),
        ("(BE).", "BE"),
        ("Final answer: BE", "BE"),
        ("It is 9 AM there.\n\n**Final answer: BE**", "BE"),
        ("Final answer: BE. city 30", "BE"),
        ("BE) city 30", "BE"),
        ("city 30", "BE"),
        ("final answer: city 30", "BE"),
        ("Final answer: BE\nFinal answer: BE", "BE"),
    ],
)
def test_a_label_that_is_clearly_named_is_read(text, label):
    assert read_long_label(text, QUESTION, cut=False) == label


@pytest.mark.parametrize(
    "text",
    [
        "",
        "B",
        "BP",
        "be",
        "BEE",
        "AA",
        "BE. city 29",
        "BE or AC",
        "It is 9 AM",
        "AM I right?",
        "Final answer: BE or AC",
        "Final answer: BE\nFinal answer: AC",
        "Final answer: ZZ",
        "The final answer: is BE",
        "BE" * 9_000,
    ],
)
def test_whatever_leaves_a_doubt_names_none(text):
    with pytest.raises(CloudUnparsable):
        read_long_label(text, QUESTION, cut=False)


def test_a_text_that_was_cut_names_none():
    with pytest.raises(CloudUnparsable, match="before it was cut"):
        read_long_label("Final answer: BE", QUESTION, cut=True)

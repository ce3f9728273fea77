"""Reading free generations: what counts as the format, and what the search of the published protocol finds."""

import pytest

from app.evaluation.free_generation import is_on_format, parse_generation


@pytest.mark.parametrize(
    ("text", "found", "on_format"),
    [
        ("Confidence: 0.75\nFinal answer: B", (0.75, "B"), True),
        (" Confidence: 1.0\nFinal answer: A.\nBecause", (1.0, "A"), True),
        ("Confidence: 0.0\nFinal answer: D", (0.0, "D"), True),
        ("confidence: 0.5\n\nFinal answer: (b)", (0.5, "B"), False),
        ("Sure!\nConfidence: 1\nFinal answer: C", (1.0, "C"), False),
        ("Confidence: 0.8\nFinal answer: B", None, False),
        ("Confidence: 0.75\nFinal answer: E", None, False),
        ("Confidence: 0.75\nFinal answer: Because", None, False),
        ("Final answer: B", None, False),
        ("", None, False),
    ],
)
def test_reading(text, found, on_format):
    assert parse_generation(text, "ABCD") == found
    assert is_on_format(text, "ABCD") is on_format

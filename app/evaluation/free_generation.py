"""Reading a free generation as FogGen's published protocol does: search the text for the two lines; the first of each counts."""

import re

from app.core.buckets import BUCKET_LABELS
from app.core.prompt import answer_text
from app.core.question import LETTERS

_CONFIDENCE = re.compile(r"confidence:\s*([01](?:\.\d+)?)", re.IGNORECASE)
_ANSWER = re.compile(rf"final answer:\s*\(?([{LETTERS}])(?![A-Za-z])", re.IGNORECASE)


def parse_generation(text: str, letters: str) -> tuple[float, str] | None:
    """The confidence and the letter that a generated text names.

    Args:
        text: what the edge model wrote freely.
        letters: the offered letters, as in `"ABCD"`.

    Returns:
        None where either line is missing, where the confidence is none of the five, or where the letter was not offered.
    """
    confidence, answer = _CONFIDENCE.search(text), _ANSWER.search(text)
    if confidence is None or answer is None:
        return None
    value, letter = float(confidence[1]), answer[1].upper()
    if value not in map(float, BUCKET_LABELS) or letter not in letters:
        return None
    return value, letter


def is_on_format(text: str, letters: str) -> bool:
    """Whether a generated text begins with exactly the two lines that the constrained verdict would write."""
    exact = {answer_text(label, letter) for label in BUCKET_LABELS for letter in letters}
    start = text.strip()
    length = next((len(form) for form in exact if start.startswith(form)), None)
    return length is not None and not start[length : length + 1].isalnum()

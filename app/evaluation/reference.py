"""What the reference protocol makes of a free generation: search for the two lines, first come first served."""

import re

from app.core.prompt import answer_text
from app.core.verdict import BUCKET_LABELS

_CONFIDENCE = re.compile(r"confidence:\s*([01](?:\.\d+)?)", re.IGNORECASE)
_ANSWER = re.compile(r"final answer:\s*\(?([A-Z])(?![A-Za-z])", re.IGNORECASE)


def parse(text: str, letters: str) -> tuple[float, str] | None:
    """(confidence, letter) of a generated answer; None where either is missing, is none of the five, or was not offered."""
    confidence, answer = _CONFIDENCE.search(text), _ANSWER.search(text)
    if confidence is None or answer is None:
        return None
    value, letter = float(confidence[1]), answer[1].upper()
    if value not in map(float, BUCKET_LABELS) or letter not in letters:
        return None
    return value, letter


def is_on_format(text: str, letters: str) -> bool:
    """Whether the text begins with exactly the two lines that the constrained verdict would write."""
    exact = {answer_text(label, letter) for label in BUCKET_LABELS for letter in letters}
    start = text.strip()
    length = next((len(form) for form in exact if start.startswith(form)), None)
    return length is not None and not start[length : length + 1].isalnum()

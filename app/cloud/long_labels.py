"""Labels of questions with more options than letters: the strict reading of a reply that names one.

Two capital letters are also words and abbreviations of prose (`AM`, `IT`), so that only two forms are read: a reply that is nothing but
an answer, and a line `Final answer: AB`. Everything else is unparsable: a wrong label is worse than none.
"""

import re

from app.core.errors import CloudUnparsable
from app.core.question import Question

_MAX_CHARS = 16_384
_MARKS = " \t*_`\"'()[]{}<>"
_CLAIM = re.compile(
    r"^[\s*_#>`-]{0,8}final answer[*_]{0,2}\s{0,4}[:：=][\s*_]{0,6}(?P<label>\S.{0,500}?)\s*$", re.IGNORECASE | re.MULTILINE
)
_LABEL = re.compile(r"(?P<label>[A-Z]{2})(?:[.):]\s*(?P<text>.+))?")


def read_long_label(answer: str, question: Question, *, cut: bool) -> str:
    """The offered label that the text of an answer names.

    Args:
        answer: the text without the model's thoughts.
        question: a question whose labels have two letters.
        cut: whether the text ends where it need not have ended.

    Raises:
        CloudUnparsable: none, two that differ, one that was not offered or that stands beside another option's text, or a text that was cut.
    """
    if cut or len(answer) > _MAX_CHARS:
        raise CloudUnparsable("the cloud's reply names no single offered option" + (" before it was cut" if cut else ""))
    claims = [found["label"] for found in _CLAIM.finditer(answer)]
    named = {_named(claim, question) for claim in claims or [answer]}
    if len(named) != 1 or (label := named.pop()) is None:
        raise CloudUnparsable("the cloud's reply names no single offered option")
    return label


def _named(text: str, question: Question) -> str | None:
    """The label that a text is, alone, with its option's text, or by that text alone."""
    text = text.strip().strip(_MARKS).rstrip(".").strip(_MARKS)
    if text in question.options:
        by_text = question.labels[question.options.index(text)]
        # An option may be written as the label of another: which of them is meant cannot be known.
        return by_text if text not in question.labels or text == by_text else None
    found = _LABEL.fullmatch(text)
    if found is None or found["label"] not in question.labels:
        return None
    said = found["text"]
    return found["label"] if said is None or said.strip(_MARKS) == question.text_of(found["label"]).rstrip(".").strip(_MARKS) else None

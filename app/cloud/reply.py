"""Which part of a chat completion is the model's answer, and which letter that part names."""

from typing import Any

from app.cloud.parse import parse_letter
from app.domain import Question
from app.errors import CloudUnparsable


def read_letter(payload: Any, question: Question) -> str:
    """The offered letter that a chat completion names.

    Args:
        payload: the decoded JSON of a 200, whatever it is.
        question: what was asked.

    Raises:
        CloudUnparsable: the reply is no chat completion, was cut or refused, or names no single offered option.
    """
    return parse_letter(_content(payload), question)


def text_chars(payload: Any, question: Question) -> int:
    """Characters of the texts that `read_letter` would look at: how much work it is."""
    options = sum(len(option) for option in question.options)
    try:
        return options + len(_content(payload))
    except CloudUnparsable:
        return options


def _content(payload: Any) -> str:
    try:
        text = payload["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        raise CloudUnparsable("the cloud's reply is not a chat completion") from None
    if not isinstance(text, str):
        raise CloudUnparsable("the cloud's reply has no text")
    return text

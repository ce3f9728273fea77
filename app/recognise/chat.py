"""A conversation → the multiple-choice question that its last message asks, or None."""

from collections.abc import Sequence

from app.recognise.message import recognise
from app.recognise.recognised import Recognised


def recognise_chat(messages: Sequence[tuple[str, str]]) -> Recognised | None:
    """Find the multiple-choice question that the last user message of a conversation asks.

    Args:
        messages: pairs of role and text, in order.

    Returns:
        The question with its options, or None if the conversation does not clearly ask one multiple-choice question.
    """
    if not messages or messages[-1][0] != "user":
        return None
    return recognise(messages[-1][1])

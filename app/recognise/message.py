"""One message → the multiple-choice question in it, or None."""

import re

from app.core.errors import InvalidQuestion
from app.core.question import LETTERS, Question
from app.recognise.recognised import Form, Recognised

_OPTION = re.compile(r"[ \t]{0,8}\(?([A-Z])[.):][ \t](.+)")


def recognise(text: str) -> Recognised | None:
    """Find the one multiple-choice question of a message.

    Args:
        text: text of the message.

    Returns:
        The question with its options, or None if the message is not clearly one multiple-choice question.
    """
    lines = text.strip().splitlines()
    found = [(index, match) for index, line in enumerate(lines) if (match := _OPTION.fullmatch(line))]
    labels = tuple(match[1] for _, match in found)
    if len(found) < 2 or "".join(labels) != LETTERS[: len(labels)] or found[-1][0] - found[0][0] != len(found) - 1:  # noqa: PLR2004
        return None
    trailer = " ".join(lines[found[-1][0] + 1 :]).strip()
    if trailer not in {"", "Answer:", "Answer with the letter only."}:
        return None
    try:
        question = Question("\n".join(lines[: found[0][0]]).strip(), tuple(match[2] for _, match in found))
    except InvalidQuestion:
        return None
    return Recognised(question, labels, "A. lines", Form.LETTER if trailer else Form.OPEN)

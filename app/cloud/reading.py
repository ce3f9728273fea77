"""The letter of a reply, in whatever form it was asked for."""

import logging
from typing import Any

from app.cloud.formats import AnswerFormat, read_strictly
from app.cloud.reply import read_letter, text_chars
from app.domain import Question
from app.errors import CloudError, CloudUnparsable
from app.offload import SMALL, in_text_thread

logger = logging.getLogger("foggate.cloud")


async def letter_of(payload: Any, question: Question, form: AnswerFormat) -> str:
    """The offered letter that a completion names; long texts are read beside the event loop.

    Raises:
        CloudUnparsable: it names none, or not in the form that was asked for, or this code fails on it.
    """
    if form is not AnswerFormat.TEXT and (letter := read_strictly(payload, question, form)) is not None:
        return letter
    try:
        if text_chars(payload, question) <= SMALL:
            return read_letter(payload, question)
        return await in_text_thread(read_letter, payload, question)
    except CloudError:
        raise
    except Exception:
        logger.exception("a bug: a reply of the cloud could not be read")
        raise CloudUnparsable("the cloud's reply could not be read") from None

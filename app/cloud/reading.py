"""The letter of a reply, in whatever form it was asked for."""

import logging
from typing import Any

from app.cloud.formats import AnswerFormat, constrained_letter
from app.cloud.long_labels import read_long_label
from app.cloud.reply import answer_of, read_letter, text_chars
from app.core.errors import CloudError, CloudUnparsable
from app.core.offload import SMALL, in_text_thread
from app.core.question import Question

logger = logging.getLogger("foggate.cloud")


async def letter_of(payload: Any, question: Question, form: AnswerFormat) -> str:
    """The offered letter that a completion names; long texts are read beside the event loop.

    Raises:
        CloudUnparsable: it names none, or not in the form that was asked for, or this code fails on it.
    """
    try:
        if text_chars(payload, question) <= SMALL:
            return _read(payload, question, form)
        return await in_text_thread(_read, payload, question, form)
    except CloudError:
        raise
    except Exception:
        logger.exception("a bug: a reply of the cloud could not be read")
        raise CloudUnparsable("the cloud's reply could not be read") from None


def _read(payload: Any, question: Question, form: AnswerFormat) -> str:
    if question.is_long:
        if form is not AnswerFormat.TEXT and (label := read_strictly(payload, question, form)) is not None:
            return label
        answer, cut = answer_of(payload)
        return read_long_label(answer, question, cut=cut)
    if form is not AnswerFormat.TEXT and (letter := read_strictly(payload, question, form)) is not None:
        return letter
    return read_letter(payload, question)


def read_strictly(payload: Any, question: Question, form: AnswerFormat) -> str | None:
    """The letter of a reply in a constrained form.

    Returns:
        None where the reply is to be read as text: a `choice` that is more than a letter, or that was cut, comes from an endpoint that
        took no notice of the field.

    Raises:
        CloudUnparsable: no JSON object with an offered letter, where that was asked for; or no answer at all.
    """
    answer, cut = answer_of(payload)
    letter = constrained_letter(answer, question.labels, form)
    if letter is None and form is AnswerFormat.JSON_SCHEMA:
        raise CloudUnparsable("the cloud's reply is not the JSON object that was asked for")
    return None if cut and form is AnswerFormat.CHOICE else letter

"""The answer format that an endpoint is asked for, and what is known about the formats that it takes.

A constrained format leaves the model no way to write anything but an offered letter; text is read by `app/cloud/reply.py`.
"""

import logging
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from app.cloud.failures import REFUSES_THE_REQUEST
from app.cloud.messages import SYSTEM, cloud_messages
from app.core.question import LETTERS, Question

logger = logging.getLogger("foggate.cloud")

# What some endpoints answer where they, or no model behind them, know a field; as often it means something else, which may pass.
_MAY_REFUSE_THE_FORMAT = (404, 500, 501)
# So often text must be answered right after such a status.
_TIMES = 2

# Read as text and not by a JSON decoder, which would take the last of two answers in one object.
_ANSWER = re.compile(rf'\s*\{{\s*"answer"\s*:\s*"([{LETTERS}]{{1,2}})"\s*\}}\s*')


class AnswerFormat(StrEnum):
    """What a request says of its answer: nothing, OpenAI's `response_format`, or vLLM's `structured_outputs`."""

    TEXT = "text"
    JSON_SCHEMA = "json_schema"
    CHOICE = "choice"


_SYSTEM = {
    AnswerFormat.TEXT: SYSTEM,
    AnswerFormat.JSON_SCHEMA: (
        "You answer multiple-choice questions. Reply with the letter of the correct option as a JSON object and nothing else, "
        'in the form {"answer": "<letter>"}.'
    ),
    AnswerFormat.CHOICE: "You answer multiple-choice questions. Reply with the letter of the correct option and nothing else.",
}


class FormatChoice:
    """The answer format in use at one endpoint.

    A refusal (400, 422) may be about the question, and a 404, 500 or 501 about anything. So text is tried, and is kept only when the
    endpoint answers that: after a refusal at once, after another of these statuses when it has happened twice. Those count only
    while the endpoint has answered no request in the configured format.

    Args:
        wanted: the configured format; text where the endpoint is still to be asked.
        name: name of the endpoint, for the log.
        how: where the format is from: `setting`, `probe`, `not_probed`, `thinks`, `extra_body`, or `refused` when the endpoint does
            not take the configured one.
    """

    def __init__(self, wanted: AnswerFormat = AnswerFormat.TEXT, *, name: str = "", how: str = "setting") -> None:
        self.wanted = wanted
        self.how = how
        self._name = name
        self._doubted = False
        self._certain = False
        self._answered = False
        self._text_instead = 0

    @property
    def in_use(self) -> AnswerFormat:
        """The format of the next request."""
        return AnswerFormat.TEXT if self._doubted else self.wanted

    def found(self, form: AnswerFormat) -> None:
        """The endpoint was asked and takes this format."""
        self.wanted, self.how, self._doubted, self._answered = form, "probe", False, True
        logger.info("the cloud endpoint '%s' takes the answer format %s", self._name, form)

    def taken(self, used: AnswerFormat) -> None:
        """A request in this format was answered."""
        if used is not AnswerFormat.TEXT:
            self._answered = self._answered or used is self.wanted
        elif self._doubted:
            self._doubted = False
            self._text_instead += 1
            if not self._certain and self._text_instead < _TIMES:
                return
            logger.warning("the cloud endpoint '%s' refuses the answer format %s: text is used from now on", self._name, self.wanted)
            self.wanted, self.how = AnswerFormat.TEXT, "refused"

    def refused(self, used: AnswerFormat, status: int) -> bool:
        """A request in this format got a status other than 200; returns whether text is to be tried."""
        certain = may_be_about_the_format(status)
        if not certain and (status not in _MAY_REFUSE_THE_FORMAT or self._answered):
            return False
        if used is AnswerFormat.TEXT:
            # The format was not the reason.
            self._doubted = False
        elif used is self.wanted:
            self._doubted, self._certain = True, certain
        return self._doubted and used is not AnswerFormat.TEXT

    def keep_text(self, how: str) -> None:
        """The format stays text, for this reason."""
        self.how = how
        logger.info("the cloud endpoint '%s' is asked for its answers as text (%s)", self._name, how)


def may_be_about_the_format(status: int | None) -> bool:
    """Whether an endpoint with this status has refused the request, possibly because of the format that it asks for."""
    return status in REFUSES_THE_REQUEST


def instruction(form: str) -> str:
    """The system message of a format, which influences the answer as the question does."""
    return _SYSTEM[AnswerFormat(form)]


def messages_for(question: Question, form: AnswerFormat) -> list[dict[str, str]]:
    """Chat messages that ask for one letter in this format, or for one label where there are more options than letters."""
    system = _SYSTEM[form].replace("letter", "label") if question.is_long else _SYSTEM[form]
    return [{"role": "system", "content": system}, *cloud_messages(question)[1:]]


def format_fields(form: AnswerFormat, letters: Sequence[str]) -> dict[str, Any]:
    """Fields of a request that leave nothing but one of the letters to write."""
    if form is AnswerFormat.CHOICE:
        return {"structured_outputs": {"choice": list(letters)}}
    if form is AnswerFormat.JSON_SCHEMA:
        schema = {
            "type": "object",
            "properties": {"answer": {"type": "string", "enum": list(letters)}},
            "required": ["answer"],
            "additionalProperties": False,
        }
        return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}}
    return {}


def constrained_letter(answer: str, letters: Sequence[str], form: AnswerFormat) -> str | None:
    """The letter of an answer that keeps to the format; None if it does not."""
    if form is AnswerFormat.JSON_SCHEMA:
        found = _ANSWER.fullmatch(answer)
        answer = found[1] if found else ""
    letter = answer.strip()
    # A tuple: a text of several letters would be found in a string of letters.
    return letter if letter in tuple(letters) else None

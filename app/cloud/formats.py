"""In which form an endpoint is asked for its answer, and what is known of the forms that it takes.

A constrained form leaves the model no way to write anything but an offered letter; text is read by `app/cloud/reply.py`.
"""

import logging
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from app.cloud.messages import SYSTEM, cloud_messages
from app.core.question import LETTERS, Question

logger = logging.getLogger("foggate.cloud")

# Read as text and not by a JSON decoder, which would take the last of two answers in one object.
_ANSWER = re.compile(rf'\s*\{{\s*"answer"\s*:\s*"([{LETTERS}])"\s*\}}\s*')


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
    """The form in use at one endpoint.

    A refusal (400, 422) may be about the question. So text is tried first, and is kept only when that is taken.

    Args:
        wanted: the configured form; text where the endpoint is still to be asked.
        name: of the endpoint, for the log.
        how: where the form is from: `setting`, `probe`, `not_probed`, `thinks`, `extra_body`, or `refused` when the endpoint would not
            take the configured one.
    """

    def __init__(self, wanted: AnswerFormat = AnswerFormat.TEXT, *, name: str = "", how: str = "setting") -> None:
        self.wanted = wanted
        self.how = how
        self._name = name
        self._doubted = False

    @property
    def in_use(self) -> AnswerFormat:
        """The form of the next request."""
        return AnswerFormat.TEXT if self._doubted else self.wanted

    def found(self, form: AnswerFormat) -> None:
        """The endpoint was asked and takes this one."""
        self.wanted, self.how, self._doubted = form, "probe", False
        logger.info("the cloud endpoint '%s' takes the answer format %s", self._name, form)

    def taken(self, used: AnswerFormat) -> None:
        """A request of this form was answered."""
        if self._doubted and used is AnswerFormat.TEXT:
            logger.warning("the cloud endpoint '%s' refuses the answer format %s: text is used from now on", self._name, self.wanted)
            self.wanted, self.how, self._doubted = AnswerFormat.TEXT, "refused", False

    def refused(self, used: AnswerFormat) -> bool:
        """A request of this form was refused with 400 or 422; returns whether text is worth a try."""
        if used is AnswerFormat.TEXT:
            # The question was to blame, and not the form.
            self._doubted = False
        elif used is self.wanted:
            self._doubted = True
        return self._doubted and used is not AnswerFormat.TEXT

    def stays(self, how: str) -> None:
        """Text stays, for this reason."""
        self.how = how
        logger.info("the cloud endpoint '%s' is asked for its answers as text (%s)", self._name, how)


def instruction(form: str) -> str:
    """The system message of a form, which decides on an answer as the question does."""
    return _SYSTEM[AnswerFormat(form)]


def messages_for(question: Question, form: AnswerFormat) -> list[dict[str, str]]:
    """Chat messages that ask for one letter in this form."""
    return [{"role": "system", "content": _SYSTEM[form]}, *cloud_messages(question)[1:]]


def format_fields(form: AnswerFormat, letters: str) -> dict[str, Any]:
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


def content_of(payload: Any) -> str | None:
    """The text that a completion's first choice holds, parts joined; None if it holds none."""
    try:
        content = payload["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        return None
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, Mapping) and part.get("type") == "text"]
        content = "".join(text for text in texts if isinstance(text, str)) if texts else None
    return content if isinstance(content, str) else None


def constrained_letter(answer: str, letters: str, form: AnswerFormat) -> str | None:
    """The letter of an answer that keeps to the form; None if it does not."""
    if form is AnswerFormat.JSON_SCHEMA:
        found = _ANSWER.fullmatch(answer)
        answer = found[1] if found else ""
    letter = answer.strip()
    return letter if len(letter) == 1 and letter in letters else None

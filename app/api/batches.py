"""The results of one `/v1/answers`: each question becomes an answer or an error, and each of them is one JSON object."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import structlog
from pydantic import ValidationError

from app.api.errors import body_of, internal_error, validation_error
from app.api.schemas import MAX_ID_CHARS, AnswerRequest, answer_body
from app.core.ask import Ask
from app.core.errors import FogGateError
from app.core.outcome import Outcome
from app.core.question import is_unicode
from app.core.strict_json import dumps
from app.gateway.batch import Batch
from app.gateway.state import GatewayState
from app.telemetry.request_line import note

log = structlog.get_logger("foggate")

# Questions that are validated before others of the event loop have their turn.
_AT_ONCE = 16


class Results:
    """The results of one batch.

    Args:
        state: where errors are counted.
        batch: answers the questions.
        request_id: id of the request, which each error repeats.
        numbered: whether results hold their index.
    """

    def __init__(self, state: GatewayState, batch: Batch, request_id: str, *, numbered: bool) -> None:
        self._metrics = state.metrics
        self._batch = batch
        self._request_id = request_id
        self._numbered = numbered
        self._errors = 0
        note(errors=0)

    async def all(self, questions: Sequence[Any]) -> list[bytes]:
        """The results in the order of the questions, which are as they were sent, not validated yet."""
        found = [b""] * len(questions)
        await self.answer(questions, found.__setitem__)
        return found

    async def lines(self, questions: Sequence[Any]) -> AsyncIterator[bytes]:
        """The results as they come, a line each; several that are there at the same time come together."""
        found: asyncio.Queue[bytes] = asyncio.Queue()
        work = asyncio.ensure_future(self.answer(questions, lambda _, result: found.put_nowait(result + b"\n")))
        left = len(questions)
        try:
            while left:
                ready = [await found.get()]
                ready += [found.get_nowait() for _ in range(found.qsize())]
                left -= len(ready)
                yield b"".join(ready)
        finally:
            # The reader may have left in the middle.
            work.cancel()

    async def answer(self, questions: Sequence[Any], give: Callable[[int, bytes], object]) -> None:
        """Answer them all, and give each place its result as soon as it is there, whatever went wrong.

        Args:
            questions: as they were sent, not validated yet.
            give: takes the place of a question and its result.
        """
        missing = dict.fromkeys(range(len(questions)))

        def done(place: int, found: Outcome | Exception) -> None:
            del missing[place]
            give(place, self._result(place, questions[place], found))

        asks: list[Ask] = []
        places: list[int] = []
        try:
            for place, raw in enumerate(questions):
                if place % _AT_ONCE == _AT_ONCE - 1:
                    await asyncio.sleep(0)
                try:
                    asks.append(await _validated(raw))
                    places.append(place)
                except Exception as error:  # noqa: BLE001  # it is this question's error, whatever it is
                    done(place, error)
            await self._batch.answer(asks, lambda number, found: done(places[number], found))
        except Exception as error:  # noqa: BLE001  # a bug in the batch itself: nobody waits for ever
            for place in [*missing]:
                done(place, error)

    def _result(self, place: int, raw: Any, found: Outcome | Exception) -> bytes:
        number = {"index": place} if self._numbered else {}
        if isinstance(found, Outcome):
            try:
                return dumps({**number, **answer_body(found)})
            except Exception as error:  # noqa: BLE001  # it is this question's error, whatever it is
                found = error
        kind, failed = self._failed(place, found)
        self._errors += 1
        note(errors=self._errors)
        self._metrics.rejected.labels(kind).inc()
        return dumps({**number, "id": _echoed(raw), **failed})

    def _failed(self, place: int, error: Exception) -> tuple[str, dict[str, Any]]:
        """The kind and the body of an error."""
        if isinstance(error, ValidationError):
            error = validation_error([dict(item) for item in error.errors()])
        if isinstance(error, FogGateError):
            return error.code, body_of(error, self._request_id)
        log.error("a bug: unhandled exception", index=place, exc_info=error)
        return "internal_error", internal_error(self._request_id)


async def _validated(raw: Any) -> Ask:
    """What is asked. Raises ValidationError or InvalidQuestion."""
    return await AnswerRequest.model_validate(raw).to_ask()


def _echoed(raw: Any) -> str | None:
    """The id of a question that may have been refused because of it."""
    given = raw.get("id") if isinstance(raw, dict) else None
    return given if isinstance(given, str) and len(given) <= MAX_ID_CHARS and is_unicode(given) else None

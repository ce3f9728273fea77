"""The results of one `/v1/answers`: each question becomes an answer or an error, and each of them is one JSON object."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import structlog
from pydantic import ValidationError

from app.api.errors import body_of, internal_error, validation_error
from app.api.schemas import MAX_ID_CHARS, AnswerRequest, answer_body
from app.core.errors import FogGateError
from app.core.question import is_unicode
from app.core.strict_json import dumps
from app.gateway.batch import Batch
from app.gateway.state import GatewayState
from app.telemetry.request_line import note

log = structlog.get_logger("foggate")


class Results:
    """The results of one batch.

    Args:
        state: the gateway's limits, and where errors are counted.
        batch: answers the questions.
        request_id: id of the request, which each error repeats.
    """

    def __init__(self, state: GatewayState, batch: Batch, request_id: str) -> None:
        self._metrics = state.metrics
        self._batch = batch
        self._request_id = request_id
        self._at_a_time = asyncio.Semaphore(state.limits.batch_concurrency)
        self._errors = 0
        note(errors=0)

    def begin(self, questions: Sequence[Any], *, numbered: bool) -> list[asyncio.Future[bytes]]:
        """Ask all of them; each result is one JSON object.

        Args:
            questions: as they were sent, not validated yet.
            numbered: whether results hold their index.
        """
        return [
            asyncio.ensure_future(self._result(raw, {"index": index} if numbered else {}, index)) for index, raw in enumerate(questions)
        ]

    async def _result(self, raw: Any, number: dict[str, int], index: int) -> bytes:
        """An answer or an error, whatever went wrong."""
        async with self._at_a_time:
            # Not all of a batch in one turn of the loop: two hundred questions that are refused at once would hold it for long.
            await asyncio.sleep(0)
            try:
                outcome = await self._batch.answer(await AnswerRequest.model_validate(raw).to_ask())
                return dumps({**number, **answer_body(outcome)})
            except ValidationError as error:
                kind, failed = self._refused(validation_error([dict(item) for item in error.errors()]))
            except FogGateError as error:
                kind, failed = self._refused(error)
            except Exception:
                log.exception("a bug: unhandled exception", index=index)
                kind, failed = "internal_error", internal_error(self._request_id)
        self._errors += 1
        note(errors=self._errors)
        self._metrics.rejected.labels(kind).inc()
        return dumps({**number, "id": _echoed(raw), **failed})

    def _refused(self, error: FogGateError) -> tuple[str, dict[str, Any]]:
        return error.code, body_of(error, self._request_id)


def _echoed(raw: Any) -> str | None:
    """The id of a question that may have been refused because of it."""
    given = raw.get("id") if isinstance(raw, dict) else None
    return given if isinstance(given, str) and len(given) <= MAX_ID_CHARS and is_unicode(given) else None


async def lines(tasks: Sequence[asyncio.Future[bytes]]) -> AsyncIterator[bytes]:
    """The results as they come, a line each."""
    try:
        for done in asyncio.as_completed(tasks):
            yield await done + b"\n"
    finally:
        # The reader may have left in the middle.
        cancel(tasks)


def cancel(tasks: Sequence[asyncio.Future[bytes]]) -> None:
    """Give up what is not done yet."""
    for task in tasks:
        task.cancel()

"""The questions of one `/v1/answers`: each gets a result of its own, and waits until the edge has a place that nobody else needs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import structlog
from fastapi import Request
from pydantic import ValidationError

from app.api.errors import body_of, internal_error, validation_error
from app.api.schemas import MAX_ID_CHARS, AnswerRequest, answer_body
from app.core.deadline import Deadline
from app.core.errors import Draining, FogGateError, Overloaded, type_name
from app.core.outcome import Outcome
from app.core.question import is_unicode
from app.core.strict_json import dumps
from app.gateway.state import GatewayState

log = structlog.get_logger("foggate")

# Answers a question within so many seconds at most; raises Overloaded where others go first.
Ask = Callable[[AnswerRequest, float], Awaitable[Outcome]]


class Batch:
    """One request with several questions.

    Args:
        state: the gateway.
        request: the request; its log line gets the number of errors.
        ask: answers one question.
        deadline: of the whole batch. What has not begun by then is refused; each question has its own deadline besides.
    """

    def __init__(self, state: GatewayState, request: Request, ask: Ask, deadline: Deadline) -> None:
        self._state = state
        self._request = request
        self._caller = request.state.caller
        self._ask = ask
        self._deadline = deadline
        self._at_a_time = asyncio.Semaphore(state.limits.batch_concurrency)
        request.state.log["errors"] = 0

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
        """An answer, or an error of its own, whatever went wrong."""
        async with self._at_a_time:
            # Not all of a batch in one turn of the loop: two hundred questions that are refused at once would hold it for long.
            await asyncio.sleep(0)
            try:
                await self._may_begin()
                outcome = await self._in_turn(AnswerRequest.model_validate(raw))
                return dumps({**number, **answer_body(outcome)})
            except ValidationError as error:
                kind, failed = self._refused(validation_error([dict(item) for item in error.errors()]))
            except FogGateError as error:
                kind, failed = self._refused(error)
            except Exception:
                log.exception("a bug: unhandled exception", path=self._request.url.path, index=index)
                kind, failed = "internal_error", internal_error(self._request.state.request_id)
        self._request.state.log["errors"] += 1
        self._state.metrics.rejected.labels(kind).inc()
        return dumps({**number, "id": _echoed(raw), **failed})

    async def _in_turn(self, asked: AnswerRequest) -> Outcome:
        """Ask until there is a place, behind single questions and in turn with other batches.

        Raises:
            Overloaded: there was none before the batch's deadline.
            Draining: the gateway stops meanwhile.
        """
        turns, refused = self._state.turns, False
        try:
            while True:
                left_s = await self._wait(again=refused)
                await self._may_begin()
                try:
                    return await self._ask(asked, left_s)
                except Overloaded:
                    refused = True
                except Draining:
                    await self._caller.give_back()
                    raise
        finally:
            # Whatever became of this one, there may be room for another.
            turns.next()

    async def _wait(self, *, again: bool) -> float:
        """Wait for the turn; the seconds that are left then, more than 0. Raises Overloaded."""
        turns = self._state.turns
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._deadline.remaining()):
                if again or len(turns):
                    await turns.wait(self, again=again)
            if left_s := self._deadline.remaining():
                return left_s
        await self._caller.give_back()
        raise Overloaded("the edge had no place for this question within the batch's deadline", retry_after_s=1)

    async def _may_begin(self) -> None:
        """Raise Draining once the listener is closed: a batch must not keep the process from ending."""
        if self._state.stopping:
            await self._caller.give_back()
            raise Draining("the gateway is shutting down", retry_after_s=1)

    def _refused(self, error: FogGateError) -> tuple[str, dict[str, Any]]:
        return type_name(error), body_of(error, self._request.state.request_id)


def _echoed(raw: Any) -> str | None:
    """The id of a question that may have been refused for it."""
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

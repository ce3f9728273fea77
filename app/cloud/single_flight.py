"""Identical questions ask the cloud once: those in flight share one call, and answers may be kept for a while.

A call belongs to all who wait for it: each waiter has a deadline of his own, and it is cancelled when the last one leaves.
The one who began it pays for it; a kept answer and a call that is under way already cost the next caller nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from cachetools import TTLCache

from app.core.ask import Bound
from app.core.deadline import Deadline
from app.core.errors import BudgetExhausted, CloudTimeout
from app.core.outcome import CloudReply
from app.core.question import Question
from app.telemetry.metrics import Metrics

# All that decides an answer but for what is configured: endpoints, model and extra fields are those of the process.
_Key = tuple[str, tuple[str, ...]]


class Upstream(Protocol):
    """A cloud that is closed by whoever stands in front of it, and that is told how long its callers still wait (seconds)."""

    async def answer(
        self, question: Question, deadline: Deadline, allowance: Sequence[Bound], *, patience: Callable[[], float] | None
    ) -> CloudReply: ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class _Flight:
    until: Deadline  # the latest of its waiters'
    call: asyncio.Task[CloudReply] = field(init=False)
    waiters: int = 0

    def patience(self) -> float:
        return self.until.remaining()


class SingleFlightCloud:
    """A cloud in front of another.

    Args:
        upstream: who is asked.
        metrics: where shared and kept answers are counted.
        longest_s: the deadline of a call, which may outlive the caller who began it: the longest that any caller may have.
        cache_entries: answers kept; 0 keeps none.
        cache_ttl_s: for how long.
    """

    def __init__(
        self, upstream: Upstream, metrics: Metrics, *, longest_s: float, cache_entries: int = 0, cache_ttl_s: float = 300.0
    ) -> None:
        self._upstream = upstream
        self._metrics = metrics
        self._longest_s = longest_s
        self._flights: dict[_Key, _Flight] = {}
        self._kept: TTLCache[_Key, CloudReply] | None = TTLCache(cache_entries, cache_ttl_s) if cache_entries else None

    async def close(self) -> None:
        """Close the upstream."""
        await self._upstream.close()

    async def answer(self, question: Question, deadline: Deadline, allowance: Sequence[Bound] = ()) -> CloudReply:
        """A kept answer (no attempts, no tokens), or that of the call in flight, or of a new one.

        Raises:
            CloudTimeout: this caller's deadline passed.
            CloudError: what the call ended with, for all who waited for it.
        """
        key = (question.question, question.options)
        if self._kept is not None and (kept := self._kept.get(key)) is not None:
            self._metrics.cloud_shared.labels("kept").inc()
            return replace(kept, attempts=0, usage={})
        joined = key in self._flights
        try:
            return await self._wait(key, question, deadline, allowance)
        except BudgetExhausted:
            if not joined:
                raise
            # The one who began the call had nothing left for it; this caller may have.
            return await self._wait(key, question, deadline, allowance)

    async def _wait(self, key: _Key, question: Question, deadline: Deadline, allowance: Sequence[Bound]) -> CloudReply:
        if not deadline.remaining():
            raise CloudTimeout("the deadline left no time for the cloud")
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(deadline)
            call = flight.call = asyncio.create_task(
                self._upstream.answer(question, Deadline.after(self._longest_s), allowance, patience=flight.patience)
            )
            call.add_done_callback(lambda _: self._landed(key, call))
        else:
            self._metrics.cloud_shared.labels("in_flight").inc()
            flight.until = max(flight.until, deadline, key=lambda until: until.at)
        flight.waiters += 1
        try:
            async with asyncio.timeout(deadline.remaining()):
                return await asyncio.shield(flight.call)
        except TimeoutError:
            raise CloudTimeout("the cloud did not answer within the deadline") from None
        finally:
            flight.waiters -= 1
            if not flight.waiters and not flight.call.done():
                # Whoever comes now begins a new one.
                self._flights.pop(key, None)
                flight.call.cancel()

    def _landed(self, key: _Key, call: asyncio.Task[CloudReply]) -> None:
        if (flight := self._flights.get(key)) is not None and flight.call is call:
            del self._flights[key]
        # Asking for the exception marks it as seen: its waiters may all be gone.
        if not call.cancelled() and call.exception() is None and self._kept is not None:
            self._kept[key] = call.result()

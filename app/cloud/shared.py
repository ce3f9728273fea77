"""Identical questions ask the cloud once: those in flight share one call, and answers may be kept for a while.

A call belongs to all who wait for it: each waiter has a deadline of his own, and it is cancelled when the last one leaves.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Protocol

from cachetools import TTLCache

from app.cascade import Cloud
from app.deadline import Deadline
from app.domain import CloudReply, Question
from app.errors import CloudTimeout
from app.metrics import Metrics

# All that decides an answer but for what is configured: endpoints, model and extra fields are those of the process.
_Key = tuple[str, tuple[str, ...]]


class Upstream(Cloud, Protocol):
    """A cloud that is closed by whoever stands in front of it."""

    async def close(self) -> None: ...


@dataclass(slots=True)
class _Flight:
    call: asyncio.Task[CloudReply]
    waiters: int = 0


class SharedCloud:
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

    async def answer(self, question: Question, deadline: Deadline) -> CloudReply:
        """A kept answer (no attempts, no tokens), or that of the call in flight, or of a new one.

        Raises:
            CloudTimeout: this caller's deadline passed.
            CloudError: what the call ended with, for all who waited for it.
        """
        key = (question.question, question.options)
        if self._kept is not None and (kept := self._kept.get(key)) is not None:
            self._metrics.cloud_shared.labels("kept").inc()
            return replace(kept, attempts=0, usage={})
        flight = self._flights.get(key)
        if flight is None:
            call = asyncio.create_task(self._upstream.answer(question, Deadline.after(self._longest_s)))
            flight = self._flights[key] = _Flight(call)
            call.add_done_callback(lambda _: self._landed(key, call))
        else:
            self._metrics.cloud_shared.labels("in_flight").inc()
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

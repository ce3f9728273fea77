"""Identical questions ask the cloud once: those in flight share one call, and answers may be cached for a while.

A call belongs to all callers that wait for it: each of them has its own deadline, and the call is cancelled when the last one leaves.
The caller that began it pays for it; a cached answer, and a call that is already under way, cost the next caller nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Protocol

from cachetools import TTLCache

from app.core.ask import Bound
from app.core.deadline import Deadline
from app.core.errors import BudgetExhausted, CloudError, CloudTimeout
from app.core.outcome import CloudReply
from app.core.question import Question
from app.telemetry.metrics import Metrics

# What identifies an answer within one configuration, which fixes endpoints, model and extra fields: question and options.
_Key = tuple[str, tuple[str, ...]]


class Upstream(Protocol):
    """The cloud behind this one: it is closed together with it, and told how many seconds its callers still wait."""

    async def answer(
        self, question: Question, deadline: Deadline, allowance: Sequence[Bound], *, patience: Callable[[], float] | None
    ) -> CloudReply: ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class _Flight:
    until: Deadline  # the latest deadline of its waiters
    call: asyncio.Task[CloudReply] = field(init=False)
    waiters: int = 0

    def patience(self) -> float:
        return self.until.remaining()


class SingleFlightCloud:
    """A cloud in front of another, which is asked once for identical questions.

    Args:
        upstream: the cloud that is asked.
        metrics: where shared and cached answers are counted.
        longest_s: deadline of a call in seconds; since a call may outlive the caller that began it, the longest deadline of any caller.
        cache_entries: largest number of cached answers; 0 caches none.
        cache_ttl_s: seconds for which an answer is cached.
    """

    def __init__(
        self, upstream: Upstream, metrics: Metrics, *, longest_s: float, cache_entries: int = 0, cache_ttl_s: float = 300.0
    ) -> None:
        self._upstream = upstream
        self._metrics = metrics
        self._longest_s = longest_s
        self._flights: dict[_Key, _Flight] = {}
        self._cached: TTLCache[_Key, CloudReply] | None = TTLCache(cache_entries, cache_ttl_s) if cache_entries else None

    async def close(self) -> None:
        """Close the upstream."""
        await self._upstream.close()

    async def answer(self, question: Question, deadline: Deadline, allowance: Sequence[Bound] = ()) -> CloudReply:
        """A cached answer (no attempts, no tokens), or the answer of the call in flight, or of a new call.

        Raises:
            CloudTimeout: this caller's deadline passed.
            CloudError: what the call ended with, for all callers that waited for it.
        """
        key = (question.question, question.options)
        if self._cached is not None and (cached := self._cached.get(key)) is not None:
            self._metrics.cloud_shared.labels("cached").inc()
            return replace(_free(cached), attempts=0, usage={})
        joined = key in self._flights
        try:
            return await self._wait(key, question, deadline, allowance)
        except BudgetExhausted:
            if not joined:
                raise
            # The caller that began the call had no budget left for it; this one may have.
            return await self._wait(key, question, deadline, allowance)

    async def _wait(self, key: _Key, question: Question, deadline: Deadline, allowance: Sequence[Bound]) -> CloudReply:
        if not deadline.remaining():
            raise CloudTimeout("the deadline left no time for the cloud")
        flight = self._flights.get(key)
        joins = flight is not None
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
                reply = await asyncio.shield(flight.call)
            return _free(reply) if joins else reply
        except TimeoutError:
            raise CloudTimeout("the cloud did not answer within the deadline") from None
        except CloudError as error:
            if joins and error.cost:
                error = copy(error)
                error.cost = 0.0
            raise error from None
        finally:
            flight.waiters -= 1
            if not flight.waiters and not flight.call.done():
                # The next caller begins a new one.
                self._flights.pop(key, None)
                flight.call.cancel()

    def _landed(self, key: _Key, call: asyncio.Task[CloudReply]) -> None:
        if (flight := self._flights.get(key)) is not None and flight.call is call:
            del self._flights[key]
        # Asking for the exception marks it as seen: all its waiters may be gone.
        if not call.cancelled() and call.exception() is None and self._cached is not None:
            self._cached[key] = call.result()


def _free(reply: CloudReply) -> CloudReply:
    """A reply that was paid for by another caller."""
    return replace(reply, cost=0.0) if reply.cost is not None else reply

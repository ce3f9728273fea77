"""A circuit breaker: an endpoint that fails too often is not asked for a while, then asked by a few probes.

It is passive: it learns from real calls only. The result of a call counts for the state in which the call was admitted; results that
come later are ignored.
"""

import time
from collections.abc import Callable
from enum import IntEnum

from app.cloud.window import Window


class State(IntEnum):
    """The value is that of `foggate_cloud_breaker_state`."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """The breaker of one endpoint. It is not thread-safe: it belongs to the event loop.

    Args:
        window_s: seconds for which failures count.
        min_calls: with fewer calls in the window it stays closed, unless so many calls in a row fail, in whatever time: otherwise,
            where calls are rare, each of them would wait for a dead endpoint.
        failure_rate: share of failed calls in the window that opens it.
        open_s: seconds for which it stays open.
        probes: calls that may be under way when it is half-open, and successes that close it; one failure opens it again.
        clock: monotonic seconds.
        on_change: called with the new state.
    """

    def __init__(
        self,
        *,
        window_s: float,
        min_calls: int,
        failure_rate: float,
        open_s: float,
        probes: int,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[State], None] = lambda _: None,
    ) -> None:
        self._window = Window(window_s, clock)
        self._min_calls = min_calls
        self._failure_rate = failure_rate
        self._open_s = open_s
        self._probes = probes
        self._clock = clock
        self._on_change = on_change
        self._state = State.CLOSED
        self._generation = 0
        self._opened_at = 0.0
        self._probing = 0
        self._probed = 0
        self._doubts = 0
        self._in_a_row = 0

    @property
    def state(self) -> State:
        """The present state; an open breaker becomes half-open when its time is over and a call asks for a ticket."""
        return self._state

    def admit(self) -> int | None:
        """A ticket for one call, to be given back with its result; None if the endpoint must not be asked."""
        if self._state is State.OPEN and self._clock() - self._opened_at >= self._open_s:
            self._enter(State.HALF_OPEN)
        if self._state is State.OPEN or (self._state is State.HALF_OPEN and self._probing + self._probed >= self._probes):
            return None
        if self._state is State.HALF_OPEN:
            self._probing += 1
        return self._generation

    def succeeded(self, ticket: int) -> None:
        """The endpoint answered, whatever it said."""
        if ticket != self._generation:
            return
        self._window.add("ok")
        self._in_a_row = 0
        if self._state is State.HALF_OPEN:
            self._probing -= 1
            self._probed += 1
            if self._probed >= self._probes:
                self._enter(State.CLOSED)

    def failed(self, ticket: int) -> None:
        """The endpoint could not be reached, broke off, was too slow or said 5xx."""
        if ticket != self._generation:
            return
        if self._state is State.HALF_OPEN:
            self._enter(State.OPEN)
            return
        self._window.add("failed")
        self._in_a_row += 1
        bad, good = self._window.count("failed"), self._window.count("ok")
        enough = bad + good >= self._min_calls and bad >= self._failure_rate * (bad + good)
        if enough or self._in_a_row >= self._min_calls:
            self._enter(State.OPEN)

    def doubted(self, ticket: int) -> None:
        """The endpoint was silent for a caller who could not wait long: like a failure, but a single one ends no probing.

        A half-open breaker opens again after as many doubts as there are probes: one caller with a short deadline cannot keep out
        an endpoint that has recovered, and an endpoint that still hangs does not stay half-open.
        """
        if ticket == self._generation and self._state is State.HALF_OPEN and self._doubts + 1 < self._probes:
            self._doubts += 1
            self._probing -= 1
            return
        self.failed(ticket)

    def abandoned(self, ticket: int) -> None:
        """The attempt ended before the endpoint could show anything."""
        if ticket == self._generation and self._state is State.HALF_OPEN:
            self._probing -= 1

    def _enter(self, state: State) -> None:
        self._state = state
        self._generation += 1
        self._probing = self._probed = self._doubts = 0
        self._window.clear()
        if state is State.OPEN:
            self._opened_at = self._clock()
        self._on_change(state)

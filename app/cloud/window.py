"""Counts and peaks over the last seconds, in a fixed number of slots: a thousand calls a second take no more memory than one."""

import time
from collections import Counter, deque
from collections.abc import Callable

_SLOTS = 10


class Window:
    """How often each of a few things happened lately.

    Args:
        seconds: how far back it looks, in steps of a tenth of it.
        clock: monotonic seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._step = seconds / _SLOTS
        self._clock = clock
        self._slots: deque[tuple[int, Counter[str]]] = deque(maxlen=_SLOTS)

    def add(self, what: str) -> None:
        """Count one."""
        now = int(self._clock() / self._step)
        if not self._slots or self._slots[-1][0] != now:
            self._slots.append((now, Counter()))
        self._slots[-1][1][what] += 1

    def count(self, what: str) -> int:
        """How many in the window."""
        oldest = int(self._clock() / self._step) - _SLOTS
        return sum(counts[what] for at, counts in self._slots if at > oldest)

    def clear(self) -> None:
        """Forget everything."""
        self._slots.clear()


class Peak:
    """The largest of the numbers that were seen lately.

    Args:
        seconds: how far back it looks, in steps of a tenth of it.
        clock: monotonic seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._step = seconds / _SLOTS
        self._clock = clock
        self._slots: deque[tuple[int, float]] = deque(maxlen=_SLOTS)

    def add(self, value: float) -> None:
        """See one."""
        now = int(self._clock() / self._step)
        if self._slots and self._slots[-1][0] == now:
            value = max(value, self._slots.pop()[1])
        self._slots.append((now, value))

    def most(self) -> float | None:
        """The largest in the window; None if there is none."""
        oldest = int(self._clock() / self._step) - _SLOTS
        return max((value for at, value in self._slots if at > oldest), default=None)

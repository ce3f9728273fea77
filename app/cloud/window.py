"""Counts over the last seconds, in a fixed number of slots: a thousand calls a second take no more memory than one."""

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

"""Counts and peaks over the last seconds, in a fixed number of slots: a thousand calls a second take no more memory than one."""

import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Generic, TypeVar

_SLOTS = 10

Value = TypeVar("Value")


class _Slots(Generic[Value]):
    """One value for each tenth of the last seconds in which there was one.

    Args:
        seconds: length of the window.
        join: makes one value of two values of the same slot.
        clock: monotonic seconds.
    """

    def __init__(self, seconds: float, join: Callable[[Value, Value], Value], clock: Callable[[], float]) -> None:
        self._step = seconds / _SLOTS
        self._join = join
        self._clock = clock
        self._slots: deque[tuple[int, Value]] = deque(maxlen=_SLOTS)

    def __len__(self) -> int:
        return len(self._slots)

    def add(self, value: Value) -> None:
        now = int(self._clock() / self._step)
        if self._slots and self._slots[-1][0] == now:
            value = self._join(self._slots.pop()[1], value)
        self._slots.append((now, value))

    def values(self) -> list[Value]:
        oldest = int(self._clock() / self._step) - _SLOTS
        return [value for at, value in self._slots if at > oldest]

    def clear(self) -> None:
        self._slots.clear()


class Window:
    """How often each of a few things happened lately.

    Args:
        seconds: length of the window; it moves in steps of a tenth of it.
        clock: monotonic seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._slots: _Slots[Counter[str]] = _Slots(seconds, lambda one, other: one + other, clock)

    def add(self, what: str) -> None:
        """Count one."""
        self._slots.add(Counter((what,)))

    def count(self, what: str) -> int:
        """How many in the window."""
        return sum(counts[what] for counts in self._slots.values())

    def clear(self) -> None:
        """Forget everything."""
        self._slots.clear()


class Peak:
    """The largest of the numbers that were seen lately.

    Args:
        seconds: length of the window; it moves in steps of a tenth of it.
        clock: monotonic seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._slots: _Slots[float] = _Slots(seconds, max, clock)

    def add(self, value: float) -> None:
        """See one."""
        self._slots.add(value)

    def most(self) -> float | None:
        """The largest in the window; None if there is none."""
        return max(self._slots.values(), default=None)

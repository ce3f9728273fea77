"""How fast the edge model is at present, as far as an admission needs to know it."""

from collections import deque

# Batches that are remembered: enough that a slow one among them does not count, few enough to notice a slower machine.
_BATCHES = 8


class Pace:
    """Seconds per computed column: the median of the last batches, each counted by its columns.

    A median, because a single batch may take seconds for other reasons (a kernel is compiled, memory is allocated, the
    machine was busy); by columns, because a small batch says little about the large ones that an overload consists of.

    Attributes:
        seconds_per_column: the estimate; 0 as long as nothing is known. One thread adds batches, any may read this.
    """

    def __init__(self) -> None:
        self.seconds_per_column = 0.0
        self._batches: deque[tuple[float, int]] = deque(maxlen=_BATCHES)

    def add(self, seconds: float, columns: int) -> None:
        """Note a finished batch. Its columns are those of prompts and tries (at least one); its padding makes them slower."""
        self._batches.append((seconds / columns, columns))
        left = sum(weight for _, weight in self._batches) / 2
        for pace, weight in sorted(self._batches):
            left -= weight
            if left <= 0:
                self.seconds_per_column = pace
                break

"""How fast the edge model is at present, as far as an admission needs to know it."""

from collections import deque

# Batches that are remembered: enough that a slow one among them does not count, few enough to notice a slower machine.
_BATCHES = 8


class Pace:
    """Seconds per prompt token: the median of the last batches, each counted by its tokens.

    A median, because a single batch may take seconds for other reasons (a kernel is compiled, memory is allocated, the
    machine was busy); by tokens, because a small batch says little about the large ones that an overload consists of.

    Attributes:
        seconds_per_token: the estimate; 0 as long as nothing is known. One thread adds batches, any may read this.
    """

    def __init__(self) -> None:
        self.seconds_per_token = 0.0
        self._batches: deque[tuple[float, int]] = deque(maxlen=_BATCHES)

    def add(self, seconds: float, tokens: int) -> None:
        """Note a finished batch of at least one token."""
        self._batches.append((seconds / tokens, tokens))
        left = sum(tokens for _, tokens in self._batches) / 2
        for pace, weight in sorted(self._batches):
            left -= weight
            if left <= 0:
                self.seconds_per_token = pace
                break

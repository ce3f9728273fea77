"""Shapes of forward passes on a GPU: prompts are padded to one of a few numbers of rows and widths, so that passes come again.

Pure arithmetic, no torch. A shape that comes again can be recorded and replayed (`app/edge/recorded.py`), and kernels that are chosen by
shape are chosen once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ROWS = (1, 2, 4, 8, 16, 32, 64)
# Tokens by which widths grow: the fewest where a pass has so many rows that padding costs time, and most for long prompts, of which there are
# few. The columns of a pass, trie and prefix included, are a multiple of the least: kernels for attention take masks whose rows are aligned.
_FINE_STEP, _STEP, _COARSE_STEP = 16, 32, 128
_FINE_ROWS, _COARSE_FROM = 16, 512
# Empty rows that a pass may compute, in columns; with more, its prompts are read in two passes. A GPU needs about as long for so many columns
# as for none.
_SPARE_COLUMNS = 1024


@dataclass(frozen=True, slots=True, order=True)
class Bucket:
    """The shape of a pass.

    Attributes:
        rows: number of prompts, empty rows included.
        width: tokens of each prompt that are computed, padding included; those of the trie are not counted.
    """

    rows: int
    width: int


@dataclass(frozen=True, slots=True)
class Buckets:
    """The shapes that passes may have.

    Attributes:
        nodes: number of tokens of the trie behind each prompt.
        skip: number of tokens of each prompt that are not computed, because they are a prefix whose keys and values are kept.
        columns: most columns of a pass, empty rows and padding included. A single prompt that is longer has a pass of its own.
    """

    nodes: int
    skip: int
    columns: int

    def width(self, length: int, rows: int = 1) -> int:
        """The width of a bucket of so many rows for prompts of which up to so many tokens are computed."""
        step = _COARSE_STEP if length > _COARSE_FROM else _FINE_STEP if rows >= _FINE_ROWS else _STEP
        beside = self.nodes + self.skip
        return -(-(length + beside) // step) * step - beside

    def passes(self, lengths: Sequence[int]) -> Iterator[tuple[Bucket, list[int]]]:
        """Passes that read every prompt once: the shape of each, and which prompts stand in its first rows.

        Args:
            lengths: for each prompt the number of its tokens that are computed.
        """
        order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
        while order:
            bucket = self._next(len(order), lengths[order[0]])
            yield bucket, order[: bucket.rows]
            order = order[bucket.rows :]

    def _next(self, waiting: int, longest: int) -> Bucket:
        """The next pass, where so many prompts wait and so many tokens of the longest are computed."""
        every = [Bucket(rows, self.width(longest, rows)) for rows in ROWS]
        possible = [bucket for bucket in every if self._columns(bucket) <= self.columns] or every[:1]
        enough = next((bucket for bucket in possible if bucket.rows >= waiting), possible[-1])
        if (enough.rows - waiting) * (enough.width + self.nodes) <= _SPARE_COLUMNS:
            return enough
        return max(bucket for bucket in possible if bucket.rows <= waiting)

    def _columns(self, bucket: Bucket) -> int:
        return bucket.rows * (bucket.width + self.nodes)

    def all(self, longest: int) -> list[Bucket]:
        """Every shape of a pass for prompts of which up to so many tokens are computed, the largest first."""
        found = {Bucket(rows, self.width(length, rows)) for rows in ROWS for length in range(1, longest + 1)}
        return sorted(
            (one for one in found if one.rows == 1 or self._columns(one) <= self.columns),
            key=lambda one: (self._columns(one), one.rows),
            reverse=True,
        )

"""Shapes of forward passes on a GPU: prompts are padded to one of a few numbers of rows and widths, so that passes come again.

Pure arithmetic, no torch. A shape that comes again can be recorded and replayed (`app/edge/recorded.py`), and kernels that are chosen by
shape are chosen once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ROWS = (1, 2, 4, 8, 16, 32, 64)
# Tokens by which widths grow, and the width from which on they grow by the larger step. The columns of a pass, trie and prefix included,
# are a multiple of the smaller step: kernels for attention take masks whose rows are aligned.
_STEP, _COARSE_FROM, _COARSE_STEP = 32, 512, 128
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

    def width(self, length: int) -> int:
        """The width of a bucket for a prompt of which so many tokens are computed."""
        step = _STEP if length <= _COARSE_FROM else _COARSE_STEP
        beside = self.nodes + self.skip
        return -(-(length + beside) // step) * step - beside

    def widths(self, longest: int) -> list[int]:
        """Every width up to that for a prompt of which so many tokens are computed, the narrowest first."""
        return sorted({self.width(length) for length in range(1, longest + 1)})

    def passes(self, lengths: Sequence[int]) -> Iterator[tuple[Bucket, list[int]]]:
        """Passes that read every prompt once: the shape of each, and which prompts stand in its first rows.

        Args:
            lengths: for each prompt the number of its tokens that are computed.
        """
        order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
        while order:
            width = self.width(lengths[order[0]])
            rows = self._rows(len(order), width + self.nodes)
            yield Bucket(rows, width), order[:rows]
            order = order[rows:]

    def _rows(self, waiting: int, columns: int) -> int:
        """Rows of the next pass, where so many prompts wait and each has so many columns."""
        possible = [rows for rows in ROWS if rows * columns <= self.columns] or [1]
        if waiting >= possible[-1]:
            return possible[-1]
        enough = next(rows for rows in possible if rows >= waiting)
        if (enough - waiting) * columns <= _SPARE_COLUMNS:
            return enough
        return max(rows for rows in possible if rows <= waiting)

    def all(self, longest: int) -> list[Bucket]:
        """Every shape of a pass within the bound on columns, for prompts of which up to so many tokens are computed; the largest first."""
        found = [Bucket(rows, width) for width in self.widths(longest) for rows in ROWS if rows * (width + self.nodes) <= self.columns]
        return sorted(found, key=lambda bucket: (bucket.rows * (bucket.width + self.nodes), bucket.rows), reverse=True)

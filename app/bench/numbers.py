"""The arithmetic of benches: percentiles, medians with their spread, a straight line through points, and padding. Knows no unit."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

# Digits that a number in a report keeps.
_DIGITS = 4
# A line through fewer points fits them all.
FEWEST_POINTS = 3
# Fewer values have no 99th percentile: the largest one would stand for it.
FEWEST_FOR_P99 = 100


@dataclass(frozen=True)
class Spread:
    """Repeated measurements of one number.

    Attributes:
        median: median.
        low: smallest.
        high: largest.
        n: how many.
    """

    median: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summarise at least one value."""
        return cls(rounded(float(np.median(values))), rounded(min(values)), rounded(max(values)), len(values))

    def row(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Line:
    """A straight line, by least squares.

    Attributes:
        slope: change of y for one more x.
        intercept: y at x = 0.
        r2: coefficient of determination; 1 where all points lie on the line.
    """

    slope: float
    intercept: float
    r2: float

    @classmethod
    def through(cls, xs: Sequence[float], ys: Sequence[float]) -> "Line | None":
        """Fit the points; None for fewer than `FEWEST_POINTS` different x."""
        if len(set(xs)) < FEWEST_POINTS:
            return None
        x, y = np.array(xs, float), np.array(ys, float)
        slope, intercept = np.polyfit(x, y, 1)
        rest = float(((y - slope * x - intercept) ** 2).sum())
        whole = float(((y - y.mean()) ** 2).sum())
        return cls(float(slope), float(intercept), 1.0 if whole == 0 else 1 - rest / whole)

    def row(self) -> dict[str, float]:
        """As a JSON object; `slope` and `intercept` keep all their digits, since they are small."""
        return {"slope": self.slope, "intercept": self.intercept, "r2": round(self.r2, 4)}


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: the smallest of the values that at least `percent` % of them do not exceed.

    It is a value that was measured, and no mixture of two, of which the larger one may be a request that waited for something.

    Args:
        values: at least one value, in any order.
        percent: from 0 (excluded) to 100.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values have no percentile")
    # The rank is rounded before it is rounded up: 0.07 · 100 is a little more than 7.
    return sorted(values)[math.ceil(round(percent / 100 * len(values), 9)) - 1]


def p50_and_p99(values: Sequence[float]) -> tuple[float | None, float | None]:
    """The 50th and the 99th percentile; None where there are no values, or fewer than `FEWEST_FOR_P99`."""
    return percentile(values, 50) if values else None, percentile(values, 99) if len(values) >= FEWEST_FOR_P99 else None


def padding_share(computed: int, useful: int) -> float:
    """Share of the computed columns that belong to no question.

    Args:
        computed: columns that the model computed, of all rows.
        useful: columns that hold tokens of a question or of its trie.
    """
    return max(0, computed - useful) / computed if computed else 0.0


def rounded(value: float) -> float:
    """A number with `_DIGITS` significant digits."""
    return float(f"{value:.{_DIGITS}g}")

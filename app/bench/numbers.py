"""The arithmetic of benches: percentiles, medians with their spread, a straight line through points, and padding. Knows no unit."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

# Digits that a number in a report keeps.
_DIGITS = 4
# A line through fewer points fits them all.
FEWEST_POINTS = 3


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
    """The percentile by linear interpolation between the values around it; NaN of no values."""
    return float(np.percentile(values, percent)) if len(values) else float("nan")


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

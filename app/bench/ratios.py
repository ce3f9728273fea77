"""Medians of paired ratios with their intervals, for the commands `foggate bench …`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.evaluation.statistics import bootstrap_rows, interval

# The median of fewer pairs has no 95 % interval by any method: all n pairs lie on one side of the true median with probability
# 2 · 0.5^n, which is less than 5 % for n ≥ 6.
FEWEST_PAIRS = 6


def ratio(name: str, above: Sequence[float], below: Sequence[float]) -> dict[str, Any]:
    """Return the median of paired ratios as `NAME`, and as `NAME_ci` its percentile-bootstrap interval.

    The interval is None for fewer pairs than `FEWEST_PAIRS`.
    """
    ratios = np.array(above) / np.array(below)
    found = interval(np.median(ratios[bootstrap_rows(len(ratios))], axis=1)) if len(ratios) >= FEWEST_PAIRS else None
    return {name: round(float(np.median(ratios)), 3), name + "_ci": None if found is None else [round(end, 3) for end in found]}


def said(report: Mapping[str, Any], key: str, digits: int) -> str:
    """Return a ratio of a report as text, with its interval if it has one."""
    ci = report[key + "_ci"]
    return f"{report[key]:.{digits}f}" + ("" if ci is None else f" [{ci[0]:.{digits}f}, {ci[1]:.{digits}f}]")

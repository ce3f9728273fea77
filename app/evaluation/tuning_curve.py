"""The curve that a tuned gateway is chosen from: accuracy against the share of questions that goes to the cloud, with intervals."""

from dataclasses import dataclass

import numpy as np

from app.core.verdict import Signal
from app.data.calibration import Achieved
from app.evaluation import statistics as st
from app.evaluation.risk import share_interval
from app.evaluation.table import Table

_RATES = np.arange(101) / 100
_RESAMPLES = 500
# The accuracy of fewer answers than this is no point of a curve.
_FEWEST_KEPT = 5


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One point of a curve; the interval is None where there is none."""

    cloud_rate: float
    accuracy: float
    ci: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve with the chosen point.

    Attributes:
        n: number of questions.
        what: what the accuracy is of, in words.
        points: the curve, by ascending cloud rate.
        chosen: what the chosen thresholds achieve; None where they keep nothing whose accuracy could be shown.
        chosen_rate_ci: interval of the cloud rate of the chosen thresholds.
        random: accuracy of the edge alone and of the cloud alone, the ends of random routing; None without a cloud.
    """

    n: int
    what: str
    points: tuple[CurvePoint, ...]
    chosen: CurvePoint | None
    chosen_rate_ci: tuple[float, float] | None
    random: tuple[float, float] | None


def curve_of(table: Table, signal: Signal, achieved: Achieved, *, seed: int) -> Curve:
    """The curve of the questions that check a calibration.

    With cloud answers it is the accuracy of edge and cloud together, on the questions with both answers, with percentile bootstrap intervals
    (95 %); without, the accuracy of the answers that stay at the edge, with exact ones.

    Args:
        table: the questions of the test half, one at least.
        signal: the number that is compared with the thresholds.
        achieved: what the chosen thresholds achieve on them.
        seed: seed of the bootstrap.
    """
    both = table.with_cloud()
    if not len(both):
        return _kept(table, signal, achieved)
    values, edge, cloud = both.signal[signal.value], both.edge_correct[signal.value], both.cloud_correct
    curve = st.routing_curve(values, edge, cloud)
    drawn = st.bootstrap_routing(values, edge, cloud, _RATES, resamples=_RESAMPLES, seed=seed)
    # Lower rates are reached by no threshold.
    lowest = float((~both.covered).mean())
    points = [
        CurvePoint(rate, st.accuracy_at(curve, rate), st.interval(drawn[:, column]))
        for column, rate in enumerate(_RATES.tolist())
        if rate >= lowest
    ]
    chosen = None if achieved.accuracy is None else CurvePoint(achieved.cloud_rate, achieved.accuracy, achieved.accuracy_ci)
    ends = (float(edge.mean()), float(cloud.mean()))
    return Curve(len(both), "edge and cloud together", tuple(points), chosen, achieved.cloud_rate_ci, ends)


def _kept(table: Table, signal: Signal, achieved: Achieved) -> Curve:
    """The accuracy of the answers that stay, from all of them to a single one; equal signals are kept or sent together."""
    n, given = len(table), table.rows(table.covered)
    order = np.argsort(-given.signal[signal.value], kind="stable")
    values, correct = given.signal[signal.value][order], np.cumsum(given.edge_correct[signal.value][order])
    ends = np.flatnonzero(np.append(values[1:] != values[:-1], True)) + 1
    ends = ends[ends >= min(_FEWEST_KEPT, len(given))]
    # One point for each percent at most: an exact interval takes time.
    ends = np.unique(ends[np.searchsorted(ends, _RATES * n).clip(max=len(ends) - 1)])
    points = [
        CurvePoint(1 - kept / n, int(correct[kept - 1]) / kept, share_interval(int(correct[kept - 1]), kept))
        for kept in ends[::-1].tolist()
    ]
    chosen = None
    if achieved.edge_error is not None:
        low, high = achieved.edge_error_ci or (None, None)
        ci = None if low is None or high is None else (1 - high, 1 - low)
        chosen = CurvePoint(achieved.cloud_rate, 1 - achieved.edge_error, ci)
    return Curve(n, "the answers that stay at the edge", tuple(points), chosen, achieved.cloud_rate_ci, None)

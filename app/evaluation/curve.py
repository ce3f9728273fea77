"""What each threshold would have achieved on the test half of a calibration."""

import numpy as np

from app.core.verdict import Signal
from app.data.calibration import ROUTES_ALL
from app.data.curve import Curve, CurvePoint
from app.evaluation.choose import candidate_thresholds
from app.evaluation.risk import share_interval
from app.evaluation.table import Table

# Points beyond these are closer together than their intervals are wide.
_POINTS = 41


def curve_of(test: Table, signal: Signal, *, chosen: float) -> Curve:
    """The curve of one threshold for all questions, at up to 41 thresholds that route different questions, and at the chosen one.

    Args:
        test: questions that chose no threshold.
        signal: the number that is compared with the thresholds.
        chosen: the threshold that was chosen, which is one of the points.
    """
    values, edge, known = test.signal[signal.value], test.edge_correct[signal.value], test.cloud_known
    points = []
    for tau in sorted({*_thresholds(values, signal), chosen}):
        routed = values < tau
        kept = int((~routed).sum())
        kept_correct = int(edge[~routed].sum())
        correct = int(np.where(routed, test.cloud == 1, edge)[known].sum())
        n_cloud = int(known.sum())
        points.append(
            CurvePoint(
                tau=tau,
                cloud_rate=float(routed.mean()),
                accuracy=correct / n_cloud if n_cloud else None,
                accuracy_ci=share_interval(correct, n_cloud),
                kept=kept,
                kept_accuracy=kept_correct / kept if kept else None,
                kept_accuracy_ci=share_interval(kept_correct, kept),
            )
        )
    return Curve(n=len(test), n_cloud=int(known.sum()), points=tuple(points))


def _thresholds(values: np.ndarray, signal: Signal) -> list[float]:
    """Thresholds from one that routes nothing to one that routes everything; many are thinned to equal steps of the cloud rate."""
    candidates = np.append(candidate_thresholds(values, signal), ROUTES_ALL)
    rates = np.searchsorted(np.sort(values), candidates, side="left")
    # The first threshold of each rate.
    distinct = candidates[np.unique(rates, return_index=True)[1]]
    chosen = np.unique(np.linspace(0, len(distinct) - 1, min(_POINTS, len(distinct))).round().astype(int))
    return [float(tau) for tau in distinct[chosen]]

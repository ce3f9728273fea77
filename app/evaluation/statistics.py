"""The numbers of the report, as pure functions on arrays. All rates and accuracies are fractions; all arrays are 1-D, length n.

Sources: AUROC as the Mann–Whitney statistic with ties counted half (Hanley and McNeil 1982); expected calibration error with
equal-width bins (Guo et al. 2017) and with equal-mass bins (Nixon et al. 2019); Brier 1950; AURC (Geifman et al. 2019);
performance gap recovered and its average (Ong et al. 2024, RouteLLM); percentile bootstrap (Efron 1979).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def random_baseline(cloud_rate: float, cloud: float, edge: float) -> float:
    """Accuracy of sending the same share to the cloud by lot: r·cloud + (1 − r)·edge."""
    return cloud_rate * cloud + (1 - cloud_rate) * edge


def auroc(signal: Floats, right: Flags) -> float | None:
    """Probability that a right answer has the higher signal than a wrong one, ties counted half; None if all are alike."""
    positives, negatives = int(right.sum()), int((~right).sum())
    if positives == 0 or negatives == 0:
        return None
    rank_sum = _average_ranks(signal)[right].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * negatives))


def ece_fixed(confidence: Floats, right: Flags, bins: int = 10) -> float:
    """Mean distance between confidence and accuracy over equal-width bins of [0, 1], weighted by their share."""
    return _ece(confidence, right, np.minimum((confidence * bins).astype(int), bins - 1))


def ece_adaptive(confidence: Floats, right: Flags, bins: int = 10) -> float:
    """The same over bins of equal mass; equal confidences share a bin."""
    # The bin of a value is that of its average rank: ties cannot be torn apart.
    return _ece(confidence, right, np.minimum(((_average_ranks(confidence) - 0.5) * bins / len(confidence)).astype(int), bins - 1))


def brier(confidence: Floats, right: Flags) -> float:
    """Mean squared distance between confidence and being right."""
    return float(np.mean((confidence - right) ** 2))


def risk_coverage(signal: Floats, right: Flags) -> Floats:
    """Error rate among the k most confident answers, k = 1 … n; within ties the expected value over their orders."""
    order = np.argsort(-signal, kind="stable")
    return 1 - np.cumsum(_tie_averaged(signal[order], right[order].astype(float))) / np.arange(1, len(signal) + 1)


def aurc(signal: Floats, right: Flags) -> float:
    """Mean of the risk–coverage curve."""
    return float(np.mean(risk_coverage(signal, right)))


def routing_curve(signal: Floats, edge_right: Flags, cloud_right: Flags) -> Floats:
    """Accuracy with the k least confident questions sent to the cloud, k = 0 … n; ties as in `risk_coverage`."""
    order = np.argsort(signal, kind="stable")
    gain = cloud_right[order].astype(float) - edge_right[order]
    gained = np.concatenate([np.zeros(1), np.cumsum(_tie_averaged(signal[order], gain))])
    return np.asarray((edge_right.sum() + gained) / len(signal), dtype=np.float64)


def accuracy_at(curve: Floats, cloud_rate: float) -> float:
    """A routing curve's accuracy at any cloud rate, linear between its points (a coin decides the last question)."""
    return float(np.interp(cloud_rate * (len(curve) - 1), np.arange(len(curve)), curve))


def oracle_curve(edge_right: Flags, cloud_right: Flags) -> Floats:
    """The best that any router could do: first what only the cloud knows, last what only the edge knows."""
    return routing_curve(-(cloud_right.astype(float) - edge_right), edge_right, cloud_right)


def apgr(curve: Floats) -> float | None:
    """Share of the edge→cloud gap that a routing curve recovers, averaged over cloud rates 10 %, 20 % … 100 %.

    None where the cloud is no better than the edge: there is no gap to recover.
    """
    edge, cloud = curve[0], curve[-1]
    if cloud <= edge:
        return None
    reached = np.mean([accuracy_at(curve, rate) for rate in np.linspace(0.1, 1.0, 10)])
    return float((reached - edge) / (cloud - edge))


def bootstrap_means(columns: Floats, *, resamples: int = 2000, seed: int = 0) -> Floats:
    """Means of columns over resampled rows: `[n, k]` → `[resamples, k]`. Rows stay whole, so comparisons are paired."""
    rows = len(columns)
    draw = np.random.default_rng(seed)
    # How often each row is drawn is multinomial; one matrix product instead of a loop. In slices, to bound the memory.
    step = max(1, 4_000_000 // rows)
    parts = [
        draw.multinomial(rows, np.full(rows, 1 / rows), size=min(step, resamples - start)) @ columns / rows
        for start in range(0, resamples, step)
    ]
    return np.concatenate(parts)


def bootstrap_rows(rows: int, *, resamples: int = 2000, seed: int = 0) -> Iterator[NDArray[np.int_]]:
    """Row numbers drawn with replacement, one array a resample: for statistics that are no means."""
    draw = np.random.default_rng(seed)
    return (draw.integers(rows, size=rows) for _ in range(resamples))


def interval(values: Floats) -> tuple[float, float]:
    """The 95 % percentile interval."""
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _average_ranks(values: Floats) -> Floats:
    """Ranks from 1, equal values share their average."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def _tie_averaged(sorted_signal: Floats, values: Floats) -> Floats:
    """Replace each value by the mean of those with the same signal."""
    _, inverse, counts = np.unique(sorted_signal, return_inverse=True, return_counts=True)
    return np.asarray((np.bincount(inverse, weights=values) / counts)[inverse], dtype=np.float64)


def _ece(confidence: Floats, right: Flags, bin_of: NDArray[np.int_]) -> float:
    count = np.bincount(bin_of)
    distance = np.abs(np.bincount(bin_of, weights=confidence) - np.bincount(bin_of, weights=right.astype(float)))
    return float(distance.sum() / count.sum())

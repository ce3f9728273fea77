"""The numbers of the report, as pure functions on arrays. All rates and accuracies are fractions; all arrays are 1-D, length n.

Sources: AUROC as the Mann–Whitney statistic with ties counted half (Hanley and McNeil 1982), its paired differences (DeLong et al. 1988); expected calibration error with
equal-width bins (Guo et al. 2017) and with equal-mass bins (Nixon et al. 2019); Brier 1950; AURC (Geifman et al. 2019);
performance gap recovered and its average (Ong et al. 2024, RouteLLM); percentile bootstrap (Efron 1979).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
# A smaller difference between resamples is rounding only.
_SAME = 1e-12


def random_baseline(cloud_rate: float, cloud: float, edge: float) -> float:
    """Accuracy of sending the same share to the cloud at random: r·cloud + (1 − r)·edge."""
    return cloud_rate * cloud + (1 - cloud_rate) * edge


def wilson(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927).

    Args:
        share: observed share, a fraction.
        count: number of observations, at least 1.
        z: quantile of the normal distribution.
    """
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * float(np.sqrt(share * (1 - share) / count + z * z / (4 * count * count)))
    return centre - half, centre + half


def auroc(signal: Floats, correct: Flags) -> float | None:
    """Probability that a correct answer has the higher signal than a wrong one, ties counted half; None where all answers are correct or all are wrong."""
    positives, negatives = int(correct.sum()), int((~correct).sum())
    if positives == 0 or negatives == 0:
        return None
    rank_sum = _average_ranks(signal)[correct].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * negatives))


def auroc_gain(one: Floats, other: Floats, correct: Flags) -> tuple[float, float]:
    """The AUROC of one signal minus that of another on the same answers, and the standard error of this difference.

    The paired variance of DeLong, DeLong and Clarke-Pearson (1988), from each answer's placement among the answers of the other kind.

    Args:
        one: `[n]`.
        other: `[n]`.
        correct: `[n]`, at least two correct and two wrong answers.
    """
    positives, negatives = (_placements(one, kind) - _placements(other, kind) for kind in (correct, ~correct))
    error = np.sqrt(positives.var(ddof=1) / len(positives) + negatives.var(ddof=1) / len(negatives))
    return float(positives.mean()), float(error)


def _placements(signal: Floats, kind: Flags) -> Floats:
    """For each answer of a kind, the share of answers of the other kind that have a lower signal, ties counted half."""
    within, overall = _average_ranks(signal[kind]), _average_ranks(signal)[kind]
    return (overall - within) / int((~kind).sum())


def ece_fixed(confidence: Floats, correct: Flags, bins: int = 10) -> float:
    """Mean distance between confidence and accuracy over equal-width bins of [0, 1], weighted by their share."""
    return _ece(confidence, correct, np.minimum((confidence * bins).astype(int), bins - 1))


def ece_adaptive(confidence: Floats, correct: Flags, bins: int = 10) -> float:
    """The same over bins of equal mass; equal confidences share a bin."""
    # The bin of a value is that of its average rank: ties cannot be torn apart. Ranks are n at most, so no bin is beyond the last.
    return _ece(confidence, correct, ((_average_ranks(confidence) - 0.5) * bins / len(confidence)).astype(int))


def brier(confidence: Floats, correct: Flags) -> float:
    """Mean squared distance between confidence and correctness (1 or 0)."""
    return float(np.mean((confidence - correct) ** 2))


def risk_coverage(signal: Floats, correct: Flags) -> Floats:
    """Error rate among the k most confident answers, k = 1 … n; within ties the expected value over their orders."""
    order = np.argsort(-signal, kind="stable")
    return 1 - np.cumsum(_tie_averaged(signal[order], correct[order].astype(float))) / np.arange(1, len(signal) + 1)


def aurc(signal: Floats, correct: Flags) -> float:
    """Mean of the risk–coverage curve."""
    return float(np.mean(risk_coverage(signal, correct)))


def routing_curve(signal: Floats, edge_correct: Flags, cloud_correct: Flags) -> Floats:
    """Accuracy with the k least confident questions sent to the cloud, k = 0 … n; ties as in `risk_coverage`."""
    order = np.argsort(signal, kind="stable")
    gain = cloud_correct[order].astype(float) - edge_correct[order]
    gained = np.concatenate([np.zeros(1), np.cumsum(_tie_averaged(signal[order], gain))])
    return np.asarray((edge_correct.sum() + gained) / len(signal), dtype=np.float64)


def accuracy_at(curve: Floats, cloud_rate: float) -> float:
    """A routing curve's accuracy at any cloud rate, linear between its points."""
    return float(np.interp(cloud_rate * (len(curve) - 1), np.arange(len(curve)), curve))


def oracle_curve(edge_correct: Flags, cloud_correct: Flags) -> Floats:
    """The best that any router could do: first the questions that only the cloud answers correctly, last those that only the edge does."""
    return routing_curve(-(cloud_correct.astype(float) - edge_correct), edge_correct, cloud_correct)


def apgr(curve: Floats) -> float | None:
    """Share of the edge→cloud gap that a routing curve recovers, averaged over cloud rates 10 %, 20 % … 100 %.

    None where the cloud is no better than the edge: there is no gap to recover.
    """
    edge, cloud = curve[0], curve[-1]
    if cloud <= edge:
        return None
    reached = np.mean([accuracy_at(curve, rate) for rate in np.linspace(0.1, 1.0, 10)])
    return float((reached - edge) / (cloud - edge))


def bootstrap_counts(rows: int, *, resamples: int = 2000, seed: int = 0) -> Iterator[Floats]:
    """How often each row is drawn in each resample, as slices `[some resamples, rows]` of about 30 MB.

    The same rows, resamples and seed give the same draws, so what is computed from them is paired.
    """
    draw = np.random.default_rng(seed)
    step = max(1, 4_000_000 // rows)
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        # Resample number i counts in the bins i·rows … (i + 1)·rows - 1.
        drawn = draw.integers(rows, size=(count, rows)) + rows * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows).astype(np.float64)


def bootstrap_rows(rows: int, *, resamples: int = 2000, seed: int = 0) -> NDArray[np.int_]:
    """Row numbers drawn with replacement, `[resamples, rows]`: for few rows and statistics that are no means."""
    return np.random.default_rng(seed).integers(rows, size=(resamples, rows))


def bootstrap_means(columns: Floats, *, resamples: int = 2000, seed: int = 0) -> Floats:
    """Means of columns over resampled rows: `[n, k]` → `[resamples, k]`. Rows stay whole, so comparisons are paired."""
    counts = bootstrap_counts(len(columns), resamples=resamples, seed=seed)
    return np.concatenate([part @ columns / len(columns) for part in counts])


def bootstrap_auroc(signal: Floats, correct: Flags, *, resamples: int = 2000, seed: int = 0) -> Floats:
    """AUROC of each resample, `[resamples]`; 0.5 where a resample holds one kind only."""
    order, starts = _groups(signal)
    values = []
    for counts in bootstrap_counts(len(signal), resamples=resamples, seed=seed):
        ordered = counts[:, order]
        all_of = np.add.reduceat(ordered, starts, axis=1)
        positive = np.add.reduceat(ordered * correct[order], starts, axis=1)
        negative = all_of - positive
        below = np.cumsum(negative, axis=1) - negative
        pairs = positive.sum(axis=1) * negative.sum(axis=1)
        won = (positive * (below + negative / 2)).sum(axis=1)
        values.append(np.where(pairs > 0, won / np.maximum(pairs, 1), 0.5))
    return np.concatenate(values)


def bootstrap_routing(
    signal: Floats, edge_correct: Flags, cloud_correct: Flags, rates: Floats, *, resamples: int = 2000, seed: int = 0
) -> Floats:
    """Accuracy of each resample's routing curve at cloud rates, `[resamples, k]`.

    Args:
        signal: `[n]`; the least confident question goes to the cloud first; ties averaged over their orders, so the curve is straight within them.
        edge_correct: `[n]`, whether the edge answer is correct.
        cloud_correct: `[n]`, whether the cloud answer is correct.
        rates: `[k]`, the same for all resamples, or `[resamples, k]`.
        resamples: number of bootstrap resamples.
        seed: seed of the bootstrap.
    """
    n = len(signal)
    rates = np.broadcast_to(rates, (resamples, rates.shape[-1]))
    order, starts = _groups(signal)
    edge = edge_correct[order].astype(float)
    gain = cloud_correct[order].astype(float) - edge
    rows: list[Floats] = []
    for counts in bootstrap_counts(n, resamples=resamples, seed=seed):
        ordered = counts[:, order]
        share = np.cumsum(np.add.reduceat(ordered, starts, axis=1), axis=1) / n
        accuracy = ((ordered @ edge)[:, None] + np.cumsum(np.add.reduceat(ordered * gain, starts, axis=1), axis=1)) / n
        base = ordered @ edge / n
        rows.extend(
            np.interp(rates[len(rows)], np.concatenate([[0.0], x]), np.concatenate([[at_none], y]))
            for x, y, at_none in zip(share, accuracy, base, strict=True)
        )
    return np.array(rows)


def interval(values: Floats) -> tuple[float, float] | None:
    """The 95 % percentile interval of a bootstrap; None where all resamples agree, since they then do not show the spread.

    This is so for one row, and for rows that are all alike (every answer correct, everything routed).
    """
    if not len(values) or float(np.ptp(values)) < _SAME:
        return None
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def as_list(found: tuple[float, float] | None) -> list[float] | None:
    """An interval as JSON has it."""
    return None if found is None else list(found)


def auroc_interval(correct: Flags, drawn: Floats) -> tuple[float, float] | None:
    """The 95 % percentile interval of an AUROC, from what `bootstrap_auroc` drew.

    None with fewer than two correct or two wrong answers: a single one does not show how such answers spread.
    """
    return interval(drawn) if min(int(correct.sum()), int((~correct).sum())) > 1 else None


def _groups(signal: Floats) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """The ascending order, and where in it each run of equal values starts."""
    order = np.argsort(signal, kind="stable")
    ordered = signal[order]
    return order, np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))


def _average_ranks(values: Floats) -> Floats:
    """Ranks from 1, equal values share their average."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def _tie_averaged(sorted_signal: Floats, values: Floats) -> Floats:
    """Replace each value by the mean of those with the same signal."""
    _, inverse, counts = np.unique(sorted_signal, return_inverse=True, return_counts=True)
    return np.asarray((np.bincount(inverse, weights=values) / counts)[inverse], dtype=np.float64)


def _ece(confidence: Floats, correct: Flags, bin_of: NDArray[np.int_]) -> float:
    count = np.bincount(bin_of)
    distance = np.abs(np.bincount(bin_of, weights=confidence) - np.bincount(bin_of, weights=correct.astype(float)))
    return float(distance.sum() / count.sum())

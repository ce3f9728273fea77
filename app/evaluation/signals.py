"""How good each signal is: does it order correct answers above wrong ones, is it calibrated, and what is gained by routing on it?"""

from typing import Any

import numpy as np

from app.core.verdict import BUCKET_LABELS, BUCKETS, Signal
from app.evaluation import statistics as st
from app.evaluation.table import Table

# Cloud rates at which routing curves are written down, and coverages at which risks are.
RATES = np.arange(101) / 100


def signal_quality(table: Table, name: str, *, resamples: int, seed: int) -> dict[str, Any]:
    """The numbers of one signal. Those of routing (`apgr`, `apgr_oracle`, `routing_curve`) only where every row has a cloud answer.

    `auroc` is None where all answers are correct or all are wrong.
    """
    signal, correct = table.signal[name], table.edge_correct[name]
    risk = st.risk_coverage(signal, correct)
    drawn = st.bootstrap_auroc(signal, correct, resamples=resamples, seed=seed)
    return {
        "n": len(table),
        "edge_accuracy": float(correct.mean()),
        "auroc": st.auroc(signal, correct),
        "auroc_ci": st.as_list(st.auroc_interval(correct, drawn)),
        "ece_fixed": st.ece_fixed(signal, correct),
        "ece_adaptive": st.ece_adaptive(signal, correct),
        "brier": st.brier(signal, correct),
        "aurc": float(risk.mean()),
        "mean": float(signal.mean()),
        "risk_coverage": [round(float(risk[most_confident(rate, len(risk)) - 1]), 6) for rate in RATES[1:]],
    }


def routing_quality(table: Table, name: str) -> dict[str, Any]:
    """Accuracy of routing on one signal at every cloud rate; every row has a cloud answer."""
    signal, correct = table.signal[name], table.edge_correct[name]
    curve = st.routing_curve(signal, correct, table.cloud_correct)
    return {
        "apgr": st.apgr(curve),
        "apgr_oracle": st.apgr(st.oracle_curve(correct, table.cloud_correct)),
        "routing_curve": [round(st.accuracy_at(curve, rate), 6) for rate in RATES],
    }


def most_confident(coverage: float, n: int) -> int:
    """How many answers a coverage keeps: one at least."""
    return max(1, round(coverage * n))


def buckets(table: Table) -> dict[str, dict[str, Any]]:
    """How often each verbalized confidence occurs, and the accuracy of its answers; None where it does not occur."""
    said, correct = table.signal[Signal.VERBALIZED.value], table.edge_correct[Signal.VERBALIZED.value]
    return {
        label: {"n": int((said == value).sum()), "edge_accuracy": float(correct[said == value].mean()) if (said == value).any() else None}
        for label, value in zip(BUCKET_LABELS, BUCKETS, strict=True)
    }


def option_counts(table: Table, signal: str) -> dict[str, Any]:
    """By the number of offered options: the accuracy of chance and that of the edge."""
    found = {}
    for count in np.unique(table.options):
        correct = table.edge_correct[signal][table.options == count]
        found[str(int(count))] = {"n": len(correct), "chance": float(1 / count), "edge_accuracy": float(correct.mean())}
    return found


def expected_against_verbalized(table: Table, taus: st.Floats, *, resamples: int, seed: int) -> dict[str, Any]:
    """Accuracy of routing by `expected` less that of `verbalized` at tau, at the same cloud rate, all questions together.

    Args:
        table: every row has a cloud answer.
        taus: `[n]`, the threshold of each question.
        resamples: number of bootstrap resamples.
        seed: seed of the bootstrap.
    """
    verbalized, expected = Signal.VERBALIZED.value, Signal.EXPECTED.value
    routed = table.signal[verbalized] < taus
    rate = float(routed.mean())
    by_verbalized = np.where(routed, table.cloud_correct, table.edge_correct[verbalized])
    curve = st.routing_curve(table.signal[expected], table.edge_correct[expected], table.cloud_correct)
    point = st.accuracy_at(curve, rate) - float(by_verbalized.mean())
    # The same draws for both, so that the difference is paired; each resample has a cloud rate of its own.
    means = st.bootstrap_means(np.stack([routed, by_verbalized], axis=1).astype(float), resamples=resamples, seed=seed)
    by_expected = st.bootstrap_routing(
        table.signal[expected], table.edge_correct[expected], table.cloud_correct, means[:, :1], resamples=resamples, seed=seed
    )
    found = st.interval(by_expected[:, 0] - means[:, 1])
    return {
        "cloud_rate": rate,
        "difference": point,
        "difference_ci": st.as_list(found),
        "sentence": _compared(rate, point, found, len(table)),
    }


def _compared(rate: float, point: float, found: tuple[float, float] | None, n: int) -> str:
    if rate in {0.0, 1.0}:
        what = "nothing" if rate == 0 else "everything"
        return f"At tau the verbalized confidence sends {what} to the cloud (n = {n}): so there is no routing to compare with routing on the expected confidence."
    at = f"At a cloud rate of {100 * rate:.1f} % (n = {n})"
    if found is None:
        return (
            f"{at} routing by the expected confidence and by the verbalized one differ by {100 * point:+.1f} points; no "
            "interval can be computed from these questions."
        )
    low, high = found
    said = "beats" if low > 0 else "is worse than" if high < 0 else "cannot be told from"
    return (
        f"{at} routing by the expected confidence {said} routing by the verbalized one: "
        f"{100 * point:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]."
    )

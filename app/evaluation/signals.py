"""How good each signal is: does it order correct answers above wrong ones, is it calibrated, and what is gained by routing on it?"""

from typing import Any, TypedDict

import numpy as np

from app.core.buckets import BUCKET_LABELS, BUCKETS
from app.core.verdict import Signal
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


class Quality(TypedDict):
    """How good a signal is; `auroc` is None where all answers are correct or all are wrong, `auroc_ci` with fewer than two of a kind."""

    n: int
    auroc: float | None
    auroc_ci: tuple[float, float] | None
    ece: float
    brier: float


def quality_of(test: Table, *, resamples: int, seed: int) -> dict[str, Quality]:
    """How good each signal is on those questions that have it and had no part in choosing anything, by name; ECE over ten bins of equal width."""
    found: dict[str, Quality] = {}
    judging = test.rows(test.covered)
    for name in judging.signals:
        signal, correct = judging.signal[name], judging.edge_correct[name]
        drawn = st.bootstrap_auroc(signal, correct, resamples=resamples, seed=seed)
        found[name] = {
            "n": len(judging),
            "auroc": st.auroc(signal, correct),
            "auroc_ci": st.auroc_interval(correct, drawn),
            "ece": st.ece_fixed(signal, correct),
            "brier": st.brier(signal, correct),
        }
    return found


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
    """How often each verbalized confidence occurs, and the accuracy of its answers; None where it does not occur.

    Empty where the edge gives no confidence.
    """
    if Signal.VERBALIZED.value not in table.signal:
        return {}
    # What the model says, also where no threshold is for the question.
    said, correct = np.array([record["confidence"] for record in table.records]), table.edge_correct[Signal.VERBALIZED.value]
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


def other_signals(table: Table, signal: Signal, taus: st.Floats, *, resamples: int, seed: int) -> dict[str, dict[str, Any]]:
    """Accuracy of routing by each other signal minus that of routing by `signal` at tau, at the same cloud rate, all questions together.

    Args:
        table: every row has a cloud answer.
        signal: the signal that routes.
        taus: `[n]`, the threshold of each question.
        resamples: number of bootstrap resamples.
        seed: seed of the bootstrap.

    Returns:
        By name of the other signal: `cloud_rate`, `difference`, `difference_ci`, and a `sentence` for people.
    """
    routed = table.signal[signal.value] < taus
    rate = float(routed.mean())
    system = np.where(routed, table.cloud_correct, table.edge_correct[signal.value])
    means = st.bootstrap_means(np.stack([routed, system], axis=1).astype(float), resamples=resamples, seed=seed)
    found = {}
    for name in table.signals:
        if name == signal.value:
            continue
        values, correct = table.signal[name], table.edge_correct[name]
        point = st.accuracy_at(st.routing_curve(values, correct, table.cloud_correct), rate) - float(system.mean())
        # The same draws for both, so that the difference is paired; each resample has its own cloud rate.
        drawn = st.bootstrap_routing(values, correct, table.cloud_correct, means[:, :1], resamples=resamples, seed=seed)
        interval = st.interval(drawn[:, 0] - means[:, 1])
        found[name] = {
            "cloud_rate": rate,
            "difference": point,
            "difference_ci": st.as_list(interval),
            "sentence": f"{_at(rate, len(table))}{_compared(Signal(name), signal, rate, point, interval)}",
        }
    return found


def _at(rate: float, n: int) -> str:
    return f"At a cloud rate of {100 * rate:.1f} % (n = {n}) "


def _compared(other: Signal, signal: Signal, rate: float, point: float, interval: tuple[float, float] | None) -> str:
    if rate in {0.0, 1.0}:
        what = "everything" if rate else "nothing"
        return f"there is no routing to compare with routing by the {other.words}: at tau the {signal.words} sends {what} to the cloud."
    if interval is None:
        return (
            f"routing by the {other.words} and by the {signal.words} differ by {100 * point:+.1f} points; no interval can be computed from "
            "these questions."
        )
    low, high = interval
    said = "beats" if low > 0 else "is worse than" if high < 0 else "cannot be told from"
    return f"routing by the {other.words} {said} routing by the {signal.words}: {100 * point:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]."

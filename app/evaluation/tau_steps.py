"""What each of a few thresholds buys, one line each: the share that it keeps, how many of those are correct, and the system's accuracy."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.core.verdict import Signal
from app.evaluation import statistics as st
from app.evaluation.cells import share
from app.evaluation.risk import share_interval
from app.evaluation.table import Table

# Thresholds that people try first. At 0 every answer with a signal is kept.
TAUS = tuple(step / 10 for step in range(1, 11))


def tau_steps(table: Table, signal: Signal, taus: Sequence[float] = TAUS) -> list[dict[str, Any]]:
    """The numbers of each threshold, ascending; every question with the same one.

    Args:
        table: questions with an edge answer; those with a cloud answer too give the accuracy of the system.
        signal: the number that is compared with the thresholds.
        taus: thresholds.

    Returns:
        One entry for each threshold: `tau`, `n`, `kept` (how many reach tau), `kept_share`, `kept_share_ci`, `kept_correct` (the share of
        correct answers among those kept; None where none is kept), `kept_correct_ci`, and a `sentence`. Where some questions have a cloud
        answer also `n_cloud`, `system` and `system_ci`. Intervals are exact, 95 % (Clopper and Pearson 1934).
    """
    values, correct = table.signal[signal.value], table.edge_correct[signal.value]
    return [_step(table, values >= tau, correct, tau) for tau in sorted(taus)]


def _step(table: Table, kept: st.Flags, correct: st.Flags, tau: float) -> dict[str, Any]:
    n, n_kept, n_correct = len(table), int(kept.sum()), int((kept & correct).sum())
    step: dict[str, Any] = {
        "tau": float(tau),
        "n": n,
        "kept": n_kept,
        "kept_share": n_kept / n,
        "kept_share_ci": st.as_list(share_interval(n_kept, n)),
        "kept_correct": n_correct / n_kept if n_kept else None,
        "kept_correct_ci": st.as_list(share_interval(n_correct, n_kept)),
    }
    known = table.cloud_known
    if known.any():
        right = int(np.where(kept, correct, table.cloud == 1)[known].sum())
        n_cloud = int(known.sum())
        step |= {"n_cloud": n_cloud, "system": right / n_cloud, "system_ci": st.as_list(share_interval(right, n_cloud))}
    return {**step, "sentence": sentence(step)}


def sentence(step: Mapping[str, Any]) -> str:
    """One line about a threshold, as in `tau 0.4: keeps 61.0 % [55.2, 66.6], of which 78.1 % [71.4, 83.9] are correct`."""
    tau = f"tau {step['tau']:.4g}"
    if not step["kept"]:
        said = f"{tau}: keeps nothing"
    else:
        kept = _percent(step["kept_share"], step["kept_share_ci"])
        said = f"{tau}: keeps {kept}, of which {_percent(step['kept_correct'], step['kept_correct_ci'])} are correct"
    return said + (f"; system accuracy {_percent(step['system'], step['system_ci'])}" if "system" in step else "")


def about_steps(n: int, n_cloud: int, signal: Signal) -> str:
    """The sentence above the lines.

    Args:
        n: number of questions with an edge answer.
        n_cloud: number of those with a cloud answer.
        signal: the number that is compared with the thresholds.
    """
    if not n_cloud:
        system = ""
    elif n_cloud < n:
        system = f"; the system is measured on the {n_cloud} of them with a cloud answer"
    else:
        system = "; the system sends the others to the cloud"
    return f"Thresholds of the {signal.words}, the same one for every question (n = {n}{system}; exact 95 % intervals):"


def _percent(value: float, ci: Sequence[float] | None) -> str:
    """A share with its sign and its interval, if it has one."""
    shown = share(value, ci)
    number, space, interval = shown.partition(" ")
    return f"{number} %{space}{interval}"

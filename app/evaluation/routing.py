"""One line of the report's tables: what the edge achieves alone, and what routing gains. Rates and accuracies are fractions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.evaluation import statistics as st
from app.evaluation.risk import share_interval
from app.evaluation.table import Table

Row = dict[str, Any]


def edge_row(table: Table, routed: st.Flags, signal: str) -> Row:
    """The edge alone, on all questions and on those that it keeps; intervals are exact. Needs no cloud answer."""
    correct, kept = table.edge_correct[signal], ~routed
    n, n_correct, n_kept, n_wrong = len(table), int(correct.sum()), int(kept.sum()), int((kept & ~correct).sum())
    return {
        "n": n,
        "accuracy": n_correct / n,
        "accuracy_ci": st.as_list(share_interval(n_correct, n)),
        "kept": n_kept,
        "kept_share": n_kept / n,
        "edge_error": n_wrong / n_kept if n_kept else None,
        "edge_error_ci": st.as_list(share_interval(n_wrong, n_kept)),
        "chance": chance(table),
    }


def routing_row(edge_correct: st.Flags, cloud_correct: st.Flags, routed: st.Flags, *, resamples: int, seed: int) -> tuple[Row, st.Floats]:
    """What routing some questions gains, with intervals; and the bootstrap's (cloud, edge, system, cloud_rate), `[resamples, 4]`."""
    system = np.where(routed, cloud_correct, edge_correct)
    columns = np.stack([cloud_correct, edge_correct, system, routed], axis=1).astype(np.float64)
    drawn = st.bootstrap_means(columns, resamples=resamples, seed=seed)
    return {"n": len(columns), **_numbers(columns.mean(axis=0)), **_intervals(drawn)}, drawn


def unrouted_row(edge_correct: st.Flags, routed: st.Flags, *, resamples: int, seed: int) -> Row:
    """The part of `routing_row` that does not need the cloud's answers."""
    columns = np.stack([edge_correct, routed], axis=1).astype(np.float64)
    drawn = st.bootstrap_means(columns, resamples=resamples, seed=seed)
    names = ("edge_only", "cloud_rate")
    point = {name: float(value) for name, value in zip(names, columns.mean(axis=0), strict=True)}
    return {"n": len(columns), **point, **{f"{name}_ci": st.as_list(st.interval(drawn[:, at])) for at, name in enumerate(names)}}


def macro_row(domains: Mapping[str, Row], drawn: Sequence[st.Floats]) -> Row:
    """The plain mean over domains, each column by itself, the baseline per domain.

    Args:
        domains: rows of `routing_row`, or of `unrouted_row`, by domain.
        drawn: the bootstrap of each domain; empty without the cloud's answers.
    """
    names = ("cloud_only", "edge_only", "system", "cloud_rate", "random", "lift") if drawn else ("edge_only", "cloud_rate")
    point = {name: float(np.mean([row[name] for row in domains.values()])) for name in names}
    mean = {"n": sum(row["n"] for row in domains.values()), **point}
    if not drawn:
        return mean
    gap = point["cloud_only"] - point["edge_only"]
    # The spread of a domain with one question is unknown, and so is that of the mean.
    known = min(row["n"] for row in domains.values()) > 1
    lifts = np.mean([lift_of(means) for means in drawn], axis=0)
    systems = np.mean([means[:, 2] for means in drawn], axis=0)
    return mean | {
        "gap_recovered": (point["system"] - point["edge_only"]) / gap if gap > 0 else None,
        "system_ci": st.as_list(st.interval(systems)) if known else None,
        "lift_ci": st.as_list(st.interval(lifts)) if known else None,
    }


def lift_of(drawn: st.Floats) -> st.Floats:
    """Lift over random of each resample's (cloud, edge, system, cloud_rate)."""
    cloud, edge, system, rate = drawn.T
    return np.asarray(system - (rate * cloud + (1 - rate) * edge), dtype=np.float64)


def chance(table: Table) -> float:
    """Accuracy of answering at random."""
    return float(np.mean(1 / table.options))


def _numbers(point: st.Floats) -> Row:
    cloud, edge, system, rate = (float(value) for value in point)
    at_random = st.random_baseline(rate, cloud, edge)
    return {
        "cloud_only": cloud,
        "edge_only": edge,
        "random": at_random,
        "system": system,
        "cloud_rate": rate,
        "lift": system - at_random,
        "gap_recovered": (system - edge) / (cloud - edge) if cloud > edge else None,
    }


def _intervals(drawn: st.Floats) -> Row:
    names = ("cloud_only", "edge_only", "system", "cloud_rate")
    found: Row = {f"{name}_ci": st.as_list(st.interval(drawn[:, index])) for index, name in enumerate(names)}
    return found | {"lift_ci": st.as_list(st.interval(lift_of(drawn)))}

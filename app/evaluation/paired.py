"""Differences between two reports on the questions that both hold: a paired bootstrap over their outcomes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.evaluation import statistics as st
from app.evaluation.routing import lift_of
from app.evaluation.table import NO_SIGNAL

# A line of `outcomes.jsonl`.
Outcome = Mapping[str, Any]


def paired(
    first: Mapping[Any, Outcome], other: Mapping[Any, Outcome], *, cloud_rate: float, resamples: int, seed: int
) -> dict[str, Any] | None:
    """Differences other - first over the questions that both sides hold.

    Args:
        first: the outcomes of one report, by id and fingerprint of the question.
        other: the outcomes of another report.
        cloud_rate: cloud rate at which the signals' lifts over random are compared.
        resamples: number of bootstrap resamples.
        seed: seed of the bootstrap.

    Returns:
        None where the two have no question in common.
    """
    common = [key for key in first if key in other]
    if not common:
        return None
    # Without the cloud's answers on both sides only the edges can be compared.
    whole = [key for key in common if first[key]["cloud_correct"] is not None and other[key]["cloud_correct"] is not None]
    every, complete = ([[side[key] for key in keys] for side in (first, other)] for keys in (common, whole))
    # Outcomes of older versions do not hold the signal; one of None is of a question that no threshold is for.
    known = all("signal" in row for side in every for row in side)
    given = [key for key in common if known and first[key]["signal"] is not None and other[key]["signal"] is not None]
    judging = [[side[key] for key in given] for side in (first, other)]
    return {
        "n": len(common),
        "n_cloud": len(whole),
        **_differences(every, _edge, ("edge",), resamples, seed),
        **(_differences(complete, _system, ("system", "lift"), resamples, seed) if whole else {}),
        "signals": _signals(judging, complete, cloud_rate, resamples, seed) if known else None,
    }


def _differences(
    sides: Sequence[Sequence[Outcome]],
    measure: Callable[[st.Floats], tuple[st.Floats, ...]],
    names: tuple[str, ...],
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Other - first, with intervals, of what `measure` makes of means of (cloud, edge, system, routed), `[m, 4]`."""
    columns = np.concatenate([_columns(side) for side in sides], axis=1)
    drawn = st.bootstrap_means(columns, resamples=resamples, seed=seed)
    found: dict[str, Any] = {}
    for at, name in enumerate(names):
        point, spread = (measure(means[:, 4:])[at] - measure(means[:, :4])[at] for means in (columns.mean(axis=0)[None], drawn))
        found |= {name: float(point[0]), f"{name}_ci": st.as_list(st.interval(spread))}
    return found


def _edge(means: st.Floats) -> tuple[st.Floats, ...]:
    return (means[:, 1],)


def _system(means: st.Floats) -> tuple[st.Floats, ...]:
    return means[:, 2], lift_of(means)


def _signals(
    judging: Sequence[Sequence[Outcome]], complete: Sequence[Sequence[Outcome]], cloud_rate: float, resamples: int, seed: int
) -> dict[str, Any]:
    """AUROC on the questions with a signal and, with the cloud's answers, the lift at a cloud rate, of both sides and other - first.

    At a cloud rate, questions without a signal are the first to go to the cloud, as they do in a gateway.
    The same seed draws the same questions for both. Where an AUROC is not defined, it and the difference are None.
    """
    found = {"auroc": [_auroc(rows, resamples, seed) for rows in judging]} if judging[0] else {}
    if complete[0]:
        found["lift_at_rate"] = [_lift(rows, cloud_rate, resamples, seed) for rows in complete]
    return {"n": len(judging[0]), **{name: _side_by_side(*measured) for name, measured in found.items()}}


@dataclass(frozen=True, slots=True)
class _Measured:
    """A number, its bootstrap, and whether that gives an interval."""

    point: float | None
    drawn: st.Floats
    has_interval: bool = True

    @property
    def ci(self) -> list[float] | None:
        return st.as_list(st.interval(self.drawn)) if self.has_interval else None


def _side_by_side(first: _Measured, other: _Measured) -> dict[str, Any]:
    defined = first.point is not None and other.point is not None
    difference = _Measured(
        (other.point or 0) - (first.point or 0) if defined else None,
        other.drawn - first.drawn,
        first.has_interval and other.has_interval,
    )
    named = (("first", first), ("other", other), ("difference", difference))
    return {key: value for name, side in named for key, value in ((name, side.point), (f"{name}_ci", side.ci))}


def _auroc(rows: Sequence[Outcome], resamples: int, seed: int) -> _Measured:
    signal, edge = _signal(rows), _flags(rows, "edge_correct")
    drawn = st.bootstrap_auroc(signal, edge, resamples=resamples, seed=seed)
    return _Measured(st.auroc(signal, edge), drawn, min(int(edge.sum()), int((~edge).sum())) > 1)


def _lift(rows: Sequence[Outcome], cloud_rate: float, resamples: int, seed: int) -> _Measured:
    signal, edge, cloud = _signal(rows), _flags(rows, "edge_correct"), _flags(rows, "cloud_correct")
    at_random = st.random_baseline(cloud_rate, float(cloud.mean()), float(edge.mean()))
    point = st.accuracy_at(st.routing_curve(signal, edge, cloud), cloud_rate) - at_random
    routed = st.bootstrap_routing(signal, edge, cloud, np.array([cloud_rate]), resamples=resamples, seed=seed)[:, 0]
    means = st.bootstrap_means(np.stack([cloud, edge], axis=1).astype(np.float64), resamples=resamples, seed=seed)
    return _Measured(point, routed - cloud_rate * means[:, 0] - (1 - cloud_rate) * means[:, 1], len(rows) > 1)


def _columns(rows: Sequence[Outcome]) -> st.Floats:
    """(cloud, edge, system, routed) as `lift_of` takes them; an unknown cloud answer counts as wrong, and is not used."""
    cloud, edge, routed = (_flags(rows, key) for key in ("cloud_correct", "edge_correct", "routed"))
    return np.stack([cloud, edge, np.where(routed, cloud, edge), routed], axis=1).astype(np.float64)


def _flags(rows: Sequence[Outcome], key: str) -> st.Flags:
    return np.array([row[key] for row in rows], dtype=np.bool_)


def _signal(rows: Sequence[Outcome]) -> st.Floats:
    return np.array([NO_SIGNAL if row["signal"] is None else row["signal"] for row in rows], dtype=np.float64)

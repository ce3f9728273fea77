"""Reports side by side, as the reference compares its checkpoints; paired intervals where the questions are the same."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.core.errors import ConfigError
from app.data.files import read_text
from app.evaluation import statistics as st
from app.evaluation.routing import lift_of

OUTCOMES = "outcomes.jsonl"
_Line = Mapping[str, Any]
_MEANS = ("edge_only", "cloud_only", "random", "system", "cloud_rate", "lift", "lift_ci")
_NEEDED = ("tau", "signal", "edge_model", "mean", "micro_mean")
_NEEDED_OF_A_LINE = ("edge_correct", "cloud_correct", "routed")


def compare(paths: Sequence[Path], *, cloud_rate: float = 0.4, resamples: int = 2000, seed: int = 0) -> dict[str, Any]:
    """Two or more `report.json`, the first one being what the others are compared with.

    Args:
        paths: of the reports.
        cloud_rate: at which both signals' lifts over random are compared, whatever the reports' own tau sends.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Differences are other - first over the questions that both hold (same id, same fingerprint), all domains together,
    with 95 % intervals of a paired bootstrap. They need `outcomes.jsonl` beside the reports, as `eval report` writes it.

    Raises:
        ConfigError: fewer than two, or a file that is no report.
    """
    if len(paths) < 2:  # noqa: PLR2004  # a comparison
        raise ConfigError("compare needs at least two reports")
    reports = [_read(path) for path in paths]
    lines = [_outcomes(path) for path in paths]
    rows = [
        {
            "report": str(path),
            "edge_model": report["edge_model"],
            "edge_parameters": report.get("edge_parameters"),
            "tau": report["tau"],
            "signal": report["signal"],
            "n": report["mean"]["n"],
            # What needs the cloud is absent from a report of records without one.
            **{key: report["mean"][key] for key in _MEANS if key in report["mean"]},
        }
        for path, report in zip(paths, reports, strict=True)
    ]
    for row, other in zip(rows[1:], lines[1:], strict=True):
        row["against_first"] = _paired(lines[0], other, cloud_rate, resamples, seed)
    return {"reports": rows, "cloud_rate": cloud_rate, "resamples": resamples, "seed": seed}


def _read(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(read_text(path))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{path} is not JSON") from None
    if not isinstance(report, dict) or any(key not in report for key in _NEEDED):
        raise ConfigError(f"{path} is not a report of 'foggate eval report'")
    return report


def _outcomes(path: Path) -> dict[tuple[str, str | None], dict[str, Any]]:
    """By (id, fingerprint); empty where the file is not there."""
    beside = path.with_name(OUTCOMES)
    if not beside.exists():
        return {}
    try:
        rows = [json.loads(line) for line in read_text(beside).split("\n") if line.strip()]
        found = {(row["id"], row["fingerprint"]): row for row in rows}
        whole = all(key in row for row in rows for key in _NEEDED_OF_A_LINE)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise ConfigError(f"{beside} is damaged; make the report again") from None
    if not whole:
        raise ConfigError(f"{beside} is damaged; make the report again")
    return found


def _paired(first: Mapping[Any, _Line], other: Mapping[Any, _Line], cloud_rate: float, resamples: int, seed: int) -> dict[str, Any] | None:
    common = [key for key in first if key in other]
    if not common:
        return None
    # Without the cloud's answers on both sides there is the edge to compare, and nothing else.
    whole = [key for key in common if first[key]["cloud_correct"] is not None and other[key]["cloud_correct"] is not None]
    every, complete = ([[side[key] for key in keys] for side in (first, other)] for keys in (common, whole))
    # Reports of older versions do not hold the signal.
    known = all("signal" in row for side in every for row in side)
    return {
        "n": len(common),
        "n_cloud": len(whole),
        **_differences(every, _edge, ("edge",), resamples, seed),
        **(_differences(complete, _system, ("system", "lift"), resamples, seed) if whole else {}),
        "signals": _signals(every, complete, cloud_rate, resamples, seed) if known else None,
    }


def _differences(
    sides: Sequence[Sequence[_Line]],
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
        found |= {name: float(point[0]), f"{name}_ci": _listed(st.interval(spread))}
    return found


def _edge(means: st.Floats) -> tuple[st.Floats, ...]:
    return (means[:, 1],)


def _system(means: st.Floats) -> tuple[st.Floats, ...]:
    return means[:, 2], lift_of(means)


def _signals(
    every: Sequence[Sequence[_Line]], complete: Sequence[Sequence[_Line]], cloud_rate: float, resamples: int, seed: int
) -> dict[str, Any]:
    """AUROC and, with the cloud's answers, the lift at a cloud rate, of both sides and other - first.

    The same seed draws the same questions for both. Where an AUROC is not defined, it and the difference are None.
    """
    found = {"auroc": [_auroc(rows, resamples, seed) for rows in every]}
    if complete[0]:
        found["lift_at_rate"] = [_lift(rows, cloud_rate, resamples, seed) for rows in complete]
    return {name: _side_by_side(*measured) for name, measured in found.items()}


@dataclass(frozen=True, slots=True)
class _Measured:
    """A number, its bootstrap, and whether that gives an interval."""

    point: float | None
    drawn: st.Floats
    has_interval: bool = True

    @property
    def ci(self) -> list[float] | None:
        return _listed(st.interval(self.drawn)) if self.has_interval else None


def _side_by_side(first: _Measured, other: _Measured) -> dict[str, Any]:
    defined = first.point is not None and other.point is not None
    difference = _Measured(
        (other.point or 0) - (first.point or 0) if defined else None,
        other.drawn - first.drawn,
        first.has_interval and other.has_interval,
    )
    named = (("first", first), ("other", other), ("difference", difference))
    return {key: value for name, side in named for key, value in ((name, side.point), (f"{name}_ci", side.ci))}


def _auroc(rows: Sequence[_Line], resamples: int, seed: int) -> _Measured:
    signal, edge = _flags(rows, "signal", np.float64), _flags(rows, "edge_correct")
    drawn = st.bootstrap_auroc(signal, edge, resamples=resamples, seed=seed)
    return _Measured(st.auroc(signal, edge), drawn, min(int(edge.sum()), int((~edge).sum())) > 1)


def _lift(rows: Sequence[_Line], cloud_rate: float, resamples: int, seed: int) -> _Measured:
    signal, edge, cloud = _flags(rows, "signal", np.float64), _flags(rows, "edge_correct"), _flags(rows, "cloud_correct")
    at_random = st.random_baseline(cloud_rate, float(cloud.mean()), float(edge.mean()))
    point = st.accuracy_at(st.routing_curve(signal, edge, cloud), cloud_rate) - at_random
    routed = st.bootstrap_routing(signal, edge, cloud, np.array([cloud_rate]), resamples=resamples, seed=seed)[:, 0]
    means = st.bootstrap_means(np.stack([cloud, edge], axis=1).astype(np.float64), resamples=resamples, seed=seed)
    return _Measured(point, routed - cloud_rate * means[:, 0] - (1 - cloud_rate) * means[:, 1], len(rows) > 1)


def _columns(rows: Sequence[_Line]) -> st.Floats:
    """(cloud, edge, system, routed) as `lift_of` takes them; the cloud counts as wrong where it is not known, and nobody looks at it."""
    cloud, edge, routed = (_flags(rows, key) for key in ("cloud_correct", "edge_correct", "routed"))
    return np.stack([cloud, edge, np.where(routed, cloud, edge), routed], axis=1).astype(np.float64)


def _flags(rows: Sequence[_Line], key: str, kind: type = np.bool_) -> np.ndarray:
    return np.array([row[key] for row in rows], dtype=kind)


def _listed(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else list(interval)

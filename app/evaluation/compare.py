"""Reports side by side, as the reference compares its checkpoints; paired intervals where the questions are the same."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import ConfigError
from app.evaluation import statistics as st
from app.evaluation.markdown import number, percent, signed, table
from app.evaluation.report import lift_of
from app.files import read_text

OUTCOMES = "outcomes.jsonl"
_NEEDED = ("tau", "signal", "edge_model", "mean", "micro_mean")


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
            **{key: report["mean"][key] for key in ("edge_only", "cloud_only", "random", "system", "cloud_rate", "lift", "lift_ci")},
        }
        for path, report in zip(paths, reports, strict=True)
    ]
    for row, other in zip(rows[1:], lines[1:], strict=True):
        row["against_first"] = _paired(lines[0], other, cloud_rate, resamples, seed)
    return {"reports": rows, "cloud_rate": cloud_rate, "resamples": resamples, "seed": seed}


def render_comparison(compared: Mapping[str, Any]) -> str:
    """The comparison as Markdown."""
    rows = compared["reports"]
    head = ("", "edge model", "parameters", "tau", "n", "edge right", "system right", "cloud routed", "lift over random")
    listed = [
        [
            f"({number})",
            row["edge_model"],
            f"{row['edge_parameters'] / 1e6:.0f} M" if row["edge_parameters"] else "–",
            f"{row['tau']:.3g} {row['signal']}",
            str(row["n"]),
            *(percent(row[key]) for key in ("edge_only", "system", "cloud_rate")),
            signed(row["lift"], row["lift_ci"]),
        ]
        for number, row in enumerate(rows, start=1)
    ]
    parts = ["# Comparison", "Means over domains; percent; intervals: 95 %, paired bootstrap.", table(head, listed)]
    pairs = [(number, row["against_first"]) for number, row in enumerate(rows[1:], start=2)]
    known = [(number, pair) for number, pair in pairs if pair]
    if known:
        keys = ("edge", "system", "lift")
        cells = [[f"({number}) - (1)", str(pair["n"]), *(signed(pair[key], pair[f"{key}_ci"]) for key in keys)] for number, pair in known]
        parts += [
            "Differences on the questions that both reports hold, all domains together:",
            table(("", "n", "edge right", "system right", "lift over random"), cells),
        ]
    signals = [(number, pair["signals"]) for number, pair in known if pair["signals"]]
    if signals:
        columns = ("", "AUROC (1)", "AUROC other", "difference", "lift (1)", "lift other", "difference")
        cells = [[f"({number}) - (1)", *_cells(pair)] for number, pair in signals]
        parts += [
            f"The signals there, and their lift over random at a cloud rate of {100 * compared['cloud_rate']:g} %:",
            table(columns, cells),
        ]
    parts += [f"({number}) and (1) have no questions in common: nothing there is paired." for number, pair in pairs if not pair]
    return "\n\n".join(parts) + "\n"


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
        return {(row["id"], row["fingerprint"]): row for row in rows}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise ConfigError(f"{beside} is damaged; make the report again") from None


def _paired(
    first: Mapping[Any, Mapping[str, Any]], other: Mapping[Any, Mapping[str, Any]], cloud_rate: float, resamples: int, seed: int
) -> dict[str, Any] | None:
    common = [key for key in first if key in other]
    if not common:
        return None
    columns = np.concatenate([_columns([side[key] for key in common]) for side in (first, other)], axis=1)
    drawn = st.bootstrap_means(columns, resamples=resamples, seed=seed)
    point, spread = _differences(columns.mean(axis=0)[None]), _differences(drawn)
    sides = [[side[key] for key in common] for side in (first, other)]
    # Reports of older versions do not hold the signal.
    known = all("signal" in row for side in sides for row in side)
    return {
        "n": len(common),
        "signals": _signals(sides, cloud_rate, resamples, seed) if known else None,
        **{key: float(values[0]) for key, values in point.items()},
        **{f"{key}_ci": list(st.interval(values)) for key, values in spread.items()},
    }


def _signals(sides: Sequence[Sequence[Mapping[str, Any]]], cloud_rate: float, resamples: int, seed: int) -> dict[str, Any]:
    """AUROC and the lift at a cloud rate, of both sides and other - first; the same seed draws the same questions for both."""
    points: dict[str, list[float]] = {"auroc": [], "lift_at_rate": []}
    drawn: dict[str, list[st.Floats]] = {"auroc": [], "lift_at_rate": []}
    for rows in sides:
        signal = np.array([row["signal"] for row in rows], dtype=np.float64)
        edge, cloud = (np.array([row[key] for row in rows], dtype=bool) for key in ("edge_right", "cloud_right"))
        points["auroc"].append(st.auroc(signal, edge) or 0.5)
        drawn["auroc"].append(st.bootstrap_auroc(signal, edge, resamples=resamples, seed=seed))
        by_lot = st.random_baseline(cloud_rate, float(cloud.mean()), float(edge.mean()))
        points["lift_at_rate"].append(st.accuracy_at(st.routing_curve(signal, edge, cloud), cloud_rate) - by_lot)
        routed = st.bootstrap_routing(signal, edge, cloud, np.array([cloud_rate]), resamples=resamples, seed=seed)[:, 0]
        means = st.bootstrap_means(np.stack([cloud, edge], axis=1).astype(np.float64), resamples=resamples, seed=seed)
        drawn["lift_at_rate"].append(routed - cloud_rate * means[:, 0] - (1 - cloud_rate) * means[:, 1])
    return {
        name: {
            "first": points[name][0],
            "first_ci": list(st.interval(drawn[name][0])),
            "other": points[name][1],
            "other_ci": list(st.interval(drawn[name][1])),
            "difference": points[name][1] - points[name][0],
            "difference_ci": list(st.interval(drawn[name][1] - drawn[name][0])),
        }
        for name in points
    }


def _cells(pair: Mapping[str, Any]) -> list[str]:
    """One row of the signals' table; AUROC as such, lifts in points."""
    shown = (("auroc", number), ("lift_at_rate", signed))
    return [show(pair[name][side], pair[name][f"{side}_ci"]) for name, show in shown for side in ("first", "other", "difference")]


def _differences(means: st.Floats) -> dict[str, st.Floats]:
    """Other - first, from rows of both sides' (cloud, edge, system, routed)."""
    a, b = means[:, :4], means[:, 4:]
    return {"edge": b[:, 1] - a[:, 1], "system": b[:, 2] - a[:, 2], "lift": lift_of(b) - lift_of(a)}


def _columns(rows: Sequence[Mapping[str, Any]]) -> st.Floats:
    """(cloud, edge, system, routed) as `lift_of` takes them."""
    cloud, edge, routed = (np.array([row[key] for row in rows], dtype=bool) for key in ("cloud_right", "edge_right", "routed"))
    return np.stack([cloud, edge, np.where(routed, cloud, edge), routed], axis=1).astype(np.float64)

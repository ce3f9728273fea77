"""A comparison of reports as Markdown."""

from collections.abc import Mapping
from typing import Any

from app.evaluation.cells import NONE, number, percent, signed, table


def render_comparison(compared: Mapping[str, Any]) -> str:
    """The comparison as Markdown."""
    rows = compared["reports"]
    head = (
        "",
        "edge model",
        "parameters",
        "tau",
        "n",
        "edge accuracy (%)",
        "system accuracy (%)",
        "cloud routed (%)",
        "lift over random (points)",
    )
    listed = [
        [
            f"({place})",
            row["edge_model"],
            f"{row['edge_parameters'] / 1e6:.0f} M" if row["edge_parameters"] else "–",
            f"{row['tau']:.3g} {row['signal']}",
            str(row["n"]),
            *(percent(row.get(key)) for key in ("edge_only", "system", "cloud_rate")),
            signed(row.get("lift"), row.get("lift_ci")),
        ]
        for place, row in enumerate(rows, start=1)
    ]
    about = (
        f"Means over domains; intervals: 95 %, paired bootstrap, {compared['resamples']} resamples, seed {compared['seed']}. {NONE} where a report "
        "has no cloud answers. No interval is given for a single question, or where the difference is the same on all questions."
    )
    parts = ["# Comparison", about, table(head, listed)]
    pairs = [(place, row["against_first"]) for place, row in enumerate(rows[1:], start=2)]
    known = [(place, pair) for place, pair in pairs if pair]
    if known:
        cells = [[f"({place}) - (1)", *_differences_cells(pair)] for place, pair in known]
        parts += [
            "Differences in points on the questions that both reports hold, all domains together:",
            table(("", "n", "edge accuracy", "n with cloud", "system accuracy", "lift over random"), cells),
        ]
    signals = [(place, pair["signals"]) for place, pair in known if pair["signals"]]
    if signals:
        columns = ("", "n", "AUROC (1)", "AUROC other", "difference", "lift (1)", "lift other", "difference")
        cells = [[f"({place}) - (1)", str(pair["n"]), *_cells(pair)] for place, pair in signals]
        about_signals = (
            "AUROC of the signals on those of these questions that have both signals (n), and their lift over random (points) on all of these "
            f"questions, at a cloud rate of {100 * compared['cloud_rate']:g} %:"
        )
        parts += [
            about_signals,
            table(columns, cells),
        ]
    parts += [
        f"({place}) and (1) have no questions in common, so they are not compared question by question."
        for place, pair in pairs
        if not pair
    ]
    return "\n\n".join(parts) + "\n"


def _differences_cells(pair: Mapping[str, Any]) -> list[str]:
    edge, system, lift = (signed(pair.get(key), pair.get(f"{key}_ci")) for key in ("edge", "system", "lift"))
    return [str(pair["n"]), edge, str(pair["n_cloud"]), system, lift]


def _cells(pair: Mapping[str, Any]) -> list[str]:
    """One row of the signals' table: AUROC as a fraction, lifts in points."""
    shown = (("auroc", number), ("lift_at_rate", signed))
    empty: dict[str, Any] = {}
    return [
        show(pair.get(name, empty).get(side), pair.get(name, empty).get(f"{side}_ci"))
        for name, show in shown
        for side in ("first", "other", "difference")
    ]

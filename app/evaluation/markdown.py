"""`report.json` → `report.md`: the tables for people, the published numbers of the reference beside them."""

from collections.abc import Mapping
from typing import Any

# Gemma-3-1B, R14, tau = 0.5, as published (percent): cloud only, edge only, random, system, cloud rate. No intervals are published.
PUBLISHED_GEMMA = {
    "finance": (69.5, 45.4, 53.3, 60.0, 32.8),
    "science": (72.7, 36.0, 59.1, 66.9, 62.9),
    "coding": (74.2, 49.6, 55.4, 60.6, 23.6),
    "law": (70.7, 45.4, 52.9, 60.0, 29.8),
    "math": (60.1, 29.3, 48.9, 51.6, 63.6),
    "kazakh": (95.8, 76.3, 79.4, 84.0, 16.0),
    "medical": (74.0, 39.3, 56.0, 63.1, 48.2),
    "mean": (73.9, 45.9, 57.9, 63.7, 39.5),
}
PUBLISHED_QWEN = "Published means of Qwen3-0.6B, R14 (no numbers per domain): edge 59.6, system 67.8, routed 21.9, lift +4.6."
_COLUMNS = ("cloud_only", "edge_only", "random", "system", "cloud_rate")


def render(report: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    title = f"# {report['edge_model']} with {', '.join(report['cloud_model'])}"
    about = (
        f"tau = {report['tau']:g} on the {report['signal']} confidence, n = {report['n']}"
        + (f" ({report['left_out']} records without both answers left out)" if report["left_out"] else "")
        + f". Percent; intervals: 95 %, paired bootstrap within domains, {report['resamples']} resamples, seed {report['seed']}."
    )
    rows = [*report["domains"].items(), ("mean (macro)", report["mean"]), ("mean (micro)", report["micro_mean"])]
    parts = [
        title,
        about,
        f"**{report['verdict']}**",
        "## What routing buys",
        _table(
            ("domain", "n", "cloud only", "edge only", "random", "system", "cloud routed", "lift over random", "gap recovered", "chance"),
            [_row(name, row) for name, row in rows],
        ),
        "## How good the signals are",
        _table(
            ("signal", "edge right", "mean", "AUROC", "ECE (10 bins)", "ECE (equal mass)", "Brier", "AURC", "APGR", "APGR of the oracle"),
            [_signal(name, row) for name, row in report["signals"].items()],
        ),
        report["expected_vs_verbalized"]["sentence"],
        _table(
            ("confidence said", "n", "edge right"),
            [[label, str(row["n"]), _percent(row["edge_accuracy"])] for label, row in report["buckets"].items()],
        ),
        "## The reference, for comparison",
        "Published table of Gemma-3-1B, R14, at tau = 0.5 on its own 16,200 test questions; other questions than these.",
        _table(
            ("domain", "cloud only", "edge only", "random", "system", "cloud routed", "lift"),
            [[name, *(f"{value:.1f}" for value in row), f"{row[3] - row[2]:+.1f}"] for name, row in PUBLISHED_GEMMA.items()],
        ),
        PUBLISHED_QWEN,
    ]
    return "\n\n".join(parts) + "\n"


def _row(name: str, row: Mapping[str, Any]) -> list[str]:
    low, high = row["lift_ci"]
    chance = row.get("chance")
    return [
        name,
        str(row["n"]),
        *(_percent(row[column]) for column in _COLUMNS),
        f"{100 * row['lift']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]",
        _percent(row["gap_recovered"]),
        _percent(chance),
    ]


def _signal(name: str, row: Mapping[str, Any]) -> list[str]:
    plain = [_number(row[key]) for key in ("auroc", "ece_fixed", "ece_adaptive", "brier", "aurc", "apgr", "apgr_oracle")]
    return [name, _percent(row["edge_accuracy"]), _number(row["mean"]), *plain]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _table(head: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])

"""The report's pictures, PNG and SVG. Needs matplotlib (`pip install foggate[eval]`); nothing else of the report does.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart; lines differ in style as well. Every picture names
the edge, the cloud, the data and the number of questions.
"""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from app.core.buckets import BUCKET_LABELS
from app.core.verdict import Signal
from app.evaluation import statistics as st
from app.evaluation.canvas import Report, drawing, new_figure, paths, save, title
from app.evaluation.cells import spelt
from app.evaluation.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

_COLOURS = dict(zip([signal.value for signal in Signal], ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"), strict=True))
_STYLES = dict(zip(_COLOURS, ("-", "--", ":", (0, (5, 1, 1, 1)), (0, (3, 1, 1, 1, 1, 1))), strict=True))
# From dark to light, also in grey (viridis).
SHADES = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
_GREY, _DARK = "#8c8c8c", "#333333"
_BAND_RESAMPLES = 300
_RATES = np.linspace(0, 1, 101)
# Characters of a domain's name below its bars.
_NAME = 13
# Percentage points that an axis of accuracies shows at least.
_NEAREST = 12
# Domains in one picture; more would be too small to read, or take minutes to draw.
_MOST_DOMAINS = 24


def draw_all(table: Table, report: Report, out: Path) -> list[Path]:
    """Draw the pictures into a folder; those that need cloud answers or a confidence only where there are some.

    Args:
        table: every question with an edge answer.
        report: report on the same records.
        out: the folder; pictures of an earlier report that this one lacks are removed from it.

    Returns:
        The files.
    """
    pictures: dict[str, Callable[[], Figure] | None] = {
        "routing": (lambda: _routing(table.with_cloud(), report)) if report["n_cloud"] else None,
        "reliability": lambda: _reliability(table, report),
        "risk_coverage": lambda: _risk_coverage(table, report),
        "domains": lambda: _domains(report),
        "buckets": (lambda: _buckets(report)) if report["buckets"] else None,
    }
    files = []
    with drawing():
        for name, draw in pictures.items():
            if draw is not None:
                files += save(draw(), out / name)
            else:
                for path in paths(out / name):
                    path.unlink(missing_ok=True)
    return files


def _tau(report: Report) -> str:
    """The thresholds as a phrase."""
    if report.get("thresholds"):
        return f"the thresholds of each domain on the {Signal(report['signal']).words}"
    return f"tau = {report['tau']:.4g} on the {Signal(report['signal']).words}"


def _named(name: str, part: Table, whole: Table) -> str:
    """A signal in a legend, with the number of questions that judge it where these are not all."""
    return spelt(name) + _of(part, whole)


def _of(part: Table, whole: Table) -> str:
    return f", n = {len(part)}" if len(part) < len(whole) else ""


def _routing(both: Table, report: Report) -> Figure:
    figure, (ax,) = new_figure(8, 5.8)
    banded = False
    for name in both.signals:
        part = both.unseen(name)
        if not len(part):
            continue
        signal, correct, cloud_correct = part.signal[name], part.edge_correct[name], part.cloud_correct
        curve = st.routing_curve(signal, correct, cloud_correct)
        if len(part) > 1:
            drawn = st.bootstrap_routing(signal, correct, cloud_correct, _RATES, resamples=_BAND_RESAMPLES, seed=report["seed"])
            low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
            ax.fill_between(100 * _RATES, 100 * low, 100 * high, color=_COLOURS[name], alpha=0.10, linewidth=0)
            banded |= bool((high - low).any())
        ax.plot(
            100 * _RATES,
            [100 * st.accuracy_at(curve, rate) for rate in _RATES],
            linestyle=_STYLES[name],
            color=_COLOURS[name],
            label=_named(name, part, both),
        )
    correct = both.edge_correct[report["signal"]]
    oracle = st.oracle_curve(correct, both.cloud_correct)
    ax.plot(100 * _RATES, [100 * st.accuracy_at(oracle, rate) for rate in _RATES], color=_DARK, linewidth=1, label="oracle")
    ax.plot([0, 100], [100 * correct.mean(), 100 * both.cloud_correct.mean()], "-.", color=_GREY, label="random")
    point = report["micro_mean"]
    at = "system, thresholds of each domain" if report.get("thresholds") else f"system, tau = {report['tau']:.4g}"
    ax.plot(100 * point["cloud_rate"], 100 * point["system"], "o", color=_DARK, markersize=8, label=at, clip_on=False, zorder=5)
    ax.set(xlabel="questions sent to the cloud, lowest signal first (%)", ylabel="accuracy (%)", xlim=(0, 100))
    low, high = ax.get_ylim()
    # Never beyond what a share can be, nor so near that the same accuracy everywhere looks like a finding.
    ax.set_ylim((-2, 102) if high - low < _NEAREST else (max(low, -2), min(high, 102)))
    title(figure, "Accuracy against cloud rate" + ("; bands: 95 % bootstrap" if banded else ""), report, len(both))
    figure.legend(*ax.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=3)
    return figure


def _reliability(table: Table, report: Report) -> Figure:
    figure, axes = new_figure(4.0 * len(table.signals), 4.8, columns=len(table.signals))
    for ax, name in zip(axes, table.signals, strict=True):
        part = table.judging(name)
        signal, correct = part.signal[name], part.edge_correct[name]
        ax.plot([0, 1], [0, 1], "-.", color=_GREY)
        # Each bucket is one point; a continuous signal is split into ten bins.
        place = signal if len(np.unique(signal)) <= 5 else np.minimum((signal * 10).astype(int), 9)  # noqa: PLR2004
        for value in np.unique(place):
            rows = place == value
            count, accuracy = int(rows.sum()), float(correct[rows].mean())
            x, top = float(signal[rows].mean()), accuracy
            if count > 1:
                low, top = st.wilson(accuracy, count)
                ax.plot([x, x], [low, top], color=_COLOURS[name], linewidth=1.5)
            ax.plot(x, accuracy, "o", color=_COLOURS[name], markersize=6)
            ax.annotate(str(count), (x, top), xytext=(0, 4), textcoords="offset points", ha="center", fontsize=8, color=_DARK)
        ax.set(xlim=(-0.04, 1.04), ylim=(-0.02, 1.12), yticks=np.arange(6) / 5, xlabel=Signal(name).words)
        ax.set_title(f"ECE {st.ece_fixed(signal, correct):.3f}" + _of(part, table), fontsize=10)
    axes[0].set_ylabel("accuracy of the edge answers")
    title(
        figure,
        "Reliability: number of questions and 95 % Wilson interval at each point; the diagonal is perfect calibration",
        report,
        len(table),
    )
    return figure


def _risk_coverage(table: Table, report: Report) -> Figure:
    figure, (ax,) = new_figure(8, 5.4)
    # One question is a point, which a line alone would not show.
    marker = "o" if len(table) == 1 else ""
    for name in table.signals:
        part = table.judging(name)
        coverage = 100 * np.arange(1, len(part) + 1) / len(part)
        risk = st.risk_coverage(part.signal[name], part.edge_correct[name])
        label = f"{_named(name, part, table)} (AURC {risk.mean():.3f})"
        ax.plot(coverage, 100 * risk, linestyle=_STYLES[name], marker=marker, color=_COLOURS[name], label=label, clip_on=len(table) > 1)
    ax.set(xlabel="questions the edge answers, highest signal first (%)", ylabel="error rate among them (%)", xlim=(0, 100), ylim=(-2, 102))
    title(figure, "Error rate against coverage, edge alone", report, len(table))
    figure.legend(*ax.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=3)
    return figure


def _shown(report: Report) -> tuple[list[str], str]:
    """The domains that a picture has room for, the largest ones in the order of the report, and a phrase about the others."""
    sizes = {name: row["n"] for name, row in report["edge"]["domains"].items()}
    largest = set(sorted(sizes, key=lambda name: -sizes[name])[:_MOST_DOMAINS])
    said = f"; the {_MOST_DOMAINS} largest of {len(sizes)} domains" if len(sizes) > _MOST_DOMAINS else ""
    return [name for name in sizes if name in largest], said


def _domains(report: Report) -> Figure:
    cloud = bool(report["n_cloud"])
    shown, some = _shown(report)
    domains = (report if cloud else report["edge"])["domains"]
    summary = {"mean (macro)": report["mean"]} if cloud else {"all": report["edge"]["all"]}
    rows = {name: domains[name] for name in shown if name in domains} | summary
    bars = (
        (
            ("edge_only", "edge only", "#56B4E9"),
            ("random", "random", "#bdbdbd"),
            ("system", "system", "#0072B2"),
            ("cloud_only", "cloud only", "#E69F00"),
        )
        if cloud
        else (("chance", "chance", "#bdbdbd"), ("accuracy", "edge", "#56B4E9"))
    )
    figure, (ax,) = new_figure(max(7.0, 1.45 * len(rows)), 5.4)
    width = 0.8 / len(bars)
    whiskers = False
    for index, (key, label, colour) in enumerate(bars):
        at = np.arange(len(rows)) + (index - (len(bars) - 1) / 2) * width
        heights = np.array([100 * row.get(key, np.nan) for row in rows.values()])
        ax.bar(at, heights, width=0.95 * width, color=colour, label=label)
        if key in {"system", "accuracy"}:
            ends = np.array(
                [[np.nan] * 2 if (ci := row.get(f"{key}_ci")) is None else [100 * end for end in ci] for row in rows.values()]
            ).T
            whiskers = bool(np.isfinite(ends).any())
            ax.errorbar(at, heights, yerr=np.abs(ends - heights), fmt="none", ecolor=_DARK, capsize=3, linewidth=1)
    lacking = {name for name, row in rows.items() if cloud and "system" not in row}
    names = [
        f"{textwrap.fill(name, _NAME)}\nn = {row['n']}" + ("\n(no cloud\nanswers)" if name in lacking else "") for name, row in rows.items()
    ]
    names = [name.replace("$", r"\$") for name in names]
    ax.set_xticks(np.arange(len(rows)), names, fontsize=9)
    ax.set(ylabel="accuracy (%)", ylim=(0, 104), yticks=range(0, 101, 20))
    ax.grid(visible=False, axis="x")
    how = "; whiskers: 95 % " + ("bootstrap" if cloud else "exact") if whiskers else ""
    title(
        figure,
        (f"Accuracy by domain, at {_tau(report)}" if cloud else "Accuracy of the edge alone, by domain") + some + how,
        report,
        report["n"],
    )
    figure.legend(*ax.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=len(bars))
    return figure


def _buckets(report: Report) -> Figure:
    """How often each confidence is verbalized, by domain: if the model always says the same one, there is one colour."""
    shown, some = _shown(report)
    rows = {
        **{name: report["domains"][name]["buckets"] for name in shown if name in report["domains"]},
        "all": {k: v["n"] for k, v in report["buckets"].items()},
    }
    figure, (ax,) = new_figure(8, 2.0 + 0.45 * len(rows))
    left = np.zeros(len(rows))
    for label, colour in zip(BUCKET_LABELS, SHADES, strict=True):
        shares = np.array([100 * row[label] / max(1, sum(row.values())) for row in rows.values()])
        ax.barh(np.arange(len(rows)), shares, left=left, height=0.72, color=colour, edgecolor="white", label=label)
        for at, (start, share) in enumerate(zip(left, shares, strict=True)):
            # A label that would not fit in its piece is left out.
            if share >= 6:  # noqa: PLR2004
                ink = "white" if label in {"0.0", "0.25", "0.5"} else _DARK
                ax.text(start + share / 2, at, f"{share:.0f}", ha="center", va="center", fontsize=9, color=ink)
        left += shares
    names = [f"{textwrap.fill(name, 24)} (n = {sum(row.values())})".replace("$", r"\$") for name, row in rows.items()]
    ax.set_yticks(np.arange(len(rows)), names, fontsize=9)
    ax.invert_yaxis()
    ax.set(xlabel="questions (%)", xlim=(0, 100))
    ax.grid(visible=False)
    title(figure, "How often the edge verbalizes each confidence" + some, report, report["n_edge"])
    figure.legend(
        *ax.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=len(BUCKET_LABELS), title="verbalized confidence"
    )
    return figure

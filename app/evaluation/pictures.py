"""The report's pictures, PNG and SVG. Needs matplotlib (`pip install foggate[eval]`); nothing else of the report does.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart; lines differ in style as well.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.domain import BUCKET_LABELS
from app.evaluation import statistics as st
from app.evaluation.table import SIGNALS, Table

_COLOURS = dict(zip(SIGNALS, ("#0072B2", "#D55E00", "#009E73"), strict=True))
_STYLES = dict(zip(SIGNALS, ("-", "--", ":"), strict=True))
# Dark to light, told apart in grey too (viridis).
SHADES = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
_GREY, _DARK = "#8c8c8c", "#333333"
_BAND_RESAMPLES = 300
_RATES = np.linspace(0, 1, 101)


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """Draw with matplotlib's own defaults, whatever a `matplotlibrc` of the current folder or of the user says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        # Text stays text in an SVG, and the same records draw the same file: no random ids, no date.
        mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "foggate"})
        yield


def draw_all(table: Table, report: Mapping[str, Any], out: Path) -> list[Path]:
    """Draw every picture into a folder; returns the files."""
    files = []
    with drawing():
        pictures = {
            "routing": _routing(table, report),
            "reliability": _reliability(table),
            "risk_coverage": _risk_coverage(table),
            "domains": _domains(report),
            "buckets": _buckets(report),
        }
        for name, figure in pictures.items():
            files += save(figure, out / name)
    return files


def save(figure: Figure, stem: Path) -> list[Path]:
    """As PNG and as SVG; the same figure makes the same files."""
    files = [stem.with_name(f"{stem.name}.{ending}") for ending in ("png", "svg")]
    for path in files:
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    return files


def _figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = [figure.add_subplot(1, columns, number + 1) for number in range(columns)]
    for ax in axes:
        ax.grid(visible=True, color="#e6e6e6", linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _routing(table: Table, report: Mapping[str, Any]) -> Figure:
    figure, (ax,) = _figure(8, 5.5)
    for name in SIGNALS:
        right = table.edge_right[name]
        curve = st.routing_curve(table.signal[name], right, table.cloud_right)
        drawn = st.bootstrap_routing(table.signal[name], right, table.cloud_right, _RATES, resamples=_BAND_RESAMPLES, seed=report["seed"])
        low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
        ax.fill_between(100 * _RATES, 100 * low, 100 * high, color=_COLOURS[name], alpha=0.10, linewidth=0)
        ax.plot(100 * _RATES, [100 * st.accuracy_at(curve, rate) for rate in _RATES], _STYLES[name], color=_COLOURS[name], label=name)
    right = table.edge_right[report["signal"]]
    oracle = st.oracle_curve(right, table.cloud_right)
    ax.plot(100 * _RATES, [100 * st.accuracy_at(oracle, rate) for rate in _RATES], color=_DARK, linewidth=1, label="oracle")
    ax.plot([0, 100], [100 * right.mean(), 100 * table.cloud_right.mean()], "-.", color=_GREY, label="random")
    point = report["micro_mean"]
    ax.plot(100 * point["cloud_rate"], 100 * point["system"], "o", color=_DARK, markersize=8, label=f"tau = {report['tau']:g}")
    ax.set(xlabel="questions sent to the cloud (%)", ylabel="right answers (%)", xlim=(0, 100))
    ax.set_title(f"Accuracy against cloud rate, n = {report['n']}; bands: 95 % bootstrap", fontsize=11)
    ax.legend(frameon=False, loc="lower right")
    return figure


def _reliability(table: Table) -> Figure:
    figure, axes = _figure(12, 4.4, columns=len(SIGNALS))
    for ax, name in zip(axes, SIGNALS, strict=True):
        signal, right = table.signal[name], table.edge_right[name]
        ax.plot([0, 1], [0, 1], "-.", color=_GREY)
        # Buckets are points of their own; a continuous signal is cut into ten.
        place = signal if len(np.unique(signal)) <= 5 else np.minimum((signal * 10).astype(int), 9)  # noqa: PLR2004
        for value in np.unique(place):
            rows = place == value
            count, accuracy = int(rows.sum()), float(right[rows].mean())
            low, high = _wilson(accuracy, count)
            x = float(signal[rows].mean())
            ax.plot([x, x], [low, high], color=_COLOURS[name], linewidth=1.5)
            ax.plot(x, accuracy, "o", color=_COLOURS[name], markersize=6)
            ax.annotate(str(count), (x, high), xytext=(0, 3), textcoords="offset points", ha="center", fontsize=8, color=_DARK)
        ax.set(xlim=(-0.04, 1.04), ylim=(-0.02, 1.1), xlabel=name.replace("_", " "), title=f"ECE {st.ece_fixed(signal, right):.3f}")
    axes[0].set_ylabel("edge answers that are right")
    figure.suptitle("Reliability: number of questions and 95 % Wilson interval at each point", fontsize=11)
    return figure


def _risk_coverage(table: Table) -> Figure:
    figure, (ax,) = _figure(8, 5)
    coverage = 100 * np.arange(1, len(table.domain) + 1) / len(table.domain)
    for name in SIGNALS:
        risk = st.risk_coverage(table.signal[name], table.edge_right[name])
        label = f"{name} (AURC {risk.mean():.3f})"
        ax.plot(coverage, 100 * risk, _STYLES[name], color=_COLOURS[name], label=label)
    ax.set(xlabel="questions the edge answers, most confident first (%)", ylabel="wrong among them (%)", xlim=(0, 100), ylim=(0, 102))
    ax.set_title("Risk and coverage", fontsize=11)
    ax.legend(frameon=False, loc="best")
    return figure


def _domains(report: Mapping[str, Any]) -> Figure:
    rows = {**report["domains"], "mean (macro)": report["mean"]}
    figure, (ax,) = _figure(max(7.0, 1.45 * len(rows)), 5)
    bars = (
        ("edge_only", "edge only", "#56B4E9"),
        ("random", "random", "#bdbdbd"),
        ("system", "system", "#0072B2"),
        ("cloud_only", "cloud only", "#E69F00"),
    )
    for index, (key, label, colour) in enumerate(bars):
        at = np.arange(len(rows)) + (index - 1.5) * 0.2
        heights = np.array([100 * row[key] for row in rows.values()])
        ax.bar(at, heights, width=0.19, color=colour, label=label)
        if key == "system":
            ends = np.array([[100 * end for end in row["system_ci"]] for row in rows.values()]).T
            ax.errorbar(at, heights, yerr=np.abs(ends - heights), fmt="none", ecolor=_DARK, capsize=3, linewidth=1)
    ax.set_xticks(np.arange(len(rows)), list(rows))
    ax.set(ylabel="right answers (%)", ylim=(0, 118), yticks=range(0, 101, 20))
    ax.set_title(f"tau = {report['tau']:g} on the {report['signal']} confidence; whiskers: 95 % bootstrap", fontsize=11)
    ax.legend(frameon=False, loc="upper center", ncols=len(bars))
    return figure


def _buckets(report: Mapping[str, Any]) -> Figure:
    """Which confidences are said, domain by domain: a collapsed vocabulary is one colour."""
    rows = {**{name: row["buckets"] for name, row in report["domains"].items()}, "all": {k: v["n"] for k, v in report["buckets"].items()}}
    figure, (ax,) = _figure(8, 1.6 + 0.45 * len(rows))
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
    ax.set_yticks(np.arange(len(rows)), list(rows))
    ax.invert_yaxis()
    ax.set(xlabel="questions (%)", xlim=(0, 100))
    ax.grid(visible=False)
    ax.set_title(f"Which confidence is said, n = {report['n']}", fontsize=11)
    figure.legend(*ax.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=len(BUCKET_LABELS))
    return figure


def _wilson(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927)."""
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * float(np.sqrt(share * (1 - share) / count + z * z / (4 * count * count)))
    return centre - half, centre + half

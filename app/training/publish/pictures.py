"""The picture of a chain. Needs matplotlib; colours as in the report's pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from app.core.buckets import BUCKET_LABELS
from app.evaluation.canvas import drawing, save
from app.evaluation.pictures import SHADES
from app.training.metrics import Metrics

_OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "osD^vPX"
Places = NDArray[np.int_]


def draw(rounds: Sequence[tuple[str, Metrics]], out: Path) -> list[Path]:
    """Draw three panels beside each other: signals, domains, buckets; the x axis is the round.

    Args:
        rounds: name and metrics of the base and of every round, in order.
        out: folder of the run.

    Returns:
        The files.
    """
    names = [name for name, _ in rounds]
    at = np.arange(len(rounds))
    with drawing():
        figure = Figure(figsize=(16, 5), layout="constrained")
        axes: list[Axes] = [figure.add_subplot(1, 3, number + 1) for number in range(3)]
        for ax in axes:
            slanted: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if len(names) > 8 else {}  # noqa: PLR2004
            ax.set_xticks(at, names, **slanted)
            ax.spines[["top", "right"]].set_visible(False)
            ax.grid(visible=True, axis="y", color="#e6e6e6", linewidth=0.8)
            ax.set_axisbelow(True)
        _signals(axes[0], at, rounds)
        _domains(axes[1], at, rounds)
        _buckets(axes[2], at, rounds)
        return save(figure, out / "chain")


def _signals(ax: Axes, at: Places, rounds: Sequence[tuple[str, Metrics]]) -> None:
    verbalized = [metrics.signals.verbalized for _, metrics in rounds]
    expected = [metrics.signals.expected for _, metrics in rounds]
    for name, style, colour, rows in (
        ("verbalized", "-", _OKABE_ITO[0], verbalized),
        ("expected", "--", _OKABE_ITO[1], expected),
    ):
        values = np.array([np.nan if row.auroc is None else row.auroc for row in rows])
        low, high = _ends([row.auroc_ci for row in rows])
        ax.fill_between(at, low, high, color=colour, alpha=0.12, linewidth=0)
        ax.plot(at, values, style, marker="o", color=colour, label=f"AUROC {name}")
    lift = np.array([metrics.mean.lift for _, metrics in rounds])
    ends = _ends([metrics.mean.lift_ci for _, metrics in rounds])
    ax.errorbar(at, lift, yerr=np.abs(ends - lift), fmt="s:", color=_OKABE_ITO[2], capsize=3, label="lift over random")
    ax.axhline(0.5, color="#8c8c8c", linewidth=1, linestyle="-.")
    ax.axhline(0.0, color="#8c8c8c", linewidth=1, linestyle="-.")
    ax.set(ylim=(-0.15, 1.15), title="Signals: AUROC and lift")
    ax.legend(frameon=False, loc="upper left", ncols=1)


def _ends(intervals: Sequence[Sequence[float] | None]) -> NDArray[np.float64]:
    """Lower and upper ends, `[2, rounds]`; NaN, which is not drawn, where there is no interval."""
    return np.array([[np.nan, np.nan] if interval is None else interval for interval in intervals], dtype=np.float64).T


def _domains(ax: Axes, at: Places, rounds: Sequence[tuple[str, Metrics]]) -> None:
    for index, domain in enumerate(rounds[0][1].domains):
        values = [100 * metrics.domains[domain].edge_only for _, metrics in rounds]
        ax.plot(at, values, marker=_MARKERS[index % len(_MARKERS)], color=_OKABE_ITO[index % len(_OKABE_ITO)], linewidth=1, label=domain)
    mean = [100 * metrics.mean.edge_only for _, metrics in rounds]
    ax.plot(at, mean, color="#333333", linewidth=2.5, label="mean")
    ax.set(ylim=(0, 118), yticks=range(0, 101, 20), ylabel="edge accuracy (%)", title="Edge accuracy by domain")
    ax.legend(frameon=False, loc="upper center", ncols=4, fontsize=9)


def _buckets(ax: Axes, at: Places, rounds: Sequence[tuple[str, Metrics]]) -> None:
    bottom = np.zeros(len(rounds))
    for label, colour in zip(BUCKET_LABELS, SHADES, strict=True):
        shares = np.array([100 * metrics.buckets[label] / sum(metrics.buckets.values()) for _, metrics in rounds])
        ax.bar(at, shares, bottom=bottom, width=0.8, color=colour, edgecolor="white", label=label)
        bottom += shares
    ax.set(ylim=(0, 118), yticks=range(0, 101, 20), ylabel="dev rows (%)", title="Verbalized confidence")
    ax.legend(frameon=False, loc="upper center", ncols=len(BUCKET_LABELS), fontsize=9)

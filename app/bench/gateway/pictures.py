"""The picture of `foggate bench gateway`. Needs matplotlib."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from app.bench.gateway.summary import BARE, DIRECT, EDGE, NOT_TO_THE_CLOUD
from app.bench.machine import described
from app.evaluation.canvas import drawing, new_figure, save, set_title

_COLOURS = {
    DIRECT: "#555555",
    EDGE: "#009E73",
    "cloud": "#0072B2",
    "pass": "#56B4E9",
    "litellm": "#D55E00",
    "least": "#E69F00",
    BARE: "#CC79A7",
}


def draw(report: Mapping[str, Any], out: Path) -> list[Path]:
    """Draw the latency added and the requests a second against the number of connections; returns the files."""
    with drawing():
        figure, (latency, rate) = new_figure(12, 5.2, columns=2)
        for way, about in report["ways"].items():
            rows = [row for row in report["rows"] if row["way"] == way]
            colour, label = _COLOURS[way], about["label"]
            if way != DIRECT and way not in NOT_TO_THE_CLOUD:
                _line(latency, rows, "added_p50_ms", colour=colour, style="-", label=f"{label}, p50")
                _line(latency, rows, "added_p99_ms", colour=colour, style=":", label=f"{label}, p99")
            _line(rate, rows, "rate", colour=colour, style="-", label=label)
        for ax, what in ((latency, "latency added (ms)"), (rate, "requests a second")):
            ax.set(xscale="log", yscale="log", xlabel="connections", ylabel=what)
            ax.set_xticks(report["connections"], [str(number) for number in report["connections"]])
            ax.minorticks_off()
            ax.legend(frameon=False, fontsize=8)
        set_title(figure, f"In front of a mock cloud that answers after {report['delay_ms']:g} ms", described(report["machine"]))
        return save(figure, out / "gateway")


def _line(ax: Axes, rows: list[dict[str, Any]], name: str, *, colour: str, style: str, label: str) -> None:
    # A logarithmic axis has no place for nothing added, or less.
    points = [(row["connections"], row[name]) for row in rows if row[name] is not None and row[name] > 0]
    if points:
        ax.plot(*zip(*points, strict=True), style, color=colour, marker="o", markersize=4, label=label)

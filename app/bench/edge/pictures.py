"""The pictures of `foggate bench edge`: time against tokens, and rate against batch size. Needs matplotlib (`pip install foggate[eval]`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.bench.edge.sweep import SORTED
from app.bench.edge.ways import GENERATE, PREFILL, VERDICT
from app.evaluation.canvas import drawing, new_figure, save, set_title

# Colours of Okabe and Ito; lines differ in style and marker as well.
_STYLE: Mapping[str, tuple[str, Any, str]] = {
    VERDICT: ("#0072B2", "-", "o"),
    SORTED: ("#009E73", "-.", "s"),
    PREFILL: ("#8c8c8c", "--", "^"),
    GENERATE: ("#D55E00", ":", "v"),
}


def draw(report: Mapping[str, Any], out: Path) -> list[Path]:
    """Draw what there is to draw into a folder. Returns the files."""
    cells = {part: [cell for cell in report["cells"] if cell["part"] == part] for part in ("lengths", "batches")}
    files: list[Path] = []
    with drawing():
        if cells["lengths"]:
            files += save(_time(report, cells["lengths"]), out / "time_by_tokens")
        if cells["batches"]:
            files += save(_rate(report, cells["batches"]), out / "rate_by_batch")
    return files


def _time(report: Mapping[str, Any], cells: list[Mapping[str, Any]]) -> Figure:
    figure, (ax,) = new_figure(7.2, 4.4)
    tokens = [cell["prompt_tokens"]["mean"] for cell in cells]
    for name in cells[0]["ways"]:
        line = report["fits"].get(name)
        fitted = f" (R² {line['r2']:.4f})" if line else ""
        _points(ax, name, tokens, [cell["ways"][name]["seconds_per_question"] for cell in cells], scale=1000, more=fitted)
        if line:
            ends = [min(tokens), max(tokens)]
            ax.plot(
                ends, [1000 * (line["slope"] * end + line["intercept"]) for end in ends], color=_STYLE[name][0], linewidth=0.7, alpha=0.6
            )
    ax.set(xlabel="tokens of the prompt", ylabel="milliseconds for a question", xlim=(0, None), ylim=(0, None))
    return _finish(figure, ax, report, "Time for one question against the length of its prompt")


def _rate(report: Mapping[str, Any], cells: list[Mapping[str, Any]]) -> Figure:
    figure, (ax,) = new_figure(7.2, 4.4)
    for name in dict.fromkeys(name for cell in cells for name in cell["ways"]):
        found = [(cell["value"], cell["ways"][name]["seconds_per_question"]) for cell in cells if name in cell["ways"]]
        rates = [{"median": 1 / each["median"], "low": 1 / each["high"], "high": 1 / each["low"]} for _, each in found]
        _points(ax, name, [size for size, _ in found], rates)
    ax.set_xscale("log", base=2)
    sizes = [cell["value"] for cell in cells]
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.set(xlabel="batch size", ylabel="questions a second", ylim=(0, None))
    return _finish(figure, ax, report, "Questions a second against the batch size")


def _points(ax: Axes, name: str, xs: list[float], spreads: Sequence[Mapping[str, float]], *, scale: float = 1, more: str = "") -> None:
    """Medians with bars from the smallest to the largest."""
    colour, style, marker = _STYLE[name]
    medians = [scale * each["median"] for each in spreads]
    below = [max(0.0, scale * (each["median"] - each["low"])) for each in spreads]
    above = [max(0.0, scale * (each["high"] - each["median"])) for each in spreads]
    ax.errorbar(xs, medians, yerr=[below, above], color=colour, linestyle=style, marker=marker, markersize=4, capsize=2, label=name + more)


def _finish(figure: Figure, ax: Axes, report: Mapping[str, Any], headline: str) -> Figure:
    ax.legend(frameon=False, fontsize=8.5)
    about = f"{report['model']}, {report['dtype']}; {report['hardware']}; bars: smallest and largest of the rounds"
    set_title(figure, headline, about)
    return figure

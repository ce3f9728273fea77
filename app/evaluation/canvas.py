"""The common part of all pictures: matplotlib's defaults, axes, title, and files. Needs matplotlib."""

import contextlib
import textwrap
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Report = Mapping[str, Any]
# Characters of a title that an inch holds.
_PER_INCH = 12


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """Draw with matplotlib's own defaults: a `matplotlibrc` of the current folder or of the user is not used."""
    with mpl.rc_context(), warnings.catch_warnings():
        # Characters that matplotlib's font lacks appear as boxes in the PNG; the SVG holds them as text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        mpl.rcdefaults()
        # Text stays text in an SVG, and the same records draw the same file: no random ids, no date.
        mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "foggate"})
        yield


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PNG and as SVG; the same figure gives the same files."""
    files = paths(stem)
    for path in files:
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    return files


def paths(stem: Path) -> list[Path]:
    return [stem.with_name(f"{stem.name}.{ending}") for ending in ("png", "svg")]


def new_figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = [figure.add_subplot(1, columns, number + 1) for number in range(columns)]
    for ax in axes:
        ax.grid(visible=True, color="#e6e6e6", linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def title(figure: Figure, headline: str, report: Report, n: int) -> None:
    """Set the title: what is shown, and the edge, the cloud, the data and n."""
    cloud = f"cloud {', '.join(report['cloud_model'])}" if report["cloud_model"] else "no cloud"
    set_title(figure, headline, f"edge {report['edge_model']}; {cloud}; data {report['data_fingerprint']}; n = {n}")


def set_title(figure: Figure, *lines: str) -> None:
    """Set a title of several lines, each of them wrapped at the width of the figure."""
    width = int(figure.get_figwidth() * _PER_INCH)
    # A dollar sign in a name must not begin a formula.
    figure.suptitle("\n".join(textwrap.fill(line, width) for line in lines).replace("$", r"\$"), fontsize=10.5)

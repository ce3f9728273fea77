"""What all pictures share: matplotlib's own defaults, axes, a title that says what is shown, and the files. Needs matplotlib."""

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
    """Draw with matplotlib's own defaults, whatever a `matplotlibrc` of the current folder or of the user says."""
    with mpl.rc_context(), warnings.catch_warnings():
        # A script that matplotlib's own font lacks is boxes in the PNG and text in the SVG.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        mpl.rcdefaults()
        # Text stays text in an SVG, and the same records draw the same file: no random ids, no date.
        mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "foggate"})
        yield


def save(figure: Figure, stem: Path) -> list[Path]:
    """As PNG and as SVG; the same figure makes the same files."""
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
    """What is shown, and of what: edge, cloud, data, n."""
    cloud = f"cloud {', '.join(report['cloud_model'])}" if report["cloud_model"] else "no cloud"
    about = f"edge {report['edge_model']}; {cloud}; data {report['data_fingerprint']}; n = {n}"
    width = int(figure.get_figwidth() * _PER_INCH)
    # A dollar sign in a name is no formula.
    figure.suptitle("\n".join(textwrap.fill(line, width) for line in (headline, about)).replace("$", r"\$"), fontsize=10.5)

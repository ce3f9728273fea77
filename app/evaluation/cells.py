"""Cells and tables of Markdown. An unknown or undefined number is a dash."""

from collections.abc import Sequence

Interval = Sequence[float] | None
NONE = "–"


def percent(value: float | None) -> str:
    """A fraction as percent without the sign."""
    return NONE if value is None else f"{100 * value:.1f}"


def share(value: float | None, ci: Interval) -> str:
    """A fraction as percent with its interval, if it has one."""
    return percent(value) if value is None or ci is None else f"{percent(value)} {interval(ci)}"


def interval(ci: Interval) -> str:
    """An interval of fractions, as percent."""
    return NONE if ci is None else f"[{percent(ci[0])}, {percent(ci[1])}]"


def signed(value: float | None, ci: Interval) -> str:
    """A difference in points with its interval, if it has one."""
    if value is None:
        return NONE
    return f"{100 * value:+.1f}" + ("" if ci is None else f" [{100 * ci[0]:+.1f}, {100 * ci[1]:+.1f}]")


def number(value: float | None, ci: Interval = None) -> str:
    """A number such as an AUROC, with its interval, if it has one."""
    if value is None:
        return NONE
    return f"{value:.3f}" + ("" if ci is None else f" [{ci[0]:.3f}, {ci[1]:.3f}]")


def questions(n: int) -> str:
    """As in `1 question` and `2 questions`."""
    return f"{n:,} question{'' if n == 1 else 's'}"


def spelt(key: str) -> str:
    """A key of the report as words, so that a narrow table may break it."""
    return key.replace("_", " ")


def plain(value: float | None, digits: int) -> str:
    """A large number with so many decimals."""
    return NONE if value is None else f"{value:,.{digits}f}"


def short(value: float | None) -> str:
    """A measured number with about three significant digits: more would be noise."""
    if value is None:
        return NONE
    size = abs(value)
    return f"{value:,.{0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3}f}"  # noqa: PLR2004  # powers of ten


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """A Markdown table. Bars and line breaks in cells are escaped.

    Args:
        head: titles of the columns.
        rows: cells.
        left: number of columns that are aligned to the left; the others are aligned to the right.
    """
    lines = [_line(head), "|---" * left + "|---:" * (len(head) - left) + "|"]
    return "\n".join([*lines, *map(_line, rows)])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"

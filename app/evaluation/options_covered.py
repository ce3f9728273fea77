"""For which numbers of options a calibration is: those of which its data hold enough questions."""

import numpy as np
from numpy.typing import NDArray

from app.core.option_range import OptionRange
from app.data.option_counts import OptionCounts
from app.evaluation import statistics as st
from app.evaluation.cells import questions
from app.evaluation.table import Table

# So many of the questions that choose have as few options as the range allows, or fewer, and so many as many, or more: a single question with
# ten options is no evidence for all of them. Of fewer than a hundred questions it is a tenth, so that few are left out.
FEWEST_AT_AN_END = 10
_SHARE_AT_AN_END = 10


def range_of(options: st.Floats) -> OptionRange:
    """The numbers of options of which there are enough questions.

    Args:
        options: `[n]`, number of options of the questions that choose, at least one.
    """
    ordered = np.sort(options)
    beyond = min(FEWEST_AT_AN_END, -(-len(ordered) // _SHARE_AT_AN_END))
    return OptionRange(int(ordered[beyond - 1]), int(ordered[-beyond]))


def within(table: Table, fitting: NDArray[np.int_]) -> tuple[Table, NDArray[np.int_]]:
    """The table of a calibration: questions outside the range of its data have no signal, and choose nothing.

    Args:
        table: every row.
        fitting: numbers of the rows that may have a part in a choice; where there is none, the range is that of all rows.

    Returns:
        The table, and those of `fitting` that are within the range.
    """
    ranged = table.in_range(range_of(table.options[fitting] if len(fitting) else table.options))
    return ranged, fitting[ranged.covered[fitting]]


def counts_of(table: Table) -> OptionCounts | None:
    """The range of a table as a calibration file holds it, with the number of questions of each number of options; None without a range."""
    if table.option_range is None:
        return None
    counted, n = np.unique(table.options.astype(int), return_counts=True)
    held = table.option_range
    return OptionCounts(fewest=held.fewest, most=held.most, n=dict(zip(counted.tolist(), n.tolist(), strict=True)))


def left_out(
    table: Table, what: str, then: str = "they go to the cloud, and the quality of the signals is measured on the others"
) -> str | None:
    """A sentence about the questions outside the range of a table; None where there is none.

    Args:
        table: the questions.
        what: what they are to the reader, as in "of the records".
        then: what becomes of them, as the end of the sentence.
    """
    outside = int((~table.covered).sum())
    if table.option_range is None or not outside:
        return None
    have = "has" if outside == 1 else "have"
    return f"{outside} of {questions(len(table))} {what} {have} {table.option_range.outside}, which the thresholds are not for: {then}"

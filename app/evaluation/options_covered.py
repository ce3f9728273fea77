"""For which numbers of options a calibration is: those of which its data hold enough questions, or enough on both sides of them."""

import numpy as np
from numpy.typing import NDArray

from app.core.errors import ConfigError
from app.core.option_numbers import OptionNumbers
from app.data.option_counts import OptionCounts
from app.evaluation import statistics as st
from app.evaluation.cells import questions
from app.evaluation.table import Table

# So many of the questions that choose are needed, for a single question with ten options is no evidence for all of them. Of fewer than a hundred it is
# a tenth, of fewer than thirty three, so that few are left out.
FEWEST, _TENTH, _LEAST = 10, 10, 3
# Questions with up to half as many options more, and those with two thirds as many or more, are near: three lies between two and four, and five does not
# lie between four and ten.
_NEAR = 1.5


def numbers_of(options: st.Floats) -> OptionNumbers | None:
    """The numbers of options with enough questions; None where there is none.

    A number has enough where so many questions have as many options or fewer, down to two thirds, and so many as many or more, up to one and a half
    times: its own questions count on both sides.

    Args:
        options: `[n]`, number of options of the questions that choose, at least one.
    """
    n = len(options)
    enough = min(FEWEST, max(_LEAST, -(-n // _TENTH)), (n + 1) // 2)
    found = [
        number
        for number in range(int(options.min()), int(options.max()) + 1)
        if ((options <= number) & (options * _NEAR >= number)).sum() >= enough
        and ((options >= number) & (options <= _NEAR * number)).sum() >= enough
    ]
    return OptionNumbers.of(found) if found else None


def within(table: Table, fitting: NDArray[np.int_]) -> tuple[Table, NDArray[np.int_]]:
    """The table of a calibration: questions with other numbers of options than its data hold enough of have no signal, and choose nothing.

    Args:
        table: every row.
        fitting: numbers of the rows that may have a part in a choice; where there is none, the numbers are those of all rows.

    Returns:
        The table, and those of `fitting` that have a signal.

    Raises:
        ConfigError: there is no number of options with enough questions.
    """
    options = table.options[fitting] if len(fitting) else table.options
    found = numbers_of(options)
    if found is None:
        counted = OptionNumbers.of(options.astype(int).tolist())
        raise ConfigError(
            f"{questions(len(options))} with {counted} options are too few of each to choose a threshold: collect more, or questions with as many options"
        )
    ranged = table.with_numbers(found)
    return ranged, fitting[ranged.covered[fitting]]


def check_halves(table: Table, test: NDArray[np.int_]) -> None:
    """Refuse a half that checks nothing. Raises ConfigError.

    Args:
        table: every row, of which some have no signal.
        test: numbers of the rows of the half that checks.
    """
    if not table.covered[test].any():
        raise ConfigError(
            f"no question of the half that checks the thresholds has a number of options that they are for ({table.option_numbers}): collect more"
        )


def counts_of(table: Table) -> OptionCounts | None:
    """The numbers of a table as a calibration file holds them, with the number of questions of each; None where it is for all."""
    if table.option_numbers is None:
        return None
    counted, n = np.unique(table.options.astype(int), return_counts=True)
    return OptionCounts(numbers=table.option_numbers.numbers, n=dict(zip(counted.tolist(), n.tolist(), strict=True)))


def left_out(
    table: Table, what: str, then: str = "they go to the cloud, and the signals and the recommendation are judged on the others"
) -> str | None:
    """A sentence about the questions that the thresholds of a table are not for; None where there is none.

    Args:
        table: the questions.
        what: what they are to the reader, as in "of the records".
        then: what becomes of them, as the end of the sentence.
    """
    outside = int((~table.covered).sum())
    if not outside:
        return None
    have = "has" if outside == 1 else "have"
    return f"{outside} of {questions(len(table))} {what} {have} another number of options than the thresholds are for ({table.option_numbers}): {then}"

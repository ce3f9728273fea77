"""How many questions a calibration needs, and of which kind."""

import numpy as np
from numpy.typing import NDArray

from app.core.errors import ConfigError
from app.data.target import Target
from app.evaluation.cells import questions
from app.evaluation.groups import Groups, group
from app.evaluation.options_covered import check_halves
from app.evaluation.table import Table

_HALVES = 2
# Questions of a half that choose, and those of the other half that check, a threshold for a cloud rate or an accuracy. With
# fewer, a single question moves a rate by more than five points, and the interval of a rate is more than 45 points wide. The
# promise of an edge error has no such bound: its test is exact for any number of questions, and refuses too few by itself.
FEWEST = 20


def check_sizes(n: int, target: Target, min_domain: int) -> None:
    """Refuse to choose a threshold on a handful of questions. Raises ConfigError."""
    if target.kind == "edge_error":
        if n < _HALVES:
            raise ConfigError("one record cannot be split into a half to fit and a half to test")
        return
    if n < _HALVES * FEWEST:
        answers = "both answers" if target.kind == "accuracy" else "an edge answer"
        raise ConfigError(
            f"{questions(n)} with {answers} {'is' if n == 1 else 'are'} too few to choose a threshold: {FEWEST} are needed to choose it and "
            f"{FEWEST} others to check it, {_HALVES * FEWEST} in all; collect more"
        )
    if target.per_domain and min_domain < FEWEST:
        raise ConfigError(f"--min-domain {min_domain} is too small: a threshold of a domain is chosen on {FEWEST} questions at least")


def regrouped(groups: Groups, table: Table, halves: tuple[NDArray[np.int_], NDArray[np.int_]], target: Target, min_domain: int) -> Groups:
    """The groups by the questions that choose: what goes to the cloud for its number of options chooses no threshold.

    Args:
        groups: the groups by all questions, which the promise of an edge error keeps: its test is exact for any number of questions.
        table: every row, of which some have no signal.
        halves: numbers of the rows that choose, and of those that check.
        target: target of the calibration.
        min_domain: as in `group`.

    Raises:
        ConfigError: too few questions are left in a half.
    """
    check_halves(table, halves[1])
    if target.kind == "edge_error":
        return groups
    fit, test = (rows[table.covered[rows]] for rows in halves)
    check_sizes(_HALVES * min(len(fit), len(test)), target, min_domain)
    return group(table.rows(fit), table.domains, per_domain=target.per_domain, min_domain=min_domain)

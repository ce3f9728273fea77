"""Whether a letter prior is worth having: paired differences of the same questions without it and with it.

A correction changes answers, so the two sides differ in which questions are answered correctly, and not only in the signal.
"""

from dataclasses import dataclass

import numpy as np

from app.evaluation import statistics as st


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the comparison, `[n]` each.

    Attributes:
        signal: the number that is compared with tau.
        correct: whether the edge answer is correct.
    """

    signal: st.Floats
    correct: st.Flags

    @property
    def auroc(self) -> float | None:
        """As `statistics.auroc`."""
        return st.auroc(self.signal, self.correct)


@dataclass(frozen=True, slots=True)
class Change:
    """A number without the prior and with it.

    Attributes:
        before: the number without.
        after: the number with.
        error: standard error of the paired difference.
    """

    before: float
    after: float
    error: float

    @property
    def difference(self) -> float:
        """How much it rises."""
        return self.after - self.before

    @property
    def rises(self) -> bool:
        """Whether it rises by more than the standard error."""
        return self.difference > self.error

    @property
    def falls(self) -> bool:
        """Whether it falls by more than the standard error."""
        return -self.difference > self.error


@dataclass(frozen=True, slots=True)
class Gain:
    """What a prior changes.

    Attributes:
        n: number of questions.
        accuracy: accuracy of the edge.
        auroc: AUROC of the signal; None where one side has too few correct or too few wrong answers for a standard error.
        aurc: mean error among the answers kept, over all shares that could be kept, without the prior and with it.
    """

    n: int
    accuracy: Change
    auroc: Change | None
    aurc: tuple[float, float]

    @property
    def wins(self) -> bool:
        """Whether the prior is kept: accuracy or AUROC rises by more than its standard error, neither falls by more than its own, and the
        answers that would be kept are wrong no more often.
        """
        changes = [self.accuracy, *([] if self.auroc is None else [self.auroc])]
        return any(one.rises for one in changes) and not any(one.falls for one in changes) and self.aurc[1] <= self.aurc[0]


def gain(before: Side, after: Side) -> Gain:
    """The paired differences between two sides about the same questions in the same order, at least two."""
    accuracy = Change(float(before.correct.mean()), float(after.correct.mean()), _error(after.correct.astype(float) - before.correct))
    risks = (st.aurc(before.signal, before.correct), st.aurc(after.signal, after.correct))
    first, second = before.auroc, after.auroc
    enough = min(min(int(side.correct.sum()), int((~side.correct).sum())) for side in (before, after)) > 1
    if first is None or second is None or not enough:
        return Gain(len(before.correct), accuracy, None, risks)
    return Gain(len(before.correct), accuracy, Change(first, second, _error(influence(after) - influence(before))), risks)


def influence(side: Side) -> st.Floats:
    """How much each question moves the AUROC, `[n]`, with mean 0.

    The placements of DeLong et al. (1988), divided by the share of the answers of their kind: unlike DeLong's variance, whose two signals are about the same
    answers, the variance of the difference of two such columns also holds where the correct answers of the two sides are different ones (the influence
    function of a U-statistic; Hoeffding 1948).

    Args:
        side: at least one correct and one wrong answer.
    """
    correct, found = side.correct, np.empty(len(side.correct), dtype=np.float64)
    share = float(correct.mean())
    found[correct] = _below(side.signal[correct], side.signal[~correct]) / share
    found[~correct] = (1 - _below(side.signal[~correct], side.signal[correct])) / (1 - share)
    area = float(_below(side.signal[correct], side.signal[~correct]).mean())
    return found - np.where(correct, area / share, area / (1 - share))


def _below(values: st.Floats, others: st.Floats) -> st.Floats:
    """For each value the share of others that are lower, ties counted half."""
    ordered = np.sort(others)
    lower, at_most = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return (lower + at_most) / (2 * len(others))


def _error(differences: st.Floats) -> float:
    """Standard error of the mean of paired differences."""
    return float(differences.std(ddof=1) / np.sqrt(len(differences)))

"""Which questions a calibration speaks of, by the number of their options.

A threshold that was chosen on questions with four options says nothing of one with ten: its largest probability is lower, chance is lower,
and a model of P(correct) would be continued beyond everything that it was fitted on.
"""

from dataclasses import dataclass

from app.core.question import MIN_OPTIONS
from app.core.verdict import Verdict


@dataclass(frozen=True, slots=True)
class OptionRange:
    """Numbers of options, both ends included.

    Attributes:
        fewest: the fewest options.
        most: the most options.
    """

    fewest: int
    most: int

    def holds(self, options: int) -> bool:
        """Whether questions with so many options are within it."""
        return self.fewest <= options <= self.most

    def speaks_of(self, verdict: Verdict) -> bool:
        """Whether a verdict is on a question within it; a verdict without a distribution over its options has no signal either way."""
        answers = verdict.answer_probabilities
        return answers is None or self.holds(len(answers))

    @property
    def outside(self) -> str:
        """The other numbers in words, as in "more than 5 options"."""
        if self.fewest == self.most:
            return f"more or fewer than {self.fewest} options"
        fewer = f"fewer than {self.fewest} or " if self.fewest > MIN_OPTIONS else ""
        return f"{fewer}more than {self.most} options"

    def __str__(self) -> str:
        return f"{self.fewest} options" if self.fewest == self.most else f"{self.fewest} to {self.most} options"

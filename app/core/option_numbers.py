"""Which questions a calibration speaks of, by the number of their options.

A threshold that was chosen on questions with four options says nothing of one with ten: its largest probability is lower, chance is lower,
and a model of P(correct) would be continued beyond everything that it was fitted on.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from app.core.verdict import Verdict


@dataclass(frozen=True, slots=True)
class OptionNumbers:
    """Numbers of options.

    Attributes:
        numbers: the numbers, ascending; one at least.
    """

    numbers: tuple[int, ...]

    @classmethod
    def of(cls, numbers: Iterable[int]) -> "OptionNumbers":
        """These numbers, in any order."""
        return cls(tuple(sorted(set(numbers))))

    def speaks_of(self, verdict: Verdict) -> bool:
        """Whether a verdict is on a question with one of these; a verdict without a distribution over its options has no signal either way."""
        answers = verdict.answer_probabilities
        return answers is None or len(answers) in self.numbers

    def __str__(self) -> str:
        """The numbers in words, as in "2 to 5 and 10"."""
        runs: list[list[int]] = []
        for number in self.numbers:
            if runs and number == runs[-1][-1] + 1:
                runs[-1].append(number)
            else:
                runs.append([number])
        said = [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs]
        return " and ".join([", ".join(said[:-1]), said[-1]]) if len(said) > 1 else said[0]

"""A letter prior as a calibration file holds it."""

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.core.letter_prior import LetterPrior
from app.core.question import MAX_OPTIONS, MIN_OPTIONS

# No estimate gives less: with a shrinkage of 20, the prior of a letter of 26 that never has any probability is this small after 800 million questions.
_LEAST = 1e-9
_SUM_TOLERANCE = 1e-6
Preference = Annotated[float, Field(ge=_LEAST, le=1, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Interval = tuple[float, float]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PriorEffect(_Part):
    """What a letter prior changes on the test half, by the signal that is chosen without it and the one that is chosen with it.

    Attributes:
        n: number of questions.
        accuracy: accuracy of the edge, without the prior and with it.
        accuracy_gain_ci: 95 % interval of the paired difference; None with fewer than two questions.
        auroc: AUROC of the signal, without and with; None where all answers are correct or all are wrong.
        auroc_gain_ci: 95 % interval of the paired difference; None where an AUROC is, or where fewer than two answers are of a kind.
        aurc: mean error among the answers kept, over all shares that could be kept, without and with.
    """

    n: int
    accuracy: tuple[Share, Share]
    accuracy_gain_ci: Interval | None
    auroc: tuple[Share, Share] | None
    auroc_gain_ci: Interval | None
    aurc: tuple[Share, Share]


class LetterPriorModel(_Part):
    """The prior of each number of options, and what it is worth on questions that had no part in estimating it.

    Attributes:
        by_options: one probability per letter, in order, by the number of options.
        n: number of questions that each of these was estimated from.
        shrinkage: number of uniform distributions that were added to those of the questions.
        effect: what the prior changes on the test half.
    """

    by_options: dict[int, tuple[Preference, ...]] = Field(min_length=1)
    n: dict[int, Annotated[int, Field(ge=1)]]
    shrinkage: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    effect: PriorEffect

    @model_validator(mode="after")
    def _distributions(self) -> "LetterPriorModel":
        for options, prior in self.by_options.items():
            if not MIN_OPTIONS <= options <= MAX_OPTIONS:
                raise ValueError(f"it holds a letter prior of {options} options; there are questions of {MIN_OPTIONS} to {MAX_OPTIONS}")
            if len(prior) != options:
                raise ValueError(f"the letter prior of {options} options holds {len(prior)} numbers")
            if abs(math.fsum(prior) - 1) > _SUM_TOLERANCE:
                raise ValueError(f"the letter prior of {options} options sums to {math.fsum(prior):.6g}, not to 1")
        if self.n.keys() != self.by_options.keys():
            raise ValueError("'n' and 'by_options' of the letter prior are about different numbers of options")
        return self

    def prior(self) -> LetterPrior:
        """The prior as the gateway applies it."""
        return LetterPrior(self.by_options)

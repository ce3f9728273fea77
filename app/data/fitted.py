"""The model of the signal `fitted` as a calibration file holds it."""

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from app.core.fitted import FEATURES, Logistic
from app.core.option_numbers import OptionNumbers
from app.core.question import MAX_OPTIONS, MIN_OPTIONS

# Features lie between 0 and 4. A larger weight than this is no result of a fit, and sums of such weights could overflow.
_LARGEST = 1e12
_LARGEST_LOG = 4
Weight = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class FittedModel(BaseModel):
    """A logistic model of P(the edge answer is correct), and how good it is on questions that had no part in fitting it.

    Attributes:
        features: names of the features, of `app.core.fitted.FEATURES`.
        weights: one weight for each feature, as it is (not standardised).
        intercept: the logit where every feature is 0.
        lowest: the lowest value of each feature that was fitted on; a lower one counts as this one.
        highest: the highest value of each; a higher one counts as this one.
        n: number of questions that the model was fitted on.
        auroc: AUROC on the test half; None where all of its answers are correct or all are wrong, as is `auroc_ci`.
        ece: expected calibration error on the test half, over ten bins of equal width.
        brier: Brier score on the test half.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: tuple[str, ...] = Field(min_length=1)
    weights: tuple[Weight, ...]
    intercept: Weight
    lowest: tuple[Weight, ...]
    highest: tuple[Weight, ...]
    n: int
    auroc: Share | None
    auroc_ci: tuple[float, float] | None
    ece: Share
    brier: Share

    @field_validator("features")
    @classmethod
    def _known(cls, features: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [name for name in features if name not in FEATURES]:
            raise ValueError(f"this version of FogGate does not know {', '.join(map(repr, unknown))}; calibrate again with this version")
        if len(set(features)) < len(features):
            raise ValueError("a feature stands there twice")
        return features

    @model_validator(mode="after")
    def _whole(self) -> "FittedModel":
        for name, values in (("weights", self.weights), ("lowest", self.lowest), ("highest", self.highest)):
            if len(values) != len(self.features):
                raise ValueError(f"'{name}' holds {len(values)} numbers for {len(self.features)} features")
        return self

    def logistic(self) -> Logistic:
        """The model as the gateway evaluates it."""
        return Logistic(self.features, self.weights, self.intercept, self.lowest, self.highest)

    def option_numbers(self) -> OptionNumbers | None:
        """The numbers of options of the questions that the model was fitted on, where the ranges of its features show them.

        Where all questions had k options, the feature `log_options` was left out, being the same for all, and k is in how two others belong
        together: `above_chance` a is (p - 1/k) / (1 - 1/k) of the largest probability p, so 1/k is (p - a) / (1 - a).
        """
        ends = [dict(zip(self.features, values, strict=True)) for values in (self.lowest, self.highest)]
        if "log_options" in self.features:
            # A larger logarithm is damage, whose exponential might be no number.
            fewest, most = (round(math.exp(min(end["log_options"], _LARGEST_LOG))) for end in ends)
            found = [number for number in range(fewest, most + 1) if MIN_OPTIONS <= number <= MAX_OPTIONS]
            return OptionNumbers.of(found) if found else None
        if not {"top_probability", "above_chance"} <= set(self.features):
            return None
        top, above = ends[0]["top_probability"], ends[0]["above_chance"]
        if not 0 <= above < top <= 1:
            return None
        options = min((1 - above) / (top - above), _LARGEST)
        return OptionNumbers((round(options),)) if MIN_OPTIONS <= round(options) <= MAX_OPTIONS else None

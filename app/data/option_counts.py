"""How many options the questions of a calibration have, as its file holds it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.core.option_range import OptionRange
from app.core.question import MAX_OPTIONS, MIN_OPTIONS

Count = Annotated[int, Field(ge=MIN_OPTIONS, le=MAX_OPTIONS)]


class OptionCounts(BaseModel):
    """The numbers of options that thresholds are for.

    Attributes:
        fewest: the fewest options.
        most: the most options.
        n: number of questions of the calibration's data by their number of options, those outside `fewest` to `most` among them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fewest: Count
    most: Count
    n: dict[Count, Annotated[int, Field(ge=1)]]

    @model_validator(mode="after")
    def _ordered(self) -> "OptionCounts":
        if self.fewest > self.most:
            raise ValueError(f"'fewest' is {self.fewest}, above 'most', {self.most}")
        return self

    def option_range(self) -> OptionRange:
        """The range as the gateway applies it."""
        return OptionRange(self.fewest, self.most)

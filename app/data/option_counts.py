"""How many options the questions of a calibration have, as its file holds it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.core.option_numbers import OptionNumbers
from app.core.question import MAX_OPTIONS, MIN_OPTIONS

Count = Annotated[int, Field(ge=MIN_OPTIONS, le=MAX_OPTIONS)]


class OptionCounts(BaseModel):
    """The numbers of options that thresholds are for.

    Attributes:
        numbers: the numbers, ascending.
        n: number of questions of the calibration's data by their number of options, those of other numbers among them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    numbers: tuple[Count, ...] = Field(min_length=1)
    n: dict[Count, Annotated[int, Field(ge=1)]] = Field(min_length=1)

    @model_validator(mode="after")
    def _belonging_together(self) -> "OptionCounts":
        if list(self.numbers) != sorted(set(self.numbers)):
            raise ValueError("'numbers' must be ascending, each once")
        if not min(self.n) <= self.numbers[0] or not self.numbers[-1] <= max(self.n):
            raise ValueError(f"'numbers' goes from {self.numbers[0]} to {self.numbers[-1]}, and 'n' from {min(self.n)} to {max(self.n)}")
        return self

    def option_numbers(self) -> OptionNumbers:
        """The numbers as the gateway applies them."""
        return OptionNumbers(self.numbers)

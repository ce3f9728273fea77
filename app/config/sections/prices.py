"""Prices of models."""

from typing import Annotated

from pydantic import Field

from app.config.sections.base import Section, setting

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class PriceSettings(Section):
    input: Price = setting(0.0, "Price of a million prompt tokens.")
    output: Price = setting(0.0, "Price of a million completion tokens.")
    per_hour: Price = setting(0.0, "Price of an hour of the model's machine.")

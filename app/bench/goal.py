"""A target of the project on speed, and what a bench measured of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# From this limit on a number is shown without decimals.
_WHOLE = 100


@dataclass(frozen=True)
class Goal:
    """A target of the project and what was measured.

    Attributes:
        text: the target as a sentence.
        limit: the number that is compared with.
        at_least: whether the measured number must reach the limit; otherwise it must not exceed it.
        value: the measured number; None where it was not measured.
    """

    text: str
    limit: float
    at_least: bool
    value: float | None

    @property
    def verdict(self) -> str:
        """`met`, `missed` or `not measured`."""
        if self.value is None:
            return "not measured"
        return "met" if (self.value >= self.limit if self.at_least else self.value <= self.limit) else "missed"

    def as_json(self) -> dict[str, Any]:
        """The target as a JSON object."""
        value = None if self.value is None else round(self.value, 4)
        return {"target": self.text, "limit": self.limit, "at_least": self.at_least, "value": value, "verdict": self.verdict}


def goal_lines(goals: Iterable[Mapping[str, Any]]) -> str:
    """A Markdown list of targets, as `Goal.as_json` gives them."""
    return "\n".join(f"- **{goal['verdict']}**: {goal['target']}{_measured(goal)}" for goal in goals)


def _measured(goal: Mapping[str, Any]) -> str:
    if goal["value"] is None:
        return ""
    return f" (measured: {goal['value']:,.0f})" if goal["limit"] >= _WHOLE else f" (measured: {goal['value']:,.2f})"

"""The endpoints of decision clients, and the Model Context Protocol."""

from typing import Annotated

from pydantic import Field

from app.config.sections.base import Positive, Section, setting


class DecisionsSettings(Section):
    prior: Annotated[float, Field(gt=0, lt=1)] = setting(
        0.8,
        "`/v1/systemone` and `/v1/decisions` answer with a probability for each option. Where the cloud answered and gave no "
        "log-probabilities, the answer's confidence is this number and the other options share the rest; such an answer is marked "
        "`prior` (docs/decisions.md).",
    )


class McpSettings(Section):
    enabled: bool = setting(False, "Serve the Model Context Protocol at `/mcp` (docs/mcp.md). It needs `foggate[mcp]`.")
    remembered_decisions: Positive = setting(
        1_000, "Most decisions that `explain_route` can still explain; the oldest are forgotten first."
    )

"""What a calibration must reach, and whether intervals show that it does."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

# A cloud rate this near to the target counts as the target: with five buckets few rates can be reached.
RATE_TOLERANCE = 0.02

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Interval = tuple[float, float]
# Whether the test half shows a target: its interval lies within the target, outside of it, or contains values of both kinds.
Held = Literal["held", "refuted", "not enough data"]


class Target(BaseModel):
    """The target of a calibration. `delta`: the edge error may be exceeded with at most this probability."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["cloud_rate", "accuracy", "edge_error"]
    value: Share
    delta: Share | None = None
    per_domain: bool = False

    def outcome(self, *, cloud_rate_ci: Interval | None, accuracy_ci: Interval | None, edge_error_ci: Interval | None) -> Held:
        """Whether 95 % intervals on the test half show this target; None (no interval) counts as not enough data."""
        allowed, interval = {
            "cloud_rate": ((self.value - RATE_TOLERANCE, self.value + RATE_TOLERANCE), cloud_rate_ci),
            "accuracy": ((self.value, 1.0), accuracy_ci),
            "edge_error": ((0.0, self.value), edge_error_ci),
        }[self.kind]
        found = interval or (0.0, 1.0)
        if allowed[0] <= found[0] and found[1] <= allowed[1]:
            return "held"
        return "refuted" if found[1] < allowed[0] or allowed[1] < found[0] else "not enough data"

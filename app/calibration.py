"""The calibration file: what `foggate calibrate` found, for one edge model, and the check that it is this one.

Read by the gateway, written by the evaluation; this module is the one place that knows its form.
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.errors import ConfigError
from app.files import read_model, write_model

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Interval = tuple[float, float]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Target(_Part):
    """What was asked for. `delta`: the edge error may be exceeded with at most this probability."""

    kind: Literal["cloud_rate", "accuracy", "edge_error"]
    value: Share
    delta: Share | None = None
    per_domain: bool = False


class Achieved(_Part):
    """What the cuts do on the test half, which had no part in choosing them. Fractions; intervals are 95 %."""

    n: int
    kept: int
    cloud_rate: float
    cloud_rate_ci: Interval
    accuracy: float
    accuracy_ci: Interval
    edge_error: float | None
    edge_error_ci: Interval | None
    lift: float
    lift_ci: Interval
    held: bool


class DomainCut(_Part):
    """One domain's own cut; `n` is the size of its fit half, `achieved` is None where no test question was left."""

    tau: Share
    n: int
    achieved: Achieved | None = None


class Calibration(_Part):
    """Everything that a gateway and a reader need to know about a choice of tau."""

    version: Literal[1] = 1
    signal: Literal["verbalized", "expected"]
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    tau: Share
    domains: dict[str, DomainCut] = {}
    pooled: list[str] = []
    target: Target
    achieved: Achieved
    verdict: str
    n_fit: int
    n_test: int
    seed: int
    data_fingerprint: str
    edge_model: str
    edge_adapter: str | None
    edge_fingerprint: str | None
    prompt_version: str
    cloud_model: list[str]
    created: date

    def summary(self) -> dict[str, Any]:
        """What `/v1/models` says of it, as plain values."""
        shown = {"signal", "temperature", "tau", "domains", "target", "achieved", "verdict", "data_fingerprint", "created"}
        return self.model_dump(mode="json", include=shown)

    def check(self, *, edge_model: str, fingerprint: str, prompt_version: str) -> None:
        """Refuse another edge than the one that was calibrated.

        Args:
            edge_model: as answers name it, `base` or `base+adapter`.
            fingerprint: of the loaded weights.
            prompt_version: of the prompt that is served.

        Raises:
            ConfigError: what differs, both values.
        """
        model, adapter = split_name(edge_model)
        pairs = [
            ("edge model", self.edge_model, model),
            ("adapter", self.edge_adapter, adapter),
            ("prompt version", self.prompt_version, prompt_version),
            ("weights fingerprint", self.edge_fingerprint or fingerprint, fingerprint),
        ]
        for what, calibrated, served in pairs:
            if calibrated != served:
                raise ConfigError(
                    f"policy.calibration is for another {what}: it was made with {calibrated or 'none'}, "
                    f"the gateway serves {served or 'none'}; calibrate again or take the file out of the configuration"
                )


def split_name(edge_model: str) -> tuple[str, str | None]:
    """`base+adapter` → both; without an adapter the second is None."""
    model, _, adapter = edge_model.partition("+")
    return model, adapter or None


def read_calibration(path: Path) -> Calibration:
    """Read and validate. Raises ConfigError."""
    return read_model(path, Calibration, "calibration")


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write whole or not at all. Raises ConfigError."""
    write_model(path, calibration.model_dump(mode="json"))

"""The calibration file: what `foggate calibrate` found, for one edge model, and the check that it is this one.

Read by the gateway, written by the evaluation; this module is the one place that knows its form.
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.core.errors import ConfigError
from app.data.files import read_model, write_model

# A threshold above every signal: whatever it is served to goes to the cloud. 1.0 would keep a signal of exactly 1.
ROUTES_ALL = 1.01
# A cloud rate this near to the target counts as the target: with five buckets few rates can be reached.
RATE_TOLERANCE = 0.02

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Threshold = Annotated[float, Field(ge=0, le=ROUTES_ALL, allow_inf_nan=False)]
Interval = tuple[float, float]
# What the test half says of a target: its interval lies within what was asked for, outside of it, or holds both.
Held = Literal["held", "refuted", "not enough data"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Target(_Part):
    """What was asked for. `delta`: the edge error may be exceeded with at most this probability."""

    kind: Literal["cloud_rate", "accuracy", "edge_error"]
    value: Share
    delta: Share | None = None
    per_domain: bool = False

    def outcome(self, *, cloud_rate_ci: Interval | None, accuracy_ci: Interval | None, edge_error_ci: Interval | None) -> Held:
        """What 95 % intervals on the test half say of this target; no interval (None) says nothing."""
        allowed, interval = {
            "cloud_rate": ((self.value - RATE_TOLERANCE, self.value + RATE_TOLERANCE), cloud_rate_ci),
            "accuracy": ((self.value, 1.0), accuracy_ci),
            "edge_error": ((0.0, self.value), edge_error_ci),
        }[self.kind]
        found = interval or (0.0, 1.0)
        if allowed[0] <= found[0] and found[1] <= allowed[1]:
            return "held"
        return "refuted" if found[1] < allowed[0] or allowed[1] < found[0] else "not enough data"


class Achieved(_Part):
    """What thresholds do on test questions that they serve, which had no part in choosing them. Fractions; intervals are 95 %.

    Attributes:
        n_cloud: questions with a cloud answer, on which `accuracy` and `lift` are measured; None means all of them.
        accuracy: None where no question has a cloud answer, and so is `lift`.
        edge_error: None where nothing is kept.
        lift_ci: None where the questions give no interval, as the other intervals are with fewer than two questions.
    """

    n: int
    n_cloud: int | None = None
    kept: int
    cloud_rate: float
    cloud_rate_ci: Interval | None
    accuracy: float | None
    accuracy_ci: Interval | None
    edge_error: float | None
    edge_error_ci: Interval | None
    lift: float | None
    lift_ci: Interval | None
    held: Held


class DomainThreshold(_Part):
    """One domain's own threshold; `n` is the number of its questions in the fit half, `achieved` is None where no test question was left."""

    tau: Threshold
    n: int
    achieved: Achieved | None = None


class Calibration(_Part):
    """Everything that a gateway and a reader need to know about a choice of tau.

    Attributes:
        tau: served to every question whose domain has no threshold of its own in `domains`: to all questions, or to the
            domains of `pooled`, to other domains and to questions without a domain.
        pooled: domains that were too small for a threshold of their own; `tau` was chosen on them together.
        achieved: on the whole test half, each question by the threshold that serves it.
        n_shared: questions of the fit half of the kind that `tau` serves. `tau` was chosen on them; where they were too few
            for a cloud rate or an accuracy, on the whole fit half.
        achieved_shared: what `tau` does on the test questions of that kind; None where `achieved` says it, or where none was left.
        scope: for whom the target is promised and for whom it is not, in plain words.
        recommendation: whether to route on this signal, in plain words.
    """

    version: Literal[2] = 2
    signal: Literal["verbalized", "expected"]
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    tau: Threshold
    domains: dict[str, DomainThreshold] = {}
    pooled: list[str] = []
    target: Target
    achieved: Achieved
    n_shared: int | None = None
    achieved_shared: Achieved | None = None
    scope: str = ""
    recommendation: str
    n_fit: int
    n_test: int
    seed: int
    data_fingerprint: str
    edge_model: str
    edge_adapter: str | None
    edge_fingerprint: str | None
    prompt_version: str
    # Of the rendered prompts; files of earlier versions do not say.
    prompt_fingerprint: str | None = None
    cloud_model: list[str]
    created: date

    @model_validator(mode="before")
    @classmethod
    def _from_old_name(cls, content: Any) -> Any:
        """Read a file that calls its recommendation a verdict, as earlier versions did."""
        if not isinstance(content, dict) or "verdict" not in content or "recommendation" in content:
            return content
        return {("recommendation" if key == "verdict" else key): value for key, value in content.items()}

    @model_validator(mode="before")
    @classmethod
    def _from_version_1(cls, content: Any) -> Any:
        """Read a file of version 1, whose `held` was true where the target was merely not refuted."""
        if not isinstance(content, dict) or content.get("version") != 1:
            return content
        target, domains = content.get("target"), content.get("domains", {})
        renewed = {**content, "version": 2, "achieved": _three_valued(content.get("achieved"), target)}
        if isinstance(target, dict) and target.get("per_domain"):
            renewed["scope"] = _SCOPE_OF_VERSION_1
        if isinstance(domains, dict):
            renewed["domains"] = {
                name: {**own, "achieved": _three_valued(own.get("achieved"), target)} if isinstance(own, dict) else own
                for name, own in domains.items()
            }
        return renewed

    def summary(self) -> dict[str, Any]:
        """What `/v1/models` says of it, as plain values."""
        shown = {"signal", "temperature", "tau", "domains", "pooled", "target", "achieved", "achieved_shared", "scope", "recommendation"}
        shown |= {"data_fingerprint", "created"}
        return self.model_dump(mode="json", include=shown)

    def check(self, *, edge_model: str, fingerprint: str, prompt_version: str, prompt_fingerprint: str | None = None) -> None:
        """Refuse another edge than the one that was calibrated.

        Args:
            edge_model: as answers name it, `base` or `base+adapter`.
            fingerprint: of the loaded weights.
            prompt_version: of the prompt that is served.
            prompt_fingerprint: of the prompts as the model's chat template renders them; None where it is not known yet.

        Raises:
            ConfigError: what differs, both values.
        """
        found = self.difference(
            edge_model=edge_model, fingerprint=fingerprint, prompt_version=prompt_version, prompt_fingerprint=prompt_fingerprint
        )
        if found:
            what, calibrated, served = found
            raise ConfigError(
                f"policy.calibration is for another {what}: it was made with {calibrated}, "
                f"the gateway serves {served}; calibrate again or take the file out of the configuration"
            )

    def difference(
        self, *, edge_model: str, fingerprint: str, prompt_version: str, prompt_fingerprint: str | None
    ) -> tuple[str, str, str] | None:
        """What another edge than the calibrated one differs in first, with the calibrated and the other value; None if in nothing.

        The arguments are those of `check`.
        """
        model, adapter = split_name(edge_model)
        pairs = [
            ("edge model", self.edge_model, model),
            ("adapter", self.edge_adapter, adapter),
            ("prompt version", self.prompt_version, prompt_version),
            ("weights fingerprint", self.edge_fingerprint or fingerprint, fingerprint),
        ]
        if self.prompt_fingerprint and prompt_fingerprint:
            pairs.append(
                ("rendering of the prompt (chat template, tokenizer or prompt family)", self.prompt_fingerprint, prompt_fingerprint)
            )
        return next(((what, mine or "none", other or "none") for what, mine, other in pairs if mine != other), None)


_SCOPE_OF_VERSION_1 = (
    "An earlier version chose the threshold of small, other and unnamed domains on all questions together: nothing is promised for them."
)


def _three_valued(achieved: Any, target: Any) -> Any:
    """The numbers of a version 1 file with `held` as it would be said now; what is damaged is left for the validation to find."""
    if not isinstance(achieved, dict) or not isinstance(achieved.get("held"), bool):
        return achieved
    if not achieved["held"]:
        return {**achieved, "held": "refuted"}
    try:
        held = Target.model_validate(target).outcome(**{key: achieved[key] for key in ("cloud_rate_ci", "accuracy_ci", "edge_error_ci")})
    except (KeyError, TypeError, ValueError, IndexError):
        return achieved
    return {**achieved, "held": held}


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

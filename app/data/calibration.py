"""The calibration file that `foggate calibrate` writes for one edge model, and the check that an edge is this one.

The evaluation writes it and the gateway reads it; this module is the only place that knows its form.
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.core.errors import ConfigError
from app.core.fitted import Logistic
from app.core.letter_prior import LetterPrior
from app.core.option_numbers import OptionNumbers
from app.core.permutation import Permutation
from app.core.verdict import Signal
from app.data.calibration_upgrade import upgraded
from app.data.curve import Curve
from app.data.files import read_model, write_model
from app.data.fitted import FittedModel
from app.data.letter_prior import LetterPriorModel
from app.data.option_counts import OptionCounts
from app.data.target import Held, Interval, Target

# A threshold above every signal, with which every question goes to the cloud. 1.0 would keep a signal of exactly 1.
ROUTES_ALL = 1.01

Threshold = Annotated[float, Field(ge=0, le=ROUTES_ALL, allow_inf_nan=False)]
# The version of a file with a letter prior that does not name numbers of options, and that of a file that does.
_WITH_PRIOR: Literal[3] = 3
_WITH_OPTIONS: Literal[4] = 4


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Achieved(_Part):
    """What thresholds achieve on test questions that they serve and that had no part in choosing them. Fractions; 95 % intervals.

    Attributes:
        n_cloud: number of questions with a cloud answer, on which `accuracy` and `lift` are measured; None means all.
        accuracy: accuracy of the system; None where no question has a cloud answer, as `lift` is.
        edge_error: error rate of the kept edge answers; None where none is kept.
        lift_ci: interval of the lift over random; None where the questions give none. The other intervals are None for fewer than two
            questions.
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


class PermutationRule(_Part):
    """By which rule a question just below its threshold is read again (`app.core.permutation`).

    Attributes:
        reads: number of orders of the options that are averaged.
        band: width of the band below the threshold, in units of the signal.
        reread_share: share of the questions of the test half that are read again.
    """

    reads: Annotated[int, Field(ge=2)]
    band: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    reread_share: float

    def rule(self) -> Permutation:
        """The rule as the gateway applies it."""
        return Permutation(self.reads, self.band)


class Calibration(_Part):
    """Everything that a gateway and a reader need about a choice of tau.

    Attributes:
        tau: threshold of every question whose domain is not in `domains`: of all questions, or of the domains of `pooled`, of
            other domains, and of questions without a domain.
        pooled: domains that were too small for their own threshold; `tau` was chosen on them together.
        achieved: results on the whole test half, each question with the threshold that serves it.
        n_shared: questions of the fit half of the kind that `tau` serves. `tau` was chosen on them; where they were too few
            for a cloud rate or an accuracy, on the whole fit half.
        achieved_shared: results of `tau` on the test questions of that kind; None where `achieved` holds them, or where there is none.
        scope: for whom the target is promised and for whom it is not, in plain words.
        recommendation: whether to route on this signal, in plain words.
        fitted: the model of the signal `fitted`; None with every other signal.
        permutation: rule by which questions are read again; None where each is read once.
        test_fingerprint: fingerprint of the questions of the test half; None in files of earlier versions.
        letter_prior: preference for letters that is divided out before anything else is read; None where none is.
        options: numbers of options of the questions that the thresholds are for; None in files of earlier versions, which do not name them.
        version: 4 with `options`, 3 with a letter prior and without `options`, else 2, so that a gateway of an earlier version, which would
            route without them, refuses the file.
    """

    version: Literal[2, 3, 4] = 2
    signal: Signal
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
    # Fingerprint of the rendered prompts; earlier versions did not write it.
    prompt_fingerprint: str | None = None
    cloud_model: list[str]
    created: date
    fitted: FittedModel | None = None
    permutation: PermutationRule | None = None
    test_fingerprint: str | None = None
    # For the page; earlier versions did not write it.
    curve: Curve | None = None
    letter_prior: LetterPriorModel | None = None
    options: OptionCounts | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_earlier_versions(cls, content: Any) -> Any:
        return upgraded(content)

    @model_validator(mode="after")
    def _model_of_its_signal(self) -> "Calibration":
        if self.signal is Signal.FITTED and self.fitted is None:
            raise ValueError("its signal is 'fitted', and it holds no model of that signal; calibrate again")
        if self.signal is not Signal.FITTED and self.fitted is not None:
            raise ValueError(f"it holds a model of the signal 'fitted', and its signal is '{self.signal}'; calibrate again")
        return self

    @model_validator(mode="after")
    def _version_of_its_parts(self) -> "Calibration":
        wanted = version_of(options=self.options is not None, letter_prior=self.letter_prior is not None)
        if self.version != wanted:
            held = [
                name for name, part in (("numbers of options", self.options), ("a letter prior", self.letter_prior)) if part is not None
            ]
            said = " and ".join(held) or "neither numbers of options nor a letter prior"
            raise ValueError(f"its version is {self.version}, and it holds {said}, as files of version {wanted} do; calibrate again")
        if self.letter_prior is not None and self.signal is Signal.VERBALIZED:
            raise ValueError("its signal is 'verbalized', whose answer no letter prior changes, and it holds one; calibrate again")
        return self

    @property
    def option_numbers(self) -> OptionNumbers | None:
        """The numbers of options that the thresholds are for; None in a file of an earlier version that does not show them."""
        if self.options is not None:
            return self.options.option_numbers()
        return None if self.fitted is None else self.fitted.option_numbers()

    @property
    def prior(self) -> LetterPrior | None:
        """The letter prior as the gateway applies it; None without one."""
        return None if self.letter_prior is None else self.letter_prior.prior()

    @property
    def logistic(self) -> Logistic | None:
        """The model of the signal `fitted` as the gateway evaluates it; None with every other signal."""
        return None if self.fitted is None else self.fitted.logistic()

    def summary(self) -> dict[str, Any]:
        """The part that `/v1/models` shows, as plain values; what a calibration need not have only where it has it."""
        shown = {"signal", "temperature", "tau", "domains", "pooled", "target", "achieved", "achieved_shared", "scope", "recommendation"}
        shown |= {"data_fingerprint", "created"} | {
            name for name in ("fitted", "letter_prior", "options") if getattr(self, name) is not None
        }
        return self.model_dump(mode="json", include=shown)

    def check(self, *, edge_model: str, fingerprint: str, prompt_version: str, prompt_fingerprint: str | None = None) -> None:
        """Refuse another edge than the one that was calibrated.

        Args:
            edge_model: name of the edge model in answers, `base` or `base+adapter`.
            fingerprint: fingerprint of the loaded weights.
            prompt_version: version of the prompt that is served.
            prompt_fingerprint: fingerprint of the prompts as the model's chat template renders them; None if it is not known yet.

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
        """The first difference between an edge and the calibrated one, with the calibrated and the other value; None if there is none.

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


def version_of(*, options: bool, letter_prior: bool) -> Literal[2, 3, 4]:
    """The version of a file that names numbers of options, or not, and holds a letter prior, or not."""
    if options:
        return _WITH_OPTIONS
    return _WITH_PRIOR if letter_prior else 2


def split_name(edge_model: str) -> tuple[str, str | None]:
    """`base+adapter` → both; without an adapter the second is None."""
    model, _, adapter = edge_model.partition("+")
    return model, adapter or None


def read_calibration(path: Path) -> Calibration:
    """Read and validate. Raises ConfigError."""
    return read_model(path, Calibration, "calibration")


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write whole or not at all; without what it does not have, as earlier versions read it. Raises ConfigError."""
    without = {name for name in ("letter_prior", "options") if getattr(calibration, name) is None}
    write_model(path, calibration.model_dump(mode="json", exclude=without))

"""What `foggate tune` aims at where nothing else is said, and what can be refused before hours of collecting."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.core.errors import ConfigError
from app.data.calibration import Calibration
from app.data.records import Record
from app.data.target import Target
from app.evaluation.cells import interval, percent, questions
from app.evaluation.risk import answers_needed, share_interval
from app.evaluation.sizes import FEWEST
from app.evaluation.split import halves
from app.evaluation.table import has_cloud, to_table

# Without a target and with a cloud: so much accuracy may be lost against the cloud alone.
WITHIN = 0.02
# Without a target and without a cloud: the share of the questions that goes to the cloud.
CLOUD_RATE = 0.4
# A cloud rate this near to 0 or 1 is nearly nothing or nearly everything.
_FEW = 0.05
_HALVES = 2
_PROPOSING = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """The target as it was asked for; at most one of the four is given.

    Attributes:
        cloud_rate: share of the questions that goes to the cloud.
        accuracy: accuracy of edge and cloud together.
        within: accuracy that may be lost against the cloud alone.
        edge_error: error rate of the answers that stay at the edge.
        delta: probability with which the bound of the edge error may fail.
        per_domain: whether large domains get thresholds of their own.
    """

    cloud_rate: float | None = None
    accuracy: float | None = None
    within: float | None = None
    edge_error: float | None = None
    delta: float = 0.1
    per_domain: bool = False

    def check(self, n: int, *, cloud: bool) -> None:
        """Refuse what cannot succeed with n questions, before any is asked.

        Args:
            n: number of questions.
            cloud: whether there will be answers of a cloud.

        Raises:
            ConfigError: two targets; a target that needs a cloud where there is none; or too few questions.
        """
        given = {
            "--target-cloud-rate": self.cloud_rate,
            "--target-accuracy": self.accuracy,
            "--within": self.within,
            "--max-edge-error": self.edge_error,
        }
        named = [name for name, value in given.items() if value is not None]
        if len(named) > 1:
            raise ConfigError(f"give one target: {' or '.join(named)}")
        if not cloud and (self.accuracy is not None or self.within is not None):
            raise ConfigError(
                f"{named[0]} is about edge and cloud together, and no cloud is asked: configure one (cloud.base_url, "
                "FOGGATE_CLOUD__BASE_URL), or choose by --target-cloud-rate or --max-edge-error, which need none"
            )
        if self.edge_error is not None:
            _check_promise(n, self.edge_error, self.delta)
        elif n < _HALVES * FEWEST:
            raise ConfigError(
                f"{questions(n)} {'is' if n == 1 else 'are'} too few to choose a threshold: {FEWEST} are needed to choose it and {FEWEST} others "
                f"to check it, {_HALVES * FEWEST} in all"
            )

    def target(self, records: Sequence[Record], seed: int) -> tuple[Target, str]:
        """The target of the calibration, and a sentence that says why it is this one.

        Args:
            records: records as `load_records` checked them.
            seed: seed of the calibration's split into halves.
        """
        if self.edge_error is not None:
            return self._target("edge_error", self.edge_error, self.delta), "The target is the one of --max-edge-error."
        if self.cloud_rate is not None:
            return self._target("cloud_rate", self.cloud_rate), "The target is the one of --target-cloud-rate."
        if self.accuracy is not None:
            return self._target("accuracy", self.accuracy), "The target is the one of --target-accuracy."
        if (n := sum(map(_whole, records))) >= _HALVES * FEWEST:
            return self._near_cloud(records, seed)
        known = "No cloud answer is known" if not n else f"Only {questions(n)} {'has' if n == 1 else 'have'} both answers"
        return self._target("cloud_rate", CLOUD_RATE), (
            f"{known}, so what a question gains at the cloud cannot be known. The target is a cloud rate of {percent(CLOUD_RATE)} %: those "
            f"{percent(CLOUD_RATE)} % of the questions with the lowest signal go to the cloud. Choose another share with --target-cloud-rate, or bound "
            "the error of the answers that stay with --max-edge-error."
        )

    def _near_cloud(self, records: Sequence[Record], seed: int) -> tuple[Target, str]:
        table = to_table(records)
        fit, _ = halves(len(table), seed)
        correct, n = int(table.cloud_correct[fit].sum()), len(fit)
        within = WITHIN if self.within is None else self.within
        # Rounded down, so that rounding cannot make it unreachable.
        wanted = max(0.0, float(np.floor((correct / n - within) * 1e4) / 1e4))
        given = "No target was given, so the target is" if self.within is None else "By --within the target is"
        return self._target("accuracy", wanted), (
            f"{given} the lowest cloud rate that loses at most {100 * within:g} points of accuracy against the cloud alone. On the half of the questions "
            f"that chooses the threshold the cloud is correct on {percent(correct / n)} % {interval(share_interval(correct, n))} (n = {n}), so the "
            f"system has to reach {percent(wanted)} %. Other targets: --target-cloud-rate, --target-accuracy, --within, --max-edge-error."
        )

    def _target(self, kind: str, value: float, delta: float | None = None) -> Target:
        return Target.model_validate({"kind": kind, "value": value, "delta": delta, "per_domain": self.per_domain})


def advice(found: Calibration) -> list[str]:
    """What to do where the threshold keeps nearly nothing, or nearly everything, to reach an accuracy; otherwise nothing."""
    achieved = found.achieved
    if found.target.kind != "accuracy" or _FEW < achieved.cloud_rate < 1 - _FEW:
        return []
    if achieved.cloud_rate >= 1 - _FEW:
        said = (
            "To reach this accuracy nearly every question has to go to the cloud: the edge model's answers are not correct often enough where its signal "
            "is high. An edge model that knows more (edge.model) keeps more. With --target-cloud-rate you accept a loss of accuracy for fewer cloud calls; "
            "the page shows how much."
        )
        return [said]
    return ["The edge alone reaches this accuracy, so nearly no question goes to the cloud."]


def _whole(record: Record) -> bool:
    return record["edge_answer"] is not None and has_cloud(record)


def _check_promise(n: int, edge_error: float, delta: float) -> None:
    needed = answers_needed(edge_error, delta)
    if needed is None:
        raise ConfigError("an error of 0 cannot be promised with any number of answers: give --max-edge-error a larger value")
    if _testing(n) >= needed:
        return
    enough = next(size for size in range(n, 7 * needed + 7) if _testing(size) >= needed)
    raise ConfigError(
        f"{questions(n)} cannot promise an edge error of {edge_error:g} at delta = {delta:g}: even without a single wrong answer it takes {needed:,} kept "
        f"answers among the third of the questions that tests the promise, which is {enough:,} questions; more where answers are wrong "
        "(foggate calibrate --plan says how many)"
    )


def _testing(n: int) -> int:
    """Questions of n that test a promise: those of the fit half that do not propose thresholds."""
    fit = n // _HALVES
    return fit - fit // _PROPOSING

"""The gate: decide whether a checkpoint replaces the last promoted one. Both answered the same dev rows and are compared row by row.

Between two checkpoints that are equally good some answers still flip, each way as often. On 50 rows a domain easily loses ten
points by that alone, so a loss counts only where chance does not explain it. The number of answers that went from correct to
wrong is compared with the number that went the other way (McNemar 1947). The largest of these statistics, over all domains and
their mean, is compared with the largest that the same flips give when each goes either way at random (a permutation test with
the maximum statistic of Westfall and Young 1993, which is exact and corrected for looking at every domain).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.errors import ConfigError
from app.core.verdict import Signal
from app.data.records import Record
from app.evaluation import statistics as st
from app.evaluation.table import Table, to_table
from app.training.config import GateConfig
from app.training.state import CheckEntry

MEAN, CALIBRATION = "mean", "calibration"
_BINS = 10
_FLIPS = 10_000
_RESAMPLES = 2000
# Share of `gate.level` that the tests of the accuracy use; the test of the calibration error gets the rest.
_ACCURACY_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison with the last promoted checkpoint.

    Attributes:
        name: name of a domain, `mean` or `calibration`.
        loss: loss of edge accuracy, or increase of the calibration error; a fraction.
        at_least: lower end of the loss's one-sided interval; the intervals of all checks hold together at `1 − gate.level`.
        p: how often chance alone gives a loss as clear as this in any domain or in their mean; None for `calibration`.
        refused: whether this check speaks against the checkpoint.
    """

    name: str
    loss: float
    at_least: float
    p: float | None
    refused: bool

    @property
    def reason(self) -> str:
        """Why the checkpoint is refused, for people."""
        if self.name == CALIBRATION:
            return f"the calibration error grew by {self.loss:.3f} (by {self.at_least:.3f} at least)"
        where = "the mean over domains" if self.name == MEAN else self.name
        return f"{where} lost {100 * self.loss:.1f} points of edge accuracy (p = {self.p:.2g})"

    @property
    def entry(self) -> CheckEntry:
        """The check as `chain.json` keeps it, rounded to six digits."""
        p = None if self.p is None else round(self.p, 6)
        return CheckEntry(name=self.name, loss=round(self.loss, 6), at_least=round(self.at_least, 6), p=p, refused=self.refused)


@dataclass(frozen=True, slots=True)
class GateDecision:
    """Whether a checkpoint is promoted.

    Attributes:
        reasons: why it must not be promoted, one sentence each; empty if it may.
        checks: everything that was compared: every domain, their mean, and the calibration error.
    """

    reasons: tuple[str, ...]
    checks: tuple[Check, ...]

    @property
    def promote(self) -> bool:
        """Whether nothing speaks against the checkpoint."""
        return not self.reasons


def decide(after: Sequence[Record], before: Sequence[Record], config: GateConfig, *, entropy: float, seed: int) -> GateDecision:
    """Decide whether a checkpoint replaces the last promoted one.

    Args:
        after: the checkpoint's records of the dev rows.
        before: records of the last promoted checkpoint, of the same rows in the same order.
        config: the bounds.
        entropy: entropy of the checkpoint's verbalized confidences, in nats.
        seed: seed of the random flips and of the bootstrap.

    Raises:
        ConfigError: the records are not of the same questions.
    """
    new, old = to_table(after), to_table(before)
    if [record["id"] for record in new.records] != [record["id"] for record in old.records]:
        raise ConfigError("the dev records of the two checkpoints are not of the same questions, so the gate cannot compare them")
    checks = [*_accuracy_checks(new, old, config, seed), _calibration_check(new, old, config, seed)]
    reasons = [check.reason for check in checks if check.refused]
    if entropy < config.min_entropy:
        reasons.append(f"the confidence vocabulary collapsed (entropy {entropy:.2f} nats)")
    return GateDecision(tuple(reasons), tuple(checks))


def _accuracy_checks(new: Table, old: Table, config: GateConfig, seed: int) -> list[Check]:
    """Checks of every domain and of their mean: refused where more is lost than allowed, and chance does not explain the loss."""
    signal = Signal.VERBALIZED.value
    lost_row = old.edge_correct[signal].astype(int) - new.edge_correct[signal]
    names = new.domains
    of = np.array([new.domain == name for name in names])
    rows, flips, lost = of.sum(axis=1), of @ np.abs(lost_row), of @ lost_row
    losses = np.append(lost / rows, np.mean(lost / rows))
    # The standard deviation of each loss when every flip goes either way at random; without a flip there is no loss to compare.
    spread = np.append(np.sqrt(flips) / rows, np.sqrt(np.sum(flips / rows**2)) / len(names))
    scale = np.where(spread > 0, spread, np.inf)
    flipped = 2 * np.random.default_rng(seed).binomial(flips, 0.5, size=(_FLIPS, len(names))) - flips
    by_chance = np.column_stack([flipped / rows, np.mean(flipped / rows, axis=1)]) / scale
    highest = np.sort(by_chance.max(axis=1))
    # Ties of exact fractions must not be broken by rounding.
    p = (1 + len(highest) - np.searchsorted(highest, losses / scale - 1e-9)) / (1 + len(highest))
    level = _ACCURACY_SHARE * config.level
    critical = float(np.quantile(highest, 1 - level, method="higher"))
    allowed = np.append(np.full(len(names), config.max_accuracy_loss), config.max_mean_loss)
    refused = (p <= level) & (losses > allowed + 1e-9)
    ends = losses - critical * spread
    return [
        Check(name, float(loss), float(end), float(chance), bool(no))
        for name, loss, end, chance, no in zip([*names, MEAN], losses, ends, p, refused, strict=True)
    ]


def _calibration_check(new: Table, old: Table, config: GateConfig, seed: int) -> Check:
    """Check of the calibration error: refused where it grew by more than allowed, and the interval of its increase is above zero.

    Both errors are corrected for what few rows add to them; the interval is as wide as the paired bootstrap's.
    """
    increase = _corrected_error(new) - _corrected_error(old)
    gaps = [_gaps(table) for table in (new, old)]
    drawn = np.concatenate(
        [
            (np.abs(counts @ gaps[0]).sum(axis=1) - np.abs(counts @ gaps[1]).sum(axis=1)) / len(new)
            for counts in st.bootstrap_counts(len(new), resamples=_RESAMPLES, seed=seed)
        ]
    )
    level = (1 - _ACCURACY_SHARE) * config.level
    at_least = increase - float(np.quantile(drawn, 1 - level) - np.mean(drawn))
    return Check(CALIBRATION, increase, at_least, None, increase > config.max_ece_increase and at_least > 0)


def _bins(table: Table) -> NDArray[np.int_]:
    """The bin of each row's expected confidence, as in `ece_fixed`."""
    return np.asarray(np.minimum((table.signal[Signal.EXPECTED.value] * _BINS).astype(int), _BINS - 1), dtype=np.int_)


def _gaps(table: Table) -> st.Floats:
    """Expected confidence less correctness of each row, in the column of its bin: `[rows, bins]`."""
    signal = Signal.EXPECTED.value
    found = np.zeros((len(table), _BINS))
    found[np.arange(len(table)), _bins(table)] = table.signal[signal] - table.edge_correct[signal]
    return found


def _corrected_error(table: Table) -> float:
    """Expected calibration error without what chance adds, which is more the more bins the same rows are spread over.

    The square of a bin's gap is too large by the variance of its sum, p·(1 − p) for each row; it is subtracted, as Kumar, Liang and
    Ma (2019) do for the squared error.
    """
    confidence = table.signal[Signal.EXPECTED.value]
    variance = np.bincount(_bins(table), weights=confidence * (1 - confidence), minlength=_BINS)
    squares = _gaps(table).sum(axis=0) ** 2
    return float(np.sqrt(np.maximum(squares - variance, 0)).sum() / len(table))

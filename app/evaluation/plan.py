"""From a pilot: how many labelled questions `foggate calibrate --max-edge-error` needs until its promise can be given.

The pilot stands for the questions to come. Calibrations of many sizes are simulated on questions drawn from it with replacement, each by
`risk.certify` on the half that chooses thresholds; what is counted is how often a promise is given that keeps the wanted share of answers.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.core.errors import ConfigError
from app.data.target import RATE_TOLERANCE
from app.evaluation import statistics as st
from app.evaluation.cells import questions
from app.evaluation.risk import answers_needed, binomial_cdf, certify, share_interval

# Shares of the questions that the edge keeps, for which a plan is made.
COVERAGES = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
# The share of the calibrations that a planned number of questions must let succeed: the usual power.
POWER = 0.8
# Questions that a pilot has at least; with fewer, the intervals of its error rates say nothing.
FEWEST_PILOT = 20
# No plan goes beyond this number of labelled questions.
MOST = 20_000
_RUNS = 200
# So many calibrations are simulated at a time; their share is clear when it is so many standard errors from the wanted one.
_FIRST_RUNS, _CLEAR = 40, 2.5
# Of n questions n/2 choose the threshold; a third of these propose thresholds, and n/3 test the promise.
_QUESTIONS_PER_TEST = 3
# A planned number is searched for to within a factor of 2^(1/8), which is nine percent.
_HALVINGS = 3


@dataclass(frozen=True, slots=True)
class Need:
    """What it takes to promise the error and to keep at least a share of the answers.

    Attributes:
        coverage: the share of the answers to keep, at least.
        kept: how many answers of the pilot the most promising threshold keeps that keeps this share. A threshold that keeps more may be
            easier to promise: more answers test it.
        wrong: how many of these are wrong.
        error: their error rate.
        error_ci: its exact 95 % interval.
        needed: labelled questions with which the promise is given in `POWER` of the calibrations, if the pilot's error rate is the true one;
            None where no number up to `MOST` suffices.
        needed_low: the same if the true error rate is at the low end of its interval.
        needed_high: the same if it is at the high end.
    """

    coverage: float
    kept: int
    wrong: int
    error: float
    error_ci: tuple[float, float]
    needed: int | None
    needed_low: int | None
    needed_high: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan for one promise.

    Attributes:
        n: number of questions of the pilot.
        max_error: the error rate to promise.
        delta: probability with which the promise may fail.
        power: share of the calibrations in which the promise is given with the planned numbers.
        needs: one entry for each share of answers to keep.
    """

    n: int
    max_error: float
    delta: float
    power: float
    needs: tuple[Need, ...]

    @property
    def cheapest(self) -> Need | None:
        """The need with the fewest questions, of several the one that keeps most; None where no number suffices for any."""
        possible = [need for need in self.needs if need.needed is not None]
        return min(possible, key=lambda need: (need.needed or 0, -need.coverage)) if possible else None


def plan(
    signal: st.Floats,
    wrong: st.Flags,
    *,
    max_error: float,
    delta: float,
    seed: int = 0,
    runs: int = _RUNS,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Plan:
    """How many labelled questions it takes to promise an error among the kept answers.

    Args:
        signal: `[n]`, the signal of each question of the pilot.
        wrong: `[n]`, whether the edge answer is wrong.
        max_error: the error rate to promise, between 0 and 1 (neither of them).
        delta: probability with which the promise may fail.
        seed: seed of the simulation.
        runs: number of simulated calibrations of each size.
        on_progress: called with each size before its calibrations are simulated.

    Raises:
        ConfigError: the pilot has too few questions, or the error rate is one that needs no plan or that no number of answers promises.
    """
    if answers_needed(max_error, delta) is None:
        raise ConfigError("an error of 0 cannot be promised with any number of answers: give --max-edge-error a larger value")
    if max_error >= 1:
        raise ConfigError("every answer keeps an error of at most 1: give --max-edge-error a smaller value")
    if len(signal) < FEWEST_PILOT:
        raise ConfigError(
            f"a pilot of {questions(len(signal))} with an edge answer is too small to plan from: collect {FEWEST_PILOT} at least"
        )
    pilot = _Pilot(signal, wrong, max_error, delta, seed, runs, on_progress)
    return Plan(len(signal), max_error, delta, POWER, tuple(pilot.need(coverage) for coverage in COVERAGES))


class _Pilot:
    """A population made of the questions of a pilot, and how often calibrations on samples of it succeed."""

    def __init__(  # noqa: PLR0917  # as `plan` takes them
        self, signal: st.Floats, wrong: st.Flags, max_error: float, delta: float, seed: int, runs: int, on_progress: Callable[[int], None]
    ) -> None:
        order = np.argsort(-signal, kind="stable")
        self._signal, self._wrong = signal[order], wrong[order]
        self._max_error, self._delta, self._seed, self._runs, self._on_progress = max_error, delta, seed, runs, on_progress
        # At each distinct value of the signal: how many answers a threshold there keeps, and how many of them are wrong.
        self._kept = np.flatnonzero(np.append(self._signal[1:] != self._signal[:-1], True)) + 1
        self._errors = np.cumsum(self._wrong)[self._kept - 1]
        self._known: dict[int, float | None] = {}
        self._simulated: dict[int, list[float]] = {}

    def need(self, coverage: float) -> Need:
        at, by_one_test = self._most_promising(coverage)
        kept, errors = int(self._kept[at]), int(self._errors[at])
        share, error_ci = kept / len(self._signal), share_interval(errors, kept) or (0.0, 1.0)
        needed = self._smallest(coverage, by_one_test) if by_one_test is not None else None
        low, high = (self._by_one_test(end, share) for end in error_ci)
        if needed is not None and by_one_test is not None:
            # The ends follow from one test of the promise alone; the whole procedure needs more by about the same factor.
            factor = max(1.0, needed / by_one_test)
            low, high = (None if end is None else end * factor for end in (low, high))
            low = needed if low is None else min(low, needed)
            high = None if high is None else max(high, needed)
        return Need(coverage, kept, errors, errors / kept, error_ci, needed, _rounded(low), _rounded(high))

    def _most_promising(self, coverage: float) -> tuple[int, float | None]:
        """The place of the threshold that keeps the share and needs the fewest questions, and their number by one test of the promise.

        The number is None where no threshold has one; the place is then that of the threshold which keeps the fewest answers.
        """
        enough = np.flatnonzero(self._kept >= (coverage - RATE_TOLERANCE) * len(self._signal))
        # Every twentieth of the questions, as the certification proposes thresholds.
        steps = np.unique(np.searchsorted(self._kept, np.arange(1, 21) / 20 * len(self._signal)).clip(enough[0], len(self._kept) - 1))
        found = {at: self._at(at) for at in [int(enough[0]), *steps.tolist()]}
        possible = {at: n for at, n in found.items() if n is not None}
        if not possible:
            return int(enough[0]), None
        best = min(possible, key=possible.__getitem__)
        return best, possible[best]

    def _at(self, at: int) -> float | None:
        if at not in self._known:
            self._known[at] = self._by_one_test(float(self._errors[at] / self._kept[at]), self._kept[at] / len(self._signal))
        return self._known[at]

    def reaches(self, n: int, coverage: float) -> bool:
        """Whether enough of the calibrations on n questions promise the error and keep that share of the answers.

        As many calibrations are simulated as it takes to tell their share from `POWER`, up to the number of runs.
        """
        if n not in self._simulated:
            self._on_progress(n)
        shares = self._simulated.setdefault(n, [])
        for runs in range(_FIRST_RUNS, self._runs + _FIRST_RUNS, _FIRST_RUNS):
            shares.extend(self._calibrated(n, run) for run in range(len(shares), min(runs, self._runs)))
            reached = sum(share >= coverage - RATE_TOLERANCE for share in shares) / len(shares)
            if abs(reached - POWER) > _CLEAR * math.sqrt(POWER * (1 - POWER) / len(shares)):
                break
        return reached >= POWER

    def _calibrated(self, n: int, run: int) -> float:
        """The share of the pilot's answers that one simulated calibration keeps; -1 where it gives no promise."""
        drawn = np.random.default_rng((self._seed, n, run)).integers(len(self._signal), size=n // 2)
        found = certify(self._signal[drawn], self._wrong[drawn], max_error=self._max_error, delta=self._delta, seed=run)
        return -1.0 if found.tau is None else float((self._signal >= found.tau).mean())

    def _smallest(self, coverage: float, by_one_test: float) -> int | None:
        """The smallest number of questions with enough power, two digits of it; None where there is none up to `MOST`.

        Args:
            coverage: the share of the answers to keep.
            by_one_test: the number by one test alone, which the search does not go far below.
        """
        high = 2 * FEWEST_PILOT
        while high < by_one_test / 2 or not self.reaches(high, coverage):
            high *= 2
            if high > MOST:
                return None
        low = high / 2
        for _ in range(_HALVINGS):
            middle = round(math.sqrt(low * high))
            low, high = (low, middle) if self.reaches(middle, coverage) else (middle, high)
        return _rounded(high)

    def _by_one_test(self, error: float, coverage: float) -> float | None:
        """Labelled questions for the power of one test of the promise on that share of the answers; None where they exceed `MOST`."""
        high = 1
        while not self._has_power(high, error):
            high *= 2
            if high * _QUESTIONS_PER_TEST / coverage > MOST:
                return None
        low = high // 2
        while high - low > max(1, high // 50):
            middle = (low + high) // 2
            low, high = (low, middle) if self._has_power(middle, error) else (middle, high)
        return high * _QUESTIONS_PER_TEST / coverage

    def _has_power(self, kept: int, error: float) -> bool:
        """Whether the test on so many kept answers of that true error rate passes with the wanted power."""
        if error >= self._max_error or binomial_cdf(0, kept, self._max_error) > self._delta:
            return False
        # The most errors with which the test passes.
        low, high = 0, kept
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if binomial_cdf(middle, kept, self._max_error) <= self._delta else (low, middle)
        return binomial_cdf(low, kept, error) >= POWER


def _rounded(n: float | None) -> int | None:
    """Two significant digits, rounded up."""
    if n is None:
        return None
    step: int = 10 ** max(0, len(str(math.ceil(n))) - 2)
    return int(math.ceil(n / step) * step)

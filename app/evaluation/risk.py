"""A threshold with a promise: the error among the kept edge answers stays below a bound with probability 1 - delta.

Learn Then Test (Angelopoulos, Bates, Candès, Jordan and Lei 2021) with exact binomial p-values and split fixed-sequence
testing: one part of the data proposes thresholds and the order of testing, another part, which the order cannot know, tests
them one after the other at level delta until the first that fails. The last one that passed is taken, and the error
probability of the whole sequence is at most delta, for any sample size.
"""

import math
from dataclasses import dataclass

import numpy as np

from app.evaluation import statistics as st

# Few distinct values (buckets) are all tested; of a continuous signal these coverages of the proposing part.
_COVERAGES = np.arange(1, 21) / 20
# An exact bound is found when it moves by less than this; a bisection of the whole interval takes as many steps.
_EXACT, _MOST_STEPS = 1e-14, 60


@dataclass(frozen=True, slots=True)
class Certified:
    """A threshold that passed, or the evidence that none did.

    Attributes:
        tau: the lowest threshold in the sequence that passed; None where the first one failed already.
        wrong: wrong answers among those that the last threshold that passed (or the first) keeps of the testing part.
        kept: all answers of the testing part that this threshold keeps.
        delta: the level of the test.
    """

    tau: float | None
    wrong: int
    kept: int
    delta: float

    @property
    def bound(self) -> float:
        """Upper confidence bound, at level delta, of the error at that threshold."""
        return upper_bound(self.wrong, self.kept, self.delta)


def binomial_cdf(k: int, n: int, p: float) -> float:
    """P(at most k of n) with success probability p; exact, in log space."""
    return _cdf(_log_ways(k, n), n, p)


def _log_ways(k: int, n: int) -> st.Floats:
    """Logarithms of the binomial coefficients n over 0 … k, `[k + 1]`."""
    below = np.arange(min(k, n))
    return np.concatenate([np.zeros(1), np.cumsum(np.log(n - below) - np.log(below + 1))])


def _cdf(log_ways: st.Floats, n: int, p: float) -> float:
    """P(at most k of n) from the `k + 1` coefficients of `_log_ways`."""
    if p <= 0 or len(log_ways) > n:
        return 1.0
    if p >= 1:
        return 0.0
    successes = np.arange(len(log_ways))
    terms = log_ways + successes * math.log(p) + (n - successes) * math.log1p(-p)
    top = float(terms.max())
    return min(1.0, math.exp(top) * float(np.exp(terms - top).sum()))


def clopper_pearson(k: int, n: int, level: float = 0.05) -> tuple[float, float]:
    """The exact two-sided interval of a share (Clopper and Pearson 1934); (0, 1) where n is 0."""
    if n == 0:
        return 0.0, 1.0
    return 1 - upper_bound(n - k, n, level / 2), upper_bound(k, n, level / 2)


def share_interval(k: int, n: int, level: float = 0.05) -> tuple[float, float] | None:
    """`clopper_pearson` for reports and files: None with fewer than two questions, where an interval would mislead."""
    return clopper_pearson(k, n, level) if n > 1 else None


def answers_needed(max_error: float, delta: float) -> int | None:
    """How many kept answers, all of them correct, can promise an error of at most `max_error` at level delta; None if no number can.

    Exact binomial bound at no error: (1 - max_error)^n <= delta, so n = log(delta) / log(1 - max_error) (Clopper and Pearson 1934).
    """
    if max_error <= 0:
        return None
    return 1 if max_error >= 1 else math.ceil(math.log(delta) / math.log1p(-max_error))


def upper_bound(k: int, n: int, delta: float) -> float:
    """The largest p that k of n does not refute at level delta.

    Newton's method on the logarithm of P(at most k of n), whose derivative by p is -(n - k) · C(n, k) · p^k · (1 - p)^(n - k - 1) / P: six
    sums instead of the fifty of a bisection. Where a step leaves the interval that holds the bound, the interval is halved.
    """
    if k >= n:
        return 1.0
    log_ways = _log_ways(k, n)
    low, high, at = k / n, 1.0, (k + 1) / (n + 1)
    for _ in range(_MOST_STEPS):
        below = _cdf(log_ways, n, at)
        low, high = (at, high) if below > delta else (low, at)
        then = (low + high) / 2
        if below > 0:
            log_slope = float(log_ways[k]) + k * math.log(at) + (n - k - 1) * math.log1p(-at) + math.log(n - k) - math.log(below)
            step = (math.log(below) - math.log(delta)) * math.exp(-log_slope)
            if abs(step) < _EXACT:
                break
            then = at + step if low < at + step < high else then
        at = then
    return at


def proposing_part(n: int, seed: int) -> st.Flags:
    """The third of n rows, drawn by seed, that proposes thresholds; the rest tests them. `[n]`."""
    flags = np.zeros(n, dtype=np.bool_)
    flags[np.random.default_rng(seed).permutation(n)[: n // 3]] = True
    return flags


def certify(
    signal: st.Floats, wrong: st.Flags, *, max_error: float, delta: float, seed: int = 0, proposing: st.Flags | None = None
) -> Certified:
    """The lowest threshold whose kept answers are wrong with probability at most `max_error`, at confidence 1 - delta.

    Args:
        signal: `[n]`, exchangeable with what will be served.
        wrong: `[n]`, whether the edge answer is wrong.
        max_error: the bound on P(wrong | signal >= tau).
        delta: the probability with which the bound may be exceeded.
        seed: seed of the split into a proposing third and a testing rest.
        proposing: `[n]`, which rows propose, if the split exists already (because something else, such as a temperature, was
            fitted on these rows and must not have seen the testing ones); `seed` is not used then.
    """
    proposes = proposing_part(len(signal), seed) if proposing is None else proposing
    thresholds = _candidates(signal[proposes])

    proposed, tested = (_evidence(signal[rows], wrong[rows], thresholds) for rows in (proposes, ~proposes))
    promise = [binomial_cdf(*found, max_error) for found in proposed]
    first = int(np.argmin(promise)) if len(thresholds) else 0
    passed = None
    errors, count = 0, 0
    for tau, now in zip(thresholds[first:].tolist(), tested[first:], strict=True):
        ok = binomial_cdf(*now, max_error) <= delta
        if ok or passed is None:
            errors, count = now
        if not ok:
            break
        passed = float(tau)
    return Certified(passed, errors, count, delta)


def _evidence(signal: st.Floats, wrong: st.Flags, thresholds: st.Floats) -> list[tuple[int, int]]:
    """Wrong answers among those kept, and answers kept, at each threshold."""
    order = np.argsort(signal, kind="stable")
    below = np.searchsorted(signal[order], thresholds, side="left")
    errors = np.concatenate([[0], np.cumsum(wrong[order])])
    return list(zip((errors[-1] - errors[below]).tolist(), (len(signal) - below).tolist(), strict=True))


def _candidates(signal: st.Floats) -> st.Floats:
    """Candidate thresholds, highest first."""
    # A question without a signal is kept by no threshold, so it proposes none.
    given = signal[np.isfinite(signal)]
    distinct = np.unique(given)
    if len(distinct) <= len(_COVERAGES):
        return distinct[::-1]
    return np.unique(np.quantile(given, 1 - _COVERAGES, method="lower"))[::-1]

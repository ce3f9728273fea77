"""A cut with a promise: the error among the kept edge answers stays below a bound with probability 1 - delta.

Learn Then Test (Angelopoulos, Bates, Candès, Jordan and Lei 2021) with exact binomial p-values and split fixed-sequence
testing: one part of the data proposes cuts and the order of testing, another part, which the order cannot know, tests
them one after the other at level delta until the first that fails. The last one that passed is taken, and the error
probability of the whole sequence is at most delta, for any sample size.
"""

import math
from dataclasses import dataclass

import numpy as np

from app.evaluation import statistics as st

# Few distinct values (buckets) are all tested; of a continuous signal these coverages of the proposing part.
_COVERAGES = np.arange(1, 21) / 20


@dataclass(frozen=True, slots=True)
class Certified:
    """A cut that passed, or the best that can be said where none did.

    Attributes:
        tau: the lowest cut in the sequence that passed; None where the first one failed already.
        bound: upper confidence bound, at level delta, of the error at the last cut that passed (or at the first).
        kept: answers of the testing part that this cut keeps.
    """

    tau: float | None
    bound: float
    kept: int


def binomial_cdf(k: int, n: int, p: float) -> float:
    """P(at most k of n) with success probability p; exact, in log space."""
    if p <= 0 or k >= n:
        return 1.0
    if p >= 1:
        return 0.0
    terms = [
        math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * math.log(p) + (n - i) * math.log1p(-p) for i in range(k + 1)
    ]
    top = max(terms)
    return min(1.0, math.exp(top) * math.fsum(math.exp(term - top) for term in terms))


def clopper_pearson(k: int, n: int, level: float = 0.05) -> tuple[float, float]:
    """The exact two-sided interval of a share (Clopper and Pearson 1934); (0, 1) where n is 0."""
    if n == 0:
        return 0.0, 1.0
    return 1 - upper_bound(n - k, n, level / 2), upper_bound(k, n, level / 2)


def upper_bound(k: int, n: int, delta: float) -> float:
    """The largest p that k of n does not refute at level delta."""
    if k >= n:
        return 1.0
    low, high = k / n, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if binomial_cdf(k, n, middle) > delta else (low, middle)
    return high


def certify(signal: st.Floats, wrong: st.Flags, *, max_error: float, delta: float, seed: int) -> Certified:
    """The lowest cut whose kept answers are wrong with probability at most `max_error`, at confidence 1 - delta.

    Args:
        signal: `[n]`, exchangeable with what will be served.
        wrong: `[n]`, whether the edge answer is wrong.
        max_error: the bound on P(wrong | signal >= tau).
        delta: the probability with which the bound may be exceeded.
        seed: of the split into a proposing third and a testing rest.
    """
    order = np.random.default_rng(seed).permutation(len(signal))
    proposing, testing = order[: len(order) // 3], order[len(order) // 3 :]
    cuts = _cuts(signal[proposing])

    def evidence(rows: np.ndarray, tau: float) -> tuple[int, int]:
        kept = signal[rows] >= tau
        return int(wrong[rows][kept].sum()), int(kept.sum())

    promise = [binomial_cdf(*evidence(proposing, tau), max_error) if evidence(proposing, tau)[1] else 1.0 for tau in cuts]
    first = int(np.argmin(promise)) if len(cuts) else 0
    passed = None
    bound, kept = 1.0, 0
    for tau in cuts[first:]:
        errors, count = evidence(testing, tau)
        ok = count > 0 and binomial_cdf(errors, count, max_error) <= delta
        if ok or passed is None:
            bound, kept = upper_bound(errors, count, delta) if count else 1.0, count
        if not ok:
            break
        passed = float(tau)
    return Certified(passed, bound, kept)


def _cuts(signal: st.Floats) -> st.Floats:
    """Candidate cuts, highest first."""
    distinct = np.unique(signal)
    if len(distinct) <= len(_COVERAGES):
        return distinct[::-1]
    return np.unique(np.quantile(signal, 1 - _COVERAGES, method="lower"))[::-1]

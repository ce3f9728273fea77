"""Populations whose true rates, accuracies and errors are known, to count how often a calibration keeps its word."""

import math
from dataclasses import dataclass
from datetime import date

import numpy as np

from app.core.errors import ConfigError
from app.core.verdict import Signal
from app.data.target import Target
from app.evaluation.calibrate import calibrate
from tests.support.records import record

TODAY = date(2026, 1, 2)


@dataclass(frozen=True)
class Domain:
    """An expected confidence uniform from 0 to `top`; the edge is wrong with probability `wrong` - `slope` · that, the cloud right with `cloud`.

    `share` is how many of the population's questions are of this domain. The questions have two options; their margin is the expected
    confidence too, and their top probability follows from it (`as_expected`).
    """

    name: str
    share: float
    wrong: float
    slope: float = 0.0
    top: float = 1.0
    cloud: float = 0.8

    def kept(self, tau):
        """P(signal >= tau)."""
        return max(0.0, 1 - tau / self.top)

    def wrong_and_kept(self, tau):
        """P(the edge is wrong and signal >= tau)."""
        return self.kept(tau) * (self.wrong - self.slope * (min(tau, self.top) + self.top) / 2)

    def accuracy(self, tau):
        """P(the answer is right) where everything below tau goes to the cloud."""
        return self.kept(tau) - self.wrong_and_kept(tau) + (1 - self.kept(tau)) * self.cloud


def _mean(domains, of):
    return sum(domain.share * of(domain) for domain in domains) / sum(domain.share for domain in domains)


def true_rate(domains, tau):
    """The cloud rate of a mixture."""
    return _mean(domains, lambda domain: 1 - domain.kept(tau))


def true_accuracy(domains, tau):
    """The accuracy of a mixture, routed at tau."""
    return _mean(domains, lambda domain: domain.accuracy(tau))


def true_error(domains, tau):
    """The error among the kept answers of a mixture; 0 where nothing is kept."""
    kept = _mean(domains, lambda domain: domain.kept(tau))
    return _mean(domains, lambda domain: domain.wrong_and_kept(tau)) / kept if kept else 0.0


def sample(domains, n, draw):
    """n records; each domain's number of questions is its share of them, rounded."""
    rows = []
    total = sum(domain.share for domain in domains)
    for domain in domains:
        size = round(n * domain.share / total)
        signal = domain.top * draw.random(size)
        wrong = draw.random(size) < domain.wrong - domain.slope * signal
        cloud = draw.random(size) < domain.cloud
        for value, is_wrong, is_right in zip(signal.tolist(), wrong.tolist(), cloud.tolist(), strict=True):
            letter, other = ("B", "A") if is_wrong else ("A", "B")
            answers = dict(sorted({letter: (1 + value) / 2, other: (1 - value) / 2}.items()))
            cloud_letter = "A" if is_right else "B"
            rows.append(record(len(rows), domain.name, 0.5, letter, cloud_letter, expected=value, answer_probabilities=answers))
    return rows


def as_expected(tau, signal):
    """The threshold of the expected confidence that keeps the same questions as a threshold of another signal."""
    return max(0.0, 2 * tau - 1) if signal is Signal.TOP_PROBABILITY else tau


def calibrated(rows, kind, value, *, per_domain=False, delta=None, signal=Signal.EXPECTED, **kwargs):
    """The calibration, or None where it is refused. Few resamples and no curve: nobody looks at them."""
    target = Target(kind=kind, value=value, delta=delta, per_domain=per_domain)
    try:
        return calibrate(rows, target=target, signal=signal, today=TODAY, resamples=2, with_curve=False, **kwargs).calibration
    except ConfigError:
        return None


def served(calibration, domains):
    """(domains that share a threshold, threshold): every own domain, and all that the shared one serves.

    Thresholds are those of the expected confidence (`as_expected`), whatever the signal of the calibration is.
    """
    own = [([domain], calibration.domains[domain.name].tau) for domain in domains if domain.name in calibration.domains]
    others = [domain for domain in domains if domain.name not in calibration.domains]
    every = own + ([(others, calibration.tau)] if others else [])
    return [(some, as_expected(tau, calibration.signal)) for some, tau in every]


def at_most(delta, draws):
    """How often something of probability `delta` happens in so many draws, with three standard errors of luck."""
    return delta * draws + 3 * math.sqrt(delta * (1 - delta) * draws)


def drawn(seed):
    """A seeded generator."""
    return np.random.default_rng(seed)

"""The promise: over many draws the error among kept answers exceeds its bound at most delta of the time."""

import math

import numpy as np
import pytest

from app.evaluation.risk import binomial_cdf, certify, clopper_pearson, upper_bound

DRAWS = 1000


def population(draw, n, slope):
    """A signal u uniform in [0, 1]; the answer is wrong with probability 0.6 - slope·u."""
    signal = draw.random(n)
    return signal, draw.random(n) < 0.6 - slope * signal


def true_error(tau, slope):
    """P(wrong | u >= tau) of that population."""
    return 0.6 - slope * (1 + tau) / 2


@pytest.mark.parametrize(("delta", "n"), [(0.1, 300), (0.05, 600)])
def test_the_error_exceeds_its_bound_at_most_delta_of_the_time(delta, n):
    draw = np.random.default_rng(7)
    failed = certified = 0
    for number in range(DRAWS):
        found = certify(*population(draw, n, slope=0.5), max_error=0.25, delta=delta, seed=number)
        if found.tau is not None:
            certified += 1
            failed += true_error(found.tau, 0.5) > 0.25
    # Three standard errors of a share of delta in so many draws.
    assert failed / DRAWS <= delta + 3 * math.sqrt(delta * (1 - delta) / DRAWS)
    assert certified > DRAWS / 4, "a promise that is never made is kept too easily"


def test_the_hardest_case_every_cut_is_just_over_the_bound():
    """Whatever is certified here is a failure, and there are twenty thresholds to be lucky with."""
    draw = np.random.default_rng(11)
    lucky = sum(
        certify(draw.random(200), draw.random(200) < 0.2501, max_error=0.25, delta=0.1, seed=number).tau is not None
        for number in range(DRAWS)
    )
    assert lucky / DRAWS <= 0.1 + 3 * math.sqrt(0.1 * 0.9 / DRAWS)


def test_with_buckets_too():
    draw = np.random.default_rng(8)
    errors = {0.0: 0.7, 0.25: 0.5, 0.5: 0.35, 0.75: 0.2, 1.0: 0.1}
    buckets = np.array(list(errors))
    failed = certified = 0
    for number in range(DRAWS):
        signal = draw.choice(buckets, 400)
        wrong = draw.random(400) < np.vectorize(errors.get)(signal)
        found = certify(signal, wrong, max_error=0.2, delta=0.1, seed=number)
        if found.tau is not None:
            certified += 1
            failed += np.mean([errors[value] for value in buckets if value >= found.tau]) > 0.2
    assert failed / DRAWS <= 0.1 + 3 * math.sqrt(0.1 * 0.9 / DRAWS)
    assert certified > DRAWS / 4


def test_a_signal_that_knows_nothing_gets_no_promise_and_the_best_bound_is_said():
    draw = np.random.default_rng(9)
    found = certify(draw.random(400), draw.random(400) < 0.7, max_error=0.2, delta=0.1, seed=0)
    assert found.tau is None
    assert 0.2 < found.bound <= 1


def test_binomial_numbers_by_hand():
    assert binomial_cdf(1, 3, 0.5) == pytest.approx(4 / 8)
    assert binomial_cdf(0, 10, 0.1) == pytest.approx(0.9**10)
    assert (binomial_cdf(3, 3, 0.5), binomial_cdf(0, 5, 1.0), binomial_cdf(0, 5, 0.0)) == (1, 0, 1)
    # No wrong answer among n: 1 - delta^(1/n), the rule of three.
    assert upper_bound(0, 30, 0.05) == pytest.approx(1 - 0.05 ** (1 / 30))
    assert upper_bound(5, 5, 0.05) == 1
    assert clopper_pearson(5, 10) == (pytest.approx(0.187, abs=1e-3), pytest.approx(0.813, abs=1e-3))
    assert clopper_pearson(0, 0) == (0, 1)


@pytest.mark.parametrize("delta", [0.5, 0.1, 0.025, 1e-4, 1e-9])
def test_the_bound_is_the_share_at_which_so_few_are_just_improbable_enough(delta):
    for n in (1, 2, 3, 10, 57, 1_000, 20_000):
        for k in {0, 1, n // 50, n // 3, n // 2, n - 2, n - 1} & set(range(n)):
            bound = upper_bound(k, n, delta)
            # Where P hardly changes with the share, its rounding is what is left; a step of the share shows that it is the right place.
            assert binomial_cdf(k, n, min(1.0, bound * (1 + 1e-9))) <= delta * (1 + 1e-6), (k, n)
            assert binomial_cdf(k, n, bound * (1 - 1e-9)) >= delta * (1 - 1e-6), (k, n)

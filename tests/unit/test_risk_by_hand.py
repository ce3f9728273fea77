"""Certification step by step, with p-values that can be worked out on paper."""

import numpy as np
import pytest

from app.evaluation.risk import Certified, binomial_cdf, certify, clopper_pearson, proposing_part, upper_bound


def evidence(*groups):
    """Signal and wrongness from (signal, wrong answers, answers)."""
    signal = np.concatenate([np.full(count, value) for value, _, count in groups])
    wrong = np.concatenate([np.arange(count) < errors for _, errors, count in groups])
    return signal, wrong


def certified(proposing, testing, max_error=0.5, delta=0.1):
    """Certify with the two parts given apart."""
    parts = [evidence(*proposing), evidence(*testing)]
    signal, wrong = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return certify(signal, wrong, max_error=max_error, delta=delta, proposing=np.arange(len(signal)) < len(parts[0][0]))


SURE = (0.9, 0, 10)
HALF = (0.5, 0, 10)
LOW = (0.1, 0, 10)


def test_the_lowest_threshold_before_the_first_failure_is_taken():
    # 0 of 10 at 0.5: 2^-10. With 8 wrong of the next 10: P(at most 8 of 20) = 0.2517.
    found = certified([SURE, (0.5, 8, 10), (0.1, 8, 10)], [SURE, (0.5, 8, 10), LOW])
    assert (found.tau, found.kept) == (0.9, 10)
    # The lowest threshold would have passed (8 of 30), but it comes after one that failed.
    assert binomial_cdf(8, 30, 0.5) < 0.1
    assert found.bound == pytest.approx(1 - 0.1 ** (1 / 10))


def test_all_thresholds_may_pass_and_the_bound_is_that_of_the_last():
    found = certified([SURE, HALF, LOW], [SURE, HALF, (0.1, 2, 10)])
    assert (found.tau, found.kept) == (0.1, 30)
    assert found.bound == pytest.approx(upper_bound(2, 30, 0.1))


def test_where_the_first_one_fails_there_is_none_and_its_bound_is_said():
    found = certified([SURE, (0.5, 9, 10)], [(0.9, 5, 10), HALF])
    assert found == Certified(None, 5, 10, 0.1)
    assert found.bound == upper_bound(5, 10, 0.1)


def test_the_sequence_begins_where_the_proposing_part_shows_most():
    """Of the surest three none is wrong, 2^-3; of thirteen none, 2^-13: the sequence begins below, and never asks the highest."""
    found = certified([(0.9, 0, 3), (0.5, 0, 10)], [(0.9, 3, 3), (0.5, 0, 20)])
    assert (found.tau, found.kept) == (0.5, 23)


def test_a_p_value_of_exactly_delta_passes():
    assert binomial_cdf(0, 1, 0.5) == 0.5
    assert certified([SURE], [(0.9, 0, 1)], delta=0.5).tau == 0.9
    assert certified([SURE], [(0.9, 0, 1)], delta=0.4999).tau is None


def test_the_threshold_itself_is_kept_and_what_lies_below_is_not():
    found = certified([SURE, (0.5, 10, 10)], [(0.9, 0, 10), (0.8999, 10, 10)])
    assert (found.tau, found.kept) == (0.9, 10)


def test_a_threshold_that_keeps_nothing_of_the_testing_part_promises_nothing():
    nothing = Certified(None, 0, 0, 0.1)
    assert certified([SURE], [(0.1, 0, 10)]) == nothing
    assert certify(*evidence(SURE), max_error=0.5, delta=0.1, proposing=np.zeros(10, dtype=bool)) == nothing
    assert nothing.bound == 1.0


def faultless_from(lowest, values):
    """Thirty answers at 0.01, 0.02 … `values`/100, all wrong below `lowest`/100."""
    return [(value / 100, 30 * (value < lowest), 30) for value in range(1, values + 1)]


@pytest.mark.parametrize(
    ("values", "lowest", "tau"),
    [
        (20, 20, 0.2),
        (20, 7, 0.07),
        (20, 1, 0.01),
        # Of more than twenty values those are tried that keep 5, 10 … 100 %: never the highest alone, and of forty every second one.
        (21, 21, None),
        (21, 20, 0.2),
        (40, 21, 0.22),
        (40, 1, 0.01),
    ],
)
def test_up_to_twenty_values_are_all_candidates_and_of_more_the_coverages_of_five_to_a_hundred_percent(values, lowest, tau):
    rows = faultless_from(lowest, values)
    # None of thirty has a p-value of 0.29 at 4 %; one more value that is all wrong makes it 5 % or more.
    assert certified(rows, rows, max_error=0.04, delta=0.3).tau == (None if tau is None else pytest.approx(tau))


def test_a_third_proposes_and_the_seed_draws_it():
    for n, third in ((0, 0), (2, 0), (3, 1), (10, 3), (12, 4)):
        assert int(proposing_part(n, 0).sum()) == third
    assert np.array_equal(np.flatnonzero(proposing_part(9, 4)), np.sort(np.random.default_rng(4).permutation(9)[:3]))
    signal = np.linspace(0, 1, 90)
    wrong = np.arange(90) % 3 == 0
    drawn = certify(signal, wrong, max_error=0.6, delta=0.2, seed=4)
    assert drawn == certify(signal, wrong, max_error=0.6, delta=0.2, proposing=proposing_part(90, 4))


def test_the_binomial_distribution_at_its_ends():
    assert binomial_cdf(0, 2, 0.5) == pytest.approx(0.25)
    assert binomial_cdf(1, 2, 0.5) == pytest.approx(0.75)
    assert binomial_cdf(2, 5, 0.3) == pytest.approx(0.7**5 + 5 * 0.3 * 0.7**4 + 10 * 0.3**2 * 0.7**3)
    assert binomial_cdf(9, 10, 0.9) == pytest.approx(1 - 0.9**10)
    assert (binomial_cdf(2, 2, 0.5), binomial_cdf(3, 2, 0.5), binomial_cdf(0, 0, 0.5)) == (1, 1, 1)
    assert (binomial_cdf(0, 2, 0.0), binomial_cdf(1, 2, 1.0), binomial_cdf(2, 2, 1.0)) == (1, 0, 1)
    # Sums of floats may come out above one; a probability may not.
    assert max(binomial_cdf(n - 1, n, p / 100) for n in range(2, 60) for p in range(1, 40)) == 1
    assert binomial_cdf(500, 1000, 0.5) == pytest.approx(0.5 + 0.0126125, abs=1e-6)


def test_bounds_are_where_the_distribution_meets_the_level():
    for k, n, delta in ((0, 1, 0.1), (3, 10, 0.05), (9, 10, 0.025), (40, 400, 0.01)):
        bound = upper_bound(k, n, delta)
        assert binomial_cdf(k, n, bound) == pytest.approx(delta, abs=1e-9)
    assert upper_bound(9, 9, 0.1) == 1
    low, high = clopper_pearson(3, 10, 0.2)
    # Two-sided: half the level on each side.
    assert binomial_cdf(3, 10, high) == pytest.approx(0.1)
    assert 1 - binomial_cdf(2, 10, low) == pytest.approx(0.1)
    assert clopper_pearson(0, 10) == (0, pytest.approx(1 - 0.025**0.1))
    assert clopper_pearson(10, 10) == (pytest.approx(0.025**0.1), 1)
    assert clopper_pearson(1, 1) == (pytest.approx(0.025), 1)

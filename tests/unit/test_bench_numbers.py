"""What the benches compute from their measurements, by hand."""

import pytest

from app.bench.client import Load
from app.bench.numbers import Line, Spread, p50_and_p99, padding_share, percentile, rounded


def test_a_line_through_points_that_lie_on_one():
    line = Line.through([100, 200, 400], [0.012, 0.022, 0.042])
    assert (line.slope, line.intercept, line.r2) == (pytest.approx(1e-4), pytest.approx(0.002), pytest.approx(1))
    assert line.row()["r2"] == 1


def test_the_coefficient_of_determination_by_hand():
    # Least squares of (0, 0), (1, 1), (2, 0): slope 0, intercept 1/3, so that nothing of the variance is explained.
    assert Line.through([0, 1, 2], [0, 1, 0]).r2 == pytest.approx(0)
    # (0, 0), (1, 2), (2, 3): slope 3/2, intercept 1/6; squares left 1/6 of 14/3 in all.
    assert Line.through([0, 1, 2], [0, 2, 3]).r2 == pytest.approx(1 - (1 / 6) / (14 / 3))


def test_two_lengths_make_no_line():
    assert Line.through([1, 2, 2], [1, 2, 3]) is None
    assert Line.through([], []) is None


def test_equal_times_lie_on_a_line():
    assert Line.through([1, 2, 3], [5, 5, 5]).r2 == 1


def test_padding_is_what_no_question_needs():
    # Three rows of 10 columns with 10, 7 and 4 tokens.
    assert padding_share(30, 21) == pytest.approx(0.3)
    assert padding_share(21, 21) == 0
    assert padding_share(0, 0) == 0
    # A pass that computes less than was thought has no padding, and not less than none.
    assert padding_share(20, 21) == 0


def test_a_percentile_is_a_value_that_was_measured():
    assert percentile([3, 1, 2], 50) == 2
    assert percentile([4, 1, 2, 3], 50) == 2
    assert percentile([7], 99) == 7
    assert percentile(range(1, 101), 99) == 99
    assert percentile(range(1, 102), 99) == 100
    assert percentile(range(101), 99) == 99
    # 7 % of 100 values are 7 of them, although 0.07 · 100 is a little more as a floating-point number.
    assert percentile(range(1, 101), 7) == 7
    with pytest.raises(ValueError, match="no percentile"):
        percentile([], 50)


def test_few_values_have_no_99th_percentile_and_none_have_nothing():
    assert p50_and_p99(range(1, 101)) == (50, 99)
    assert p50_and_p99(range(1, 100)) == (50, None)
    assert p50_and_p99([]) == (None, None)


def test_a_spread_is_the_median_and_the_extremes():
    assert Spread.of([3.0, 1.0, 2.0, 10.0]).row() == {"median": 2.5, "low": 1.0, "high": 10.0, "n": 4}


@pytest.mark.parametrize(("value", "kept"), [(0.000123456, 0.0001235), (123_456.0, 123_500.0), (0.0, 0.0)])
def test_numbers_keep_four_significant_digits(value, kept):
    assert rounded(value) == kept


def test_the_rate_of_a_load_counts_successful_replies_only():
    load = Load(2, 4.0, (0.1,) * 8, {200: 8, 429: 2}, {"TimeoutError": 1}, "429: full", 1.0)
    assert (load.rate, load.failures, load.client_cpu_share) == (2.0, 3, 0.25)
    assert Load(2, 0.0, (), {}, {}, None, 0.0).rate == 0

"""One threshold on a handful of questions, and what it does on another handful: every number by hand."""

import numpy as np
import pytest

from app.core.buckets import BUCKETS
from app.core.errors import ConfigError
from app.core.verdict import Signal
from app.data.target import Target
from app.evaluation.choose import Choice, Chooser, candidate_thresholds, listed
from app.evaluation.judge import Judge
from app.evaluation.risk import clopper_pearson
from app.evaluation.table import to_table
from app.evaluation.temperature import calibration_errors, fit_temperature, log_loss
from tests.support.records import record


def rows(*given):
    """(signal, edge correct, cloud correct) → a table; the verbalized confidence is the same number where it can be."""
    return to_table(
        [
            record(
                number, "law", value if value in BUCKETS else 0.5, "AB"[not edge], "AB"[not cloud], expected=value, marginal="AB"[not edge]
            )
            for number, (value, edge, cloud) in enumerate(given)
        ]
    )


def attempt(table, kind, value, signal=Signal.EXPECTED, delta=0.1):
    chooser = Chooser(Target(kind=kind, value=value, delta=delta), signal, delta)
    return chooser.attempt(table, np.ones(len(table), dtype=bool), "these")


FIVE = rows(*((value, True, True) for value in (0.9, 0.1, 0.5, 0.3, 0.7)))


@pytest.mark.parametrize(
    ("rate", "tau"), [(0.0, 0.0), (0.2, 0.2), (0.4, 0.4), (0.6, 0.6), (0.8, 0.8), (1.0, 1.0), (0.31, 0.4), (0.29, 0.2)]
)
def test_a_rate_is_reached_between_two_neighbouring_values(rate, tau):
    assert attempt(FIVE, "cloud_rate", rate) == Choice(pytest.approx(tau))


def test_a_certain_question_is_kept_at_every_threshold_up_to_one():
    """Two of four have a signal of 1: no threshold that a caller may ask for routes them, so half is the most."""
    certain = rows((1.0, True, True), (1.0, True, True), (0.2, True, True), (0.4, True, True))
    assert attempt(certain, "cloud_rate", 0.5).tau == pytest.approx(0.7)
    missed = attempt(certain, "cloud_rate", 0.9)
    assert missed.missed == (
        "a cloud rate of 0.9 cannot be reached for these with the expected confidence; the best is 0.500, reachable are 0.000, 0.250, 0.500"
    )
    assert missed.tau == pytest.approx(0.7)


def test_the_nearest_rate_counts_within_two_points_or_one_question():
    """Thirty of a hundred say 0.25, the others 0.75: the rates are 0, 0.3 and 1."""
    hundred = rows(*[(0.25, True, True)] * 30, *[(0.75, True, True)] * 70)
    assert attempt(hundred, "cloud_rate", 0.319, Signal.VERBALIZED) == Choice(0.5)
    assert attempt(hundred, "cloud_rate", 0.281, Signal.VERBALIZED) == Choice(0.5)
    for target in (0.321, 0.279):
        missed = attempt(hundred, "cloud_rate", target, Signal.VERBALIZED)
        assert missed.tau == 0.5
        assert missed.missed.endswith(
            "with the verbalized confidence; the best is 0.300, reachable are 0.000, 0.300, 1.000; every other --signal reaches every rate"
        )
    # One question of four is 0.25: a half is one question away.
    four = rows((0.25, True, True), *[(0.75, True, True)] * 3)
    assert attempt(four, "cloud_rate", 0.5, Signal.VERBALIZED) == Choice(0.5)
    assert attempt(four, "cloud_rate", 0.51, Signal.VERBALIZED).missed


def test_the_lowest_rate_that_reaches_an_accuracy_is_taken():
    """Edge alone 0.5; with 1, 2, 3 and 4 at the cloud 0.75, 0.5, 0.75 and 0.75."""
    four = rows((0.4, True, True), (0.1, False, True), (0.3, False, True), (0.2, True, False))
    assert attempt(four, "accuracy", 0.5) == Choice(0.0)
    assert attempt(four, "accuracy", 0.51).tau == pytest.approx(0.15)
    assert attempt(four, "accuracy", 0.75) == Choice(pytest.approx(0.15))
    missed = attempt(four, "accuracy", 0.76)
    assert missed == Choice(
        pytest.approx(0.15), "an accuracy of 0.76 cannot be reached for these: the best is 0.750, at a cloud rate of 0.250"
    )
    # A share of n is the float that the same target is written as.
    three = rows((0.1, False, True), (0.2, False, True), (0.3, False, True))
    assert attempt(three, "accuracy", 1.0) == Choice(1.0)


def test_what_is_missed_is_refused_where_it_must_be_reached():
    chooser = Chooser(Target(kind="accuracy", value=0.9), Signal.EXPECTED, 0.0)
    bad = rows((0.1, False, False), (0.2, False, False))
    with pytest.raises(ConfigError, match=r"an accuracy of 0\.9 cannot be reached for those: the best is 0\.000"):
        chooser.choose(bad, np.ones(2, dtype=bool), "those")
    assert chooser.choose(rows((0.1, True, False)), np.ones(1, dtype=bool), "those") == 0.0


def test_candidates_and_lists():
    assert candidate_thresholds(np.array([0.5, 0.1, 0.5]), Signal.EXPECTED) == pytest.approx([0.0, 0.3, 1.0])
    assert list(candidate_thresholds(np.array([0.5]), Signal.VERBALIZED)) == list(BUCKETS)
    assert listed(np.arange(12) / 100) == "0.000, 0.010, 0.020, 0.030, 0.040, 0.050, 0.060, 0.070, 0.080, 0.090, 0.100, 0.110"
    assert listed(np.arange(13) / 100) == "0.000 … 0.120 in 13 steps"
    assert listed(np.array([0.5, 0.5])) == "0.500"


def test_what_thresholds_do_by_hand():
    """Routed are the signals below each one's threshold: the second and the fifth."""
    test = rows((0.5, True, False), (0.4, True, False), (0.9, False, True), (0.8, True, True), (0.2, False, True))
    judge = Judge(Signal.EXPECTED, Target(kind="edge_error", value=0.4), resamples=20, seed=3)
    found = judge.judge(test, np.array([0.5, 0.41, 0.1, 0.0, 0.9]))
    assert (found.n, found.kept, found.cloud_rate, found.accuracy, found.edge_error) == (5, 3, 0.4, 0.6, pytest.approx(1 / 3))
    assert found.cloud_rate_ci == clopper_pearson(2, 5)
    assert found.accuracy_ci == clopper_pearson(3, 5)
    assert found.edge_error_ci == clopper_pearson(1, 3)
    # Random routing of two fifths: 0.4 · 0.6 + 0.6 · 0.6.
    assert found.lift == pytest.approx(0.6 - 0.6)
    assert found.lift_ci == judge.judge(test, np.array([0.5, 0.41, 0.1, 0.0, 0.9])).lift_ci
    assert found.lift_ci != Judge(Signal.EXPECTED, judge.target, resamples=20, seed=4).judge(test, 0.45).lift_ci
    nothing = judge.judge(test, 1.01)
    assert (nothing.kept, nothing.edge_error, nothing.edge_error_ci, nothing.held) == (0, None, None, "not enough data")
    assert (nothing.cloud_rate, nothing.accuracy) == (1.0, 0.6)
    assert judge.judge(test.rows(np.zeros(5, dtype=bool)), 0.5) is None


def test_an_answer_is_held_by_the_signal_that_is_judged():
    """By decoding both are correct, by the marginal none."""
    table = to_table([record(number, "law", 0.5, "A", "B", marginal="B") for number in range(2)])
    for signal, error in ((Signal.VERBALIZED, 0.0), (Signal.EXPECTED, 1.0)):
        assert Judge(signal, Target(kind="cloud_rate", value=0.5), 2, 0).judge(table, 0.0).edge_error == error


def test_log_loss_by_hand():
    signal, right = np.array([0.25, 0.5, 1.0, 0.0]), np.array([True, False, True, False])
    assert log_loss(signal, right) == pytest.approx((np.log(4) + np.log(2) - 2 * np.log1p(-1e-6)) / 4)
    # Certain and mistaken costs what one in a million costs.
    assert log_loss(np.array([0.0]), np.array([True])) == pytest.approx(6 * np.log(10))
    assert log_loss(np.array([1.0]), np.array([False])) == pytest.approx(6 * np.log(10), rel=1e-6)
    errors = calibration_errors(rows((0.25, True, True), (0.5, False, True)))
    assert errors == {
        "log_loss": pytest.approx((np.log(4) + np.log(2)) / 2),
        "brier": pytest.approx((0.5625 + 0.25) / 2),
        "ece": pytest.approx((0.75 + 0.5) / 2),
    }


def test_the_temperature_has_the_least_log_loss_of_all_that_are_tried():
    """Two buckets, 0.0 and 1.0, at odds of 1:9; two thirds are correct: the odds must become 1:2, so T = log 9 / log 2."""
    flat = tuple(((0, bucket),) for bucket in range(5))
    both = {"0.0": 0.1, "0.25": 0.0, "0.5": 0.0, "0.75": 0.0, "1.0": 0.9}
    records = [
        record(number, "law", 1.0, letter, "A", marginal=letter, expected=0.9, confidence_probabilities=both, bucket_paths=flat)
        for number, letter in enumerate("AAB" * 10)
    ]
    assert fit_temperature(to_table(records)) == pytest.approx(np.log(9) / np.log(2), rel=1e-3)
    # Where all are correct the sharpest allowed is best, where half are the flattest.
    sharpest = [row | {"edge_answer": "A", "answer_probabilities": {"A": 0.7, "B": 0.3}} for row in records]
    assert fit_temperature(to_table(sharpest)) < 0.4
    half = [row | {"answer_probabilities": {"A": 0.7, "B": 0.3} if at % 2 else {"A": 0.3, "B": 0.7}} for at, row in enumerate(records)]
    assert fit_temperature(to_table(half)) == pytest.approx(20, rel=1e-2)

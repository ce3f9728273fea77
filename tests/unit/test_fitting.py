"""The model behind the signal `fitted`: its features, and the regression that gives its weights."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.fitted import FEATURES, SHOWN_FEATURES, Logistic, features_of, fitted_probability, shown_features
from app.core.verdict import SHOWN, STATED, EdgeReply, JointVerdict, OptionsVerdict, TextVerdict
from app.evaluation import statistics as stats
from app.evaluation.features import record_features
from app.evaluation.fields import edge_fields
from app.evaluation.fitting import cross_fitted, feature_matrix, fit_logistic, predicted
from tests.support.fitted import logistic, shown_logistic

NAMES = ("top_probability", "margin")


def table(options):
    """Five rows of weights. Whole numbers: two that differ, differ by more than rounding, so that no order of the options decides a tie."""
    return st.lists(st.lists(st.integers(1, 10_000), min_size=options, max_size=options, unique=True), min_size=5, max_size=5)


@given(st.integers(2, 26).flatmap(lambda options: st.tuples(table(options), st.permutations(range(options)))), st.integers(0, 4))
def test_no_feature_depends_on_which_letter_an_option_has(found, greedy):
    rows, order = found
    before, after = (features_of(JointVerdict.from_weights(one, greedy)) for one in (rows, [[row[at] for at in order] for row in rows]))
    assert after == before, "to the last digit"
    assert all(map(math.isfinite, after.values()))


@pytest.mark.parametrize("options", [2, 4, 26])
def test_a_certain_and_a_blind_distribution_have_the_same_features_whatever_the_number_of_options_is(options):
    certain, blind = shown_features([1.0] + [0.0] * (options - 1)), shown_features([1 / options] * options)
    assert (certain["above_chance"], certain["relative_entropy"]) == (1.0, 0.0)
    assert (blind["above_chance"], blind["relative_entropy"]) == (pytest.approx(0, abs=1e-12), pytest.approx(1))


def test_each_kind_of_verdict_has_the_features_that_it_can_have():
    assert tuple(features_of(OptionsVerdict.from_weights([3, 1]))) == SHOWN_FEATURES
    assert tuple(features_of(JointVerdict.from_weights([[3, 1]] * 5, 0))) == FEATURES
    assert features_of(TextVerdict("A")) == {}


def test_a_model_reads_every_verdict_that_has_its_features_and_no_other():
    joint, options = JointVerdict.from_weights([[3, 1]] * 5, 0), OptionsVerdict.from_weights([3, 1])
    assert (logistic().signals, shown_logistic().signals) == (STATED | SHOWN, SHOWN)
    for model, verdict, reads in (
        (logistic(), joint, True),
        (logistic(), options, False),
        (shown_logistic(), joint, True),
        (shown_logistic(), options, True),
        (shown_logistic(), TextVerdict("A"), False),
    ):
        assert (fitted_probability(model, verdict) is not None) is reads


def test_where_options_are_equally_probable_each_of_them_agrees_with_the_written_letter():
    """Both letters have the same marginal, and decoding writes B after the greedy bucket."""
    verdict = JointVerdict.from_weights([[0.3, 0.4], [0.2, 0.1], [0, 0], [0, 0], [0, 0]], 0)
    assert features_of(verdict)["letters_agree"] == 1.0
    assert features_of(JointVerdict.from_weights([[0.3, 0.4], [0.3, 0.1], [0, 0], [0, 0], [0, 0]], 0))["letters_agree"] == 0.0


def test_a_record_has_the_features_of_its_verdict_to_the_last_digit():
    draw = np.random.default_rng(0)
    for options in (2, 5, 26):
        verdict = JointVerdict.from_weights(draw.random((5, options)).tolist(), 3)
        assert record_features(json.loads(json.dumps(edge_fields(EdgeReply(verdict, "m", None, 0.1))))) == features_of(verdict)
    rows = [edge_fields(EdgeReply(one, "m", None, 0.1)) for one in (verdict, OptionsVerdict.from_weights([3, 1]))]
    assert feature_matrix(rows[:1])[0] == FEATURES
    names, values = feature_matrix(rows)
    assert (names, values.shape) == (SHOWN_FEATURES, (2, len(SHOWN_FEATURES))), "those that every record has"


def test_what_lies_outside_the_fitted_range_counts_as_the_end_of_the_range():
    model = Logistic(("log_options",), (3.0,), -4.0, (math.log(3),), (math.log(5),))
    inside, beyond = (model.probability({"log_options": math.log(options)}) for options in (5, 26))
    assert beyond == inside
    assert model.probability({"log_options": math.log(2)}) == model.probability({"log_options": math.log(3)}) < inside


@pytest.mark.parametrize("logit", [-1e4, -40.0, 0.0, 40.0, 1e4])
def test_a_probability_is_one_and_keeps_its_digits_whatever_the_logit_is(logit):
    found = Logistic(("x",), (1.0,), 0.0, (-1e9,), (1e9,)).probability({"x": logit})
    assert 0 <= found <= 1
    assert found == pytest.approx(1 / (1 + math.exp(-logit)) if logit > -700 else 0.0, rel=1e-12)


def test_the_regression_finds_the_weights_of_its_population():
    draw = np.random.default_rng(1)
    values = draw.random((20_000, 2))
    logit = -1.0 + 3.0 * values[:, 0] - 2.0 * values[:, 1]
    correct = draw.random(20_000) < 1 / (1 + np.exp(-logit))
    model = fit_logistic(NAMES, values, correct)
    assert (model.intercept, *model.weights) == pytest.approx((-1.0, 3.0, -2.0), abs=0.15)
    found = predicted(model, NAMES, values)
    assert found[:3] == pytest.approx(1 / (1 + np.exp(-logit[:3])), abs=0.03)
    assert float(found.mean()) == pytest.approx(float(correct.mean()), abs=1e-3), "calibrated in the large"
    assert model.lowest == tuple(values.min(axis=0))
    assert model.highest == tuple(values.max(axis=0))


def test_separable_rows_give_a_finite_model_and_a_feature_that_is_the_same_everywhere_is_left_out():
    values = np.stack([np.linspace(0, 1, 20), np.ones(20)], axis=1)
    model = fit_logistic(NAMES, values, values[:, 0] > 0.5)
    assert model.features == ("top_probability",)
    assert all(map(math.isfinite, (model.intercept, *model.weights)))


def test_cross_fitted_values_of_noise_know_nothing_of_their_own_rows():
    draw = np.random.default_rng(2)
    values, correct = draw.random((60, 40)), draw.random(60) < 0.5
    names = tuple(map(str, range(40)))
    inside = predicted(fit_logistic(names, values, correct), names, values)
    outside = cross_fitted(names, values, correct, seed=0)
    assert inside[correct].mean() - inside[~correct].mean() > 0.1, "fitted to its own rows"
    assert outside[correct].mean() - outside[~correct].mean() < 0.05
    assert np.array_equal(outside, cross_fitted(names, values, correct, seed=0))


def test_the_standard_error_of_a_difference_of_two_aurocs_is_that_of_repeated_samples():
    draw, gains, errors = np.random.default_rng(3), [], []
    for _ in range(300):
        truth = draw.normal(size=120)
        correct = draw.random(120) < 1 / (1 + np.exp(-truth))
        one, other = truth + draw.normal(size=120), np.round(truth + 2 * draw.normal(size=120))
        gain, error = stats.auroc_gain(one, other, correct)
        assert gain == pytest.approx(stats.auroc(one, correct) - stats.auroc(other, correct))
        gains.append(gain)
        errors.append(error)
    assert np.mean(errors) == pytest.approx(np.std(gains), rel=0.15)
    assert stats.auroc_gain(one, one, correct) == (0.0, 0.0)

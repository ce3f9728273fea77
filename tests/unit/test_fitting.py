"""The fitted signal: its features, the regression, and when it is worth having."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.fitted import SHOWN_FEATURES, STATED_FEATURES, Logistic, features_of, shown_features
from app.core.verdict import EdgeReply, JointVerdict, OptionsVerdict, TextVerdict
from app.evaluation.fields import edge_fields
from app.evaluation.fitting import beats, cross_fitted, feature_matrix, fit_logistic, predicted, record_features

NAMES = ("top_probability", "margin")


def table(options):
    return st.lists(st.lists(st.floats(1e-6, 1.0), min_size=options, max_size=options), min_size=5, max_size=5)


@given(st.integers(2, 26).flatmap(lambda options: st.tuples(table(options), st.permutations(range(options)))), st.integers(0, 4))
def test_no_feature_depends_on_which_letter_an_option_has(found, greedy):
    rows, order = found
    before, after = (features_of(JointVerdict.from_weights(one, greedy)) for one in (rows, [[row[at] for at in order] for row in rows]))
    # Where two options are equally probable, the first of them is the answer.
    before.pop("letters_agree"), after.pop("letters_agree")
    assert after == pytest.approx(before, rel=1e-12, abs=1e-12)
    assert all(map(math.isfinite, after.values()))


@pytest.mark.parametrize("options", [2, 4, 26])
def test_a_certain_and_a_blind_distribution_have_the_same_features_whatever_the_number_of_options_is(options):
    certain, blind = shown_features([1.0] + [0.0] * (options - 1)), shown_features([1 / options] * options)
    assert (certain["above_chance"], certain["relative_entropy"]) == (1.0, 0.0)
    assert (blind["above_chance"], blind["relative_entropy"]) == (pytest.approx(0, abs=1e-12), pytest.approx(1))


def test_each_kind_of_verdict_has_the_features_that_it_can_have():
    assert tuple(features_of(OptionsVerdict.from_weights([3, 1]))) == SHOWN_FEATURES
    assert tuple(features_of(JointVerdict.from_weights([[3, 1]] * 5, 0))) == (*SHOWN_FEATURES, *STATED_FEATURES)
    assert features_of(TextVerdict("A")) is None


def test_a_record_has_the_features_of_its_verdict():
    draw = np.random.default_rng(0)
    for options in (2, 5, 26):
        verdict = JointVerdict.from_weights(draw.random((5, options)).tolist(), 3)
        assert record_features(json.loads(json.dumps(edge_fields(EdgeReply(verdict, "m", None, 0.1))))) == features_of(verdict)
    names, values = feature_matrix([edge_fields(EdgeReply(verdict, "m", None, 0.1))])
    assert values.shape == (1, len(names)) == (1, 12)


def test_the_regression_finds_the_weights_of_its_population():
    draw = np.random.default_rng(1)
    values = draw.random((20_000, 2))
    logit = -1.0 + 3.0 * values[:, 0] - 2.0 * values[:, 1]
    correct = draw.random(20_000) < 1 / (1 + np.exp(-logit))
    model = fit_logistic(NAMES, values, correct)
    assert (model.intercept, *model.weights) == pytest.approx((-1.0, 3.0, -2.0), abs=0.15)
    assert predicted(model, values[:3]) == pytest.approx(1 / (1 + np.exp(-logit[:3])), abs=0.03)
    by_mean = predicted(model, values)
    assert float(by_mean.mean()) == pytest.approx(float(correct.mean()), abs=1e-3), "calibrated in the large"


@pytest.mark.parametrize("all_of_them", [True, False])
def test_rows_that_separate_nothing_or_everything_give_a_finite_model(all_of_them):
    values = np.linspace(0, 1, 40).reshape(20, 2)
    for correct in (np.full(20, all_of_them), values[:, 0] > 0.5):
        model = fit_logistic(NAMES, np.concatenate([values[:, :1], np.ones((20, 1))], axis=1), correct)
        assert all(map(math.isfinite, (model.intercept, *model.weights)))
        assert model.weights[1] == 0.0, "a feature that is the same everywhere"
        assert all(0 <= p <= 1 for p in predicted(model, values))


@pytest.mark.parametrize("logit", [-1e4, -40.0, 0.0, 40.0, 1e4])
def test_a_probability_is_one_whatever_the_logit_is(logit):
    found = Logistic(("x",), (1.0,), 0.0).probability({"x": logit}) if abs(logit) < 700 else None
    assert found is None or 0 <= found <= 1
    assert found is None or found == pytest.approx(1 / (1 + math.exp(-logit)))


def test_cross_fitted_values_of_noise_know_nothing_of_their_own_rows():
    draw = np.random.default_rng(2)
    values, correct = draw.random((60, 40)), draw.random(60) < 0.5
    names = tuple(map(str, range(40)))
    inside = predicted(fit_logistic(names, values, correct), values)
    outside = cross_fitted(names, values, correct, seed=0)
    assert inside[correct].mean() - inside[~correct].mean() > 0.1, "fitted to its own rows"
    assert outside[correct].mean() - outside[~correct].mean() < 0.05


def test_it_is_taken_only_where_it_beats_the_best_single_signal_by_more_than_its_standard_error():
    draw = np.random.default_rng(3)
    single, other = draw.random(800), draw.random(800)
    for weight, better in ((0.0, False), (3.0, True)):
        correct = draw.random(800) < 1 / (1 + np.exp(-(3 * single + weight * other - (3 + weight) / 2)))
        fitted = cross_fitted(NAMES, np.stack([single, other], axis=1), correct, seed=0)
        assert beats(fitted, single, correct, correct, resamples=200, seed=0) is better
    assert not beats(single, single, np.ones(800, dtype=bool), np.ones(800, dtype=bool), resamples=50, seed=0)

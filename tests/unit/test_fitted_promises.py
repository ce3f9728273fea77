"""What a calibration promises holds for the signal `fitted` too, counted over samples of a population whose truth is known."""

import numpy as np
import pytest

from app.core.verdict import Signal
from tests.support import kinds
from tests.support.populations import at_most, calibrated, drawn

BOUND, DELTA = 0.2, 0.1


def test_an_edge_error_is_kept_on_the_fitted_probability():
    """With the model fitted on the proposing third only, and chosen by its own rule."""
    draw, draws, failed, useful, fitted = drawn(11), 25, 0, 0, 0
    for seed in range(draws):
        found = calibrated(kinds.sample(900, draw), "edge_error", BOUND, delta=DELTA, seed=seed, signal=Signal.FITTED)
        if found is not None:
            failed += kinds.true_error(found) > BOUND
            useful += found.tau < 1
            fitted += found.signal is Signal.FITTED
    assert failed <= at_most(DELTA, draws)
    assert useful > draws / 4, "a promise that is never made is kept too easily"
    assert fitted > draws / 2, "this is about the signal 'fitted'"


@pytest.mark.parametrize(("kind", "value", "truth"), [("cloud_rate", 0.3, kinds.true_rate), ("accuracy", 0.75, kinds.true_accuracy)])
def test_targets_are_hit_on_the_fitted_probability_with_few_questions_to_fit_it_on(kind, value, truth):
    """120 questions choose: on their own values a model of five features would seem better than it is."""
    draw, reached = drawn(12), []
    for seed in range(30):
        found = calibrated(kinds.sample(240, draw), kind, value, seed=seed, signal=Signal.FITTED, keep_fitted=True)
        reached.append(truth(found))
    assert np.mean(reached) == pytest.approx(value, abs=0.02)


def test_the_probability_is_one_and_what_the_file_says_of_its_order_is_true():
    """ECE under 0.05 on test halves of 600, and the AUROC of new questions within 0.03 of the one in the file (of its mean, within 0.01)."""
    draw, errors, gaps = drawn(13), [], []
    for seed in range(8):
        found = calibrated(kinds.sample(1200, draw), "cloud_rate", 0.4, seed=seed, signal=Signal.FITTED)
        errors.append(found.fitted.ece)
        gaps.append(kinds.true_auroc(found) - found.fitted.auroc)
    assert np.mean(errors) < 0.05
    assert max(np.abs(gaps)) < 0.03
    assert abs(np.mean(gaps)) < 0.01

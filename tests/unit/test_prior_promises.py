"""What a calibration promises holds with a letter prior too, and a model that prefers no letter rarely gets one; counted over samples."""

import numpy as np
import pytest

from app.core.verdict import Signal
from tests.support.lettered import PREFERENCE, sample, truth
from tests.support.populations import at_most, calibrated, drawn

BOUND, DELTA = 0.45, 0.1
LIKED = {"letters": PREFERENCE, "none": ()}
FRESH = {name: sample(1500, drawn(99), preference=liked) for name, liked in LIKED.items()}


@pytest.mark.parametrize(("liked", "mode"), [("letters", "auto"), ("letters", "on"), ("none", "on")])
def test_an_edge_error_is_kept(liked, mode):
    """With the prior estimated and judged on the third that proposes thresholds."""
    draw, draws, failed, useful = drawn(21), 20, 0, 0
    for seed in range(draws):
        rows = sample(600, draw, preference=LIKED[liked])
        found = calibrated(rows, "edge_error", BOUND, delta=DELTA, seed=seed, signal=Signal.TOP_PROBABILITY, letter_prior=mode)
        if found is not None:
            failed += truth(found, FRESH[liked])[2] > BOUND
            useful += found.tau < 1
    assert failed <= at_most(DELTA, draws)
    assert useful > draws / 4, "a promise that is never made is kept too easily"


@pytest.mark.parametrize(("kind", "value", "at", "liked"), [("cloud_rate", 0.4, 0, "letters"), ("accuracy", 0.72, 1, "none")])
def test_targets_are_hit_with_a_prior_of_few_questions(kind, value, at, liked):
    """100 questions choose: on their own prior they would seem to be more certain than they are."""
    draw, reached = drawn(22), []
    for seed in range(25):
        rows = sample(200, draw, preference=LIKED[liked])
        found = calibrated(rows, kind, value, seed=seed, signal=Signal.MARGIN, letter_prior="on")
        reached.append(truth(found, FRESH[liked])[at])
    assert np.mean(reached) == pytest.approx(value, abs=0.03)


def test_a_model_that_prefers_no_letter_rarely_gets_a_prior_and_one_that_does_nearly_always():
    """Without a preference the test for one finds one in 1 % of the calibrations, and most of these gain nothing."""
    kept = {}
    for name, runs in (("letters", 10), ("none", 40)):
        draw, kept[name] = drawn(23), 0
        for seed in range(runs):
            rows = sample(400, draw, preference=LIKED[name])
            found = calibrated(rows, "cloud_rate", 0.4, seed=seed, signal=Signal.MARGIN, letter_prior="auto")
            kept[name] += found.letter_prior is not None
    assert kept["none"] <= 1
    assert kept["letters"] >= 9

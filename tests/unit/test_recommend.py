"""Whether to route, in words: what the interval says, and how many questions it takes where it says nothing."""

import re

import numpy as np
import pytest

from app.core.verdict import Signal
from app.evaluation.recommend import questions_needed, recommend
from app.evaluation.report import build_report
from tests.support.records import record, simulated


@pytest.mark.parametrize(
    ("n", "rate", "lift", "lift_ci", "says"),
    [
        (400, 0.3, 0.05, (0.02, 0.08), "beats sending the same share to the cloud at random (n = 400)"),
        (400, 0.3, -0.05, (-0.08, -0.02), "is worse than sending the same share .* do not route on this signal here"),
        (400, 0.0, 0.0, None, "Nothing is routed: of 400 questions none has a signal below tau"),
        (400, 1.0, 0.0, None, "Everything is routed: of 400 questions none has a signal that reaches tau"),
        (1, 1.0, 0.0, None, "Everything is routed: of 1 question none"),
        (1, 0.0, 0.0, None, "Nothing is routed: of 1 question none"),
        (5, 0.4, 0.1, None, "n = 5 is too small to say .* Until then do not route on this signal here"),
        # Nine questions may look perfect.
        (9, 0.4, 0.3, (0.1, 0.4), "n = 9 is too small to say"),
        (300, 0.4, 0.01, (-0.02, 0.04), "includes zero: do not route on this signal here. n = 300 is too small to say"),
        (30_000, 0.4, 0.001, (-0.002, 0.004), r"includes zero: do not route on this signal here \(n = 30000\)\."),
    ],
)
def test_what_is_said(n, rate, lift, lift_ci, says):
    said = recommend(n=n, cloud_rate=rate, lift=lift, lift_ci=lift_ci)
    assert re.search(says.replace("(n = 400)", r"\(n = 400\)"), said), said
    assert "nan" not in said


def test_how_many_questions_by_hand():
    # A spread of 0.4 and a lift of 5 points: (2.8016 · 8)² = 502.3.
    assert questions_needed(0.05, 0.4) == 503
    # An interval of ±0.0392 at n = 400 is a standard error of 0.02 and a spread of 0.4.
    said = recommend(n=400, cloud_rate=0.5, lift=0.03, lift_ci=(-0.0092, 0.0692))
    assert (
        "to tell a lift of 3.0 points from none, about 1,396 questions are needed (n = ((1.96 + 0.84) · s / lift)², with s = 0.40" in said
    )
    assert "Cohen 1988" in said
    # A lift of nothing would take forever: two points are the least that is looked for.
    assert "a lift of 2.0 points from none, about 3,140 questions" in recommend(n=400, cloud_rate=0.5, lift=0.0, lift_ci=(-0.0392, 0.0392))


def test_that_many_questions_are_enough_in_four_of_five_samples():
    """By drawing: the lift of the samples' size excludes zero about as often as the formula promises."""
    draw = np.random.default_rng(0)
    effect, spread = 0.05, 0.45
    n = questions_needed(effect, spread)
    means = draw.normal(effect, spread / np.sqrt(n), size=4000)
    found = np.mean(means - 1.96 * spread / np.sqrt(n) > 0)
    assert found == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(("tau", "says"), [(0.0, "Nothing is routed"), (1.0, "Everything is routed")])
def test_a_report_says_where_tau_separates_nothing(tau, says):
    rows = [{**row, "confidence": min(row["confidence"], 0.75)} for row in simulated(80, 0)]
    report = build_report(rows, tau=tau, signal=Signal.VERBALIZED, resamples=20)
    assert report["recommendation"].startswith(says)
    assert report["mean"]["lift_ci"] is None
    assert "there is no routing to compare" in report["other_signals"]["expected"]["sentence"]


def test_domains_that_are_routed_wholly_are_named():
    rows = [record(number, name, confidence, "A", "B") for name, confidence in (("law", 0.25), ("math", 0.75)) for number in range(3)]
    rows = [{**row, "id": str(at)} for at, row in enumerate(rows)]
    report = build_report(rows, tau=0.5, signal=Signal.VERBALIZED, resamples=20)
    assert "Everything of law is routed." in report["notes"]
    assert "Nothing of math is routed." in report["notes"]
    assert "too small to say" in report["recommendation"]

"""Each number against the plainest way to compute it."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.evaluation import statistics as s

rows = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 0.3]), st.booleans(), st.booleans()), min_size=1, max_size=7)


def arrays(given_rows):
    signal, edge, cloud = zip(*given_rows, strict=True)
    return np.array(signal), np.array(edge), np.array(cloud)


@given(rows)
def test_auroc_is_the_share_of_pairs_in_the_right_order(given_rows):
    signal, right, _ = arrays(given_rows)
    pairs = [(a > b) + 0.5 * (a == b) for a in signal[right] for b in signal[~right]]
    if pairs:
        assert math.isclose(s.auroc(signal, right), sum(pairs) / len(pairs))
    else:
        assert s.auroc(signal, right) is None


@given(rows)
def test_the_routing_curve_is_the_mean_over_all_orders_of_ties(given_rows):
    signal, edge, cloud = arrays(given_rows[:6])
    n = len(signal)
    orders = [order for order in itertools.permutations(range(n)) if all(signal[a] <= signal[b] for a, b in itertools.pairwise(order))]
    plain = [np.mean([np.mean([(cloud if i in order[:k] else edge)[i] for i in range(n)]) for order in orders]) for k in range(n + 1)]
    assert np.allclose(s.routing_curve(signal, edge, cloud), plain)
    assert np.all(s.oracle_curve(edge, cloud) >= s.routing_curve(signal, edge, cloud) - 1e-12)
    risks = [np.mean([1 - np.mean(edge[list(order[::-1][:k])]) for order in orders]) for k in range(1, n + 1)]
    assert np.allclose(s.risk_coverage(signal, edge), risks)


def test_calibration_errors_by_hand():
    confidence, right = np.array([0.0, 0.25, 0.25, 1.0]), np.array([True, False, True, True])
    # Bins 0.0 | 0.25 | 1.0: |0 - 1| + |0.5 - 1| + |1 - 1| over four.
    assert math.isclose(s.ece_fixed(confidence, right), 1.5 / 4)
    assert math.isclose(s.ece_adaptive(confidence, right), 1.5 / 4)
    assert math.isclose(s.brier(confidence, right), (1 + 0.0625 + 0.5625 + 0) / 4)
    assert s.ece_fixed(np.array([0.5, 0.5]), np.array([True, False])) == 0
    assert math.isclose(s.aurc(np.array([0.9, 0.1]), np.array([True, False])), (0 + 0.5) / 2)


def test_apgr_of_lot_is_about_a_half_and_of_the_oracle_more():
    edge, cloud = np.array([True] * 40 + [False] * 60), np.array([True] * 80 + [False] * 20)
    lot = s.routing_curve(np.zeros(100), edge, cloud)
    assert math.isclose(s.apgr(lot), np.mean(np.linspace(0.1, 1, 10)))
    assert s.apgr(s.oracle_curve(edge, cloud)) > 0.8
    assert s.apgr(s.routing_curve(np.zeros(100), cloud, edge)) is None


def test_random_is_the_formula_of_the_reference():
    # Finance of the published Gemma table: 32.8 % routed, cloud 69.5, edge 45.4.
    assert round(100 * s.random_baseline(0.328, 0.695, 0.454), 1) == 53.3


def test_the_bootstrap_is_seeded_paired_and_as_wide_as_theory_says():
    draw = np.random.default_rng(0)
    right = draw.random(2500) < 0.3
    columns = np.stack([right, right], axis=1).astype(float)
    means = s.bootstrap_means(columns, resamples=2000, seed=1)
    assert means.shape == (2000, 2)
    assert np.array_equal(means, s.bootstrap_means(columns, resamples=2000, seed=1))
    assert not np.array_equal(means, s.bootstrap_means(columns, resamples=2000, seed=2))
    assert np.array_equal(means[:, 0], means[:, 1]), "the same rows for both columns"
    assert means[:, 0].std() == pytest.approx(math.sqrt(0.3 * 0.7 / 2500), rel=0.1)
    low, high = s.interval(means[:, 0])
    assert low < right.mean() < high


@pytest.mark.parametrize("kind", [0, 1])
def test_the_vectorised_bootstrap_is_the_plain_one(kind):
    """Every resample, computed row by row from the very counts that were drawn; a continuous signal and one with ties."""
    draw = np.random.default_rng(4)
    signal = draw.random(60) if kind else draw.choice([0.0, 0.25, 0.5, 1.0], 60)
    edge, cloud = draw.random(60) < 0.4, draw.random(60) < 0.7
    rates = np.array([0.0, 0.17, 0.5, 1.0])
    counts = np.concatenate(list(s.bootstrap_counts(60, resamples=25, seed=3))).astype(int)
    assert (counts.sum(axis=1) == 60).all()
    rows = [np.repeat(np.arange(60), row) for row in counts]
    curves = [s.routing_curve(signal[row], edge[row], cloud[row]) for row in rows]
    plain = [[s.accuracy_at(curve, rate) for rate in rates] for curve in curves]
    assert np.allclose(s.bootstrap_routing(signal, edge, cloud, rates, resamples=25, seed=3), plain)
    each = np.tile(rates, (25, 1))
    assert np.allclose(s.bootstrap_routing(signal, edge, cloud, each, resamples=25, seed=3), plain)
    assert np.allclose(s.bootstrap_auroc(signal, edge, resamples=25, seed=3), [s.auroc(signal[row], edge[row]) for row in rows])

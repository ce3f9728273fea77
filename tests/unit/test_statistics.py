"""Each number against the plainest way to compute it."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.evaluation import statistics as s

rows = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 0.3]), st.booleans(), st.booleans()), min_size=1, max_size=7)


def arrays(given_rows):
    signal, edge, cloud = zip(*given_rows, strict=True)
    return np.array(signal), np.array(edge), np.array(cloud)


@settings(deadline=None)
@given(rows)
def test_auroc_is_the_share_of_pairs_in_the_right_order(given_rows):
    signal, right, _ = arrays(given_rows)
    pairs = [(a > b) + 0.5 * (a == b) for a in signal[right] for b in signal[~right]]
    if pairs:
        assert math.isclose(s.auroc(signal, right), sum(pairs) / len(pairs))
    else:
        assert s.auroc(signal, right) is None


@settings(deadline=None)
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


def test_each_resample_has_its_own_cloud_rate():
    draw = np.random.default_rng(5)
    signal, edge, cloud = draw.random(30), draw.random(30) < 0.4, draw.random(30) < 0.8
    rates = np.stack([np.linspace(0, 0.8, 12), np.linspace(1, 0.2, 12)], axis=1)
    counts = np.concatenate(list(s.bootstrap_counts(30, resamples=12, seed=9))).astype(int)
    curves = [s.routing_curve(signal[row], edge[row], cloud[row]) for row in (np.repeat(np.arange(30), count) for count in counts)]
    plain = [[s.accuracy_at(curve, rate) for rate in own] for curve, own in zip(curves, rates, strict=True)]
    assert np.allclose(s.bootstrap_routing(signal, edge, cloud, rates, resamples=12, seed=9), plain)


def test_large_data_is_drawn_in_slices_that_together_are_the_one_draw():
    """Two million rows: two resamples a slice of about 30 MB; more than four million: one."""
    rows = 2_000_000
    parts = list(s.bootstrap_counts(rows, resamples=3, seed=2))
    assert [part.shape for part in parts] == [(2, rows), (1, rows)]
    assert all((part.sum(axis=1) == rows).all() for part in parts)
    assert [part.shape for part in s.bootstrap_counts(4_000_001, resamples=2, seed=2)] == [(1, 4_000_001)] * 2
    drawn = np.random.default_rng(2).integers(rows, size=(2, rows))
    assert np.array_equal(parts[0][1], np.bincount(drawn[1], minlength=rows))


def test_what_is_drawn_without_being_asked_for_is_2000_resamples_of_seed_0():
    column = np.arange(8.0)[:, None]
    signal, edge = np.arange(8.0), np.arange(8) % 2 == 0
    rates = np.array([0.5])
    for found, again, other in (
        (s.bootstrap_means(column), s.bootstrap_means(column, seed=0), s.bootstrap_means(column, seed=1)),
        (s.bootstrap_rows(8), s.bootstrap_rows(8, seed=0), s.bootstrap_rows(8, seed=1)),
        (s.bootstrap_auroc(signal, edge), s.bootstrap_auroc(signal, edge, seed=0), s.bootstrap_auroc(signal, edge, seed=1)),
        (
            s.bootstrap_routing(signal, edge, ~edge, rates),
            s.bootstrap_routing(signal, edge, ~edge, rates, seed=0),
            s.bootstrap_routing(signal, edge, ~edge, rates, seed=1),
        ),
        *[[np.concatenate(list(part)) for part in (s.bootstrap_counts(8), s.bootstrap_counts(8, seed=0), s.bootstrap_counts(8, seed=1))]],
    ):
        assert len(found) == 2000
        assert np.array_equal(found, again)
        assert not np.array_equal(found, other)
    rows = s.bootstrap_rows(8, resamples=50)
    assert (rows.shape, rows.min(), rows.max()) == ((50, 8), 0, 7)


def test_the_interval_leaves_two_and_a_half_percent_on_each_side():
    assert s.interval(np.arange(41.0)[::-1]) == (1.0, 39.0)
    assert s.interval(np.arange(1001.0)) == (25.0, 975.0)


def test_a_resample_of_one_kind_has_an_auroc_of_a_half():
    signal, right = np.array([0.2, 0.9]), np.array([False, True])
    counts = np.concatenate(list(s.bootstrap_counts(2, resamples=40, seed=0)))
    found = s.bootstrap_auroc(signal, right, resamples=40, seed=0)
    assert np.array_equal(found, np.where((counts == 1).all(axis=1), 1.0, 0.5))
    assert set(found) == {0.5, 1.0}


def test_equal_width_bins_by_hand():
    """A bin holds its lower end; 1.0 belongs to the last. Correct: the first of each pair."""
    right = np.array([True, False])
    # 0.1 and 0.19 share the second bin, 0.09 and 0.1 do not share one.
    assert s.ece_fixed(np.array([0.1, 0.19]), right) == pytest.approx(abs(0.29 - 1) / 2)
    assert s.ece_fixed(np.array([0.09, 0.1]), right) == pytest.approx((0.91 + 0.1) / 2)
    assert s.ece_fixed(np.array([0.9, 1.0]), right) == pytest.approx(abs(1.9 - 1) / 2)
    assert s.ece_fixed(np.array([0.89, 1.0]), right) == pytest.approx((0.11 + 1.0) / 2)
    # Ten bins unless said otherwise: nine would put 0.1 and 0.11 together with 0.09, eleven would part 0.1 from 0.19.
    assert s.ece_fixed(np.array([0.4, 0.49]), right, bins=2) == pytest.approx(abs(0.89 - 1) / 2)
    assert s.ece_fixed(np.array([0.4, 0.5]), right, bins=2) == pytest.approx((0.6 + 0.5) / 2)
    assert s.ece_fixed(np.array([0.95, 0.91]), right) == pytest.approx(abs(1.86 - 1) / 2)


def test_equal_mass_bins_by_hand():
    """Twenty different values, two a bin; then four values in two bins; ties stay together."""
    confidence = np.arange(20) / 20
    right = np.arange(20) % 2 == 0
    pairs = [abs(confidence[at] + confidence[at + 1] - 1) for at in range(0, 20, 2)]
    assert s.ece_adaptive(confidence, right) == pytest.approx(sum(pairs) / 20)
    four, known = np.array([0.1, 0.2, 0.3, 0.9]), np.array([True, False, True, True])
    assert s.ece_adaptive(four, known, bins=2) == pytest.approx((abs(0.3 - 1) + abs(1.2 - 2)) / 4)
    assert s.ece_adaptive(four, known, bins=4) == pytest.approx((0.9 + 0.2 + 0.7 + 0.1) / 4)
    tied = np.array([0.2, 0.2, 0.2, 0.9])
    assert s.ece_adaptive(tied, known, bins=2) == pytest.approx((abs(0.6 - 2) + 0.1) / 4)
    assert s.ece_adaptive(np.array([1.0]), np.array([False]), bins=1) == 1.0


def test_apgr_by_hand():
    """Edge 0, cloud 1; the curve is the cloud rate itself at first and then full: 10 %, 20 %, 30 %, 40 %, 50 % and five times 100 %."""
    curve = np.array([0, 0.1, 0.2, 0.3, 0.4, 0.5, 1, 1, 1, 1, 1.0])
    assert s.apgr(curve) == pytest.approx((0.1 + 0.2 + 0.3 + 0.4 + 0.5 + 5) / 10)
    assert s.apgr(0.2 + curve / 2) == pytest.approx((0.1 + 0.2 + 0.3 + 0.4 + 0.5 + 5) / 10)
    assert s.apgr(np.array([0.5, 0.9, 0.5])) is None
    assert s.apgr(np.array([0.5, 0.9, 0.51])) == pytest.approx(
        100 * (np.mean([0.58, 0.66, 0.74, 0.82, 0.9, 0.822, 0.744, 0.666, 0.588, 0.51]) - 0.5)
    )


def test_a_routing_curve_is_linear_between_its_points():
    curve = np.array([0.2, 0.6, 1.0])
    assert [s.accuracy_at(curve, rate) for rate in (0, 0.25, 0.5, 0.75, 1)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])

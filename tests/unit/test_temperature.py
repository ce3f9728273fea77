"""A temperature is fitted on questions that test nothing: neither the report nor a promise."""

from datetime import date

import numpy as np
import pytest

from app.core.buckets import BUCKET_LABELS, BUCKETS, mean_confidence, tempered
from app.core.errors import ConfigError
from app.core.verdict import Signal
from app.data.target import Target
from app.evaluation.calibrate import calibrate
from app.evaluation.table import to_table
from app.evaluation.temperature import fit_temperature
from tests.support.records import halves, record

TODAY = date(2026, 1, 2)
PATHS = (((0, 0), (1, 0)), ((0, 0), (1, 1)), ((0, 0), (1, 2)), ((0, 0), (1, 3)), ((0, 1),))


def fitted(rows, kind, value, *, signal=Signal.EXPECTED, delta=None, per_domain=True, **kwargs):
    target = Target(kind=kind, value=value, delta=delta, per_domain=per_domain)
    return calibrate(rows, target=target, signal=signal, today=TODAY, resamples=20, **kwargs)


def tempered_rows(n, temperatures, *, domains=("law",)):
    """Row i is right with the expected confidence of its buckets at `temperatures[i]`; the records hold the sharper ones."""
    draw = np.random.default_rng(0)
    rows = []
    for number in range(n):
        sharp = draw.dirichlet([0.6] * 5)
        letter = "A" if draw.random() < mean_confidence(tempered(sharp, PATHS, temperatures[number])) else "B"
        more = {"confidence_probabilities": dict(zip(BUCKET_LABELS, map(float, sharp), strict=True)), "bucket_paths": PATHS}
        confidence = BUCKETS[int(np.argmax(sharp))]
        rows.append(
            record(
                number, domains[number % len(domains)], confidence, letter, "A", expected=mean_confidence(sharp), marginal=letter, **more
            )
        )
    return rows


@pytest.mark.parametrize("kind", ["cloud_rate", "accuracy"])
def test_the_test_half_has_no_say_in_the_temperature(kind):
    """The fit half was made at a temperature of 3, the test half at 0.5."""
    n = 1600
    temperatures = np.full(n, 0.5)
    temperatures[halves(n)[0]] = 3.0
    found = fitted(tempered_rows(n, temperatures), kind, 0.6, with_temperature=True, per_domain=False)
    assert found.calibration.temperature == pytest.approx(3.0, rel=0.25)
    after, before = found.temperature_report["after"], found.temperature_report["before"]
    assert after["log_loss"] > before["log_loss"], "the report is of the test half"


def test_a_threshold_is_compared_with_the_tempered_signal():
    rows = tempered_rows(600, np.full(600, 3.0))
    found = fitted(rows, "cloud_rate", 0.3, with_temperature=True, per_domain=False, seed=2).calibration
    signal = to_table(rows, temperature=found.temperature).signal["expected"]
    fit_rows, test_rows = halves(600, 2)
    assert np.mean(signal[fit_rows] < found.tau) == pytest.approx(0.3)
    assert np.mean(signal[test_rows] < found.tau) == pytest.approx(found.achieved.cloud_rate)
    assert found.temperature == fit_temperature(to_table([rows[place] for place in fit_rows]))


@pytest.mark.parametrize("per_domain", [True, False])
def test_the_questions_that_test_a_promise_have_no_say_in_the_temperature(per_domain):
    """A third of the fit half, of each threshold's questions, was made at a temperature of 3, everything else at 0.5."""
    n = 2400
    domains = ("law", "law", "law", "art")
    fit_rows, _ = halves(n)
    of_law = np.array([domains[place % 4] == "law" for place in fit_rows])
    parts = [fit_rows[of_law], fit_rows[~of_law]] if per_domain else [fit_rows]
    temperatures = np.full(n, 0.5)
    for part in parts:
        temperatures[part[np.random.default_rng(0).permutation(len(part))[: len(part) // 3]]] = 3.0
    rows = tempered_rows(n, temperatures, domains=domains)
    found = fitted(rows, "edge_error", 0.6, delta=0.1, with_temperature=True, per_domain=per_domain, min_domain=500).calibration
    assert found.temperature == pytest.approx(3.0, rel=0.25)
    assert found.pooled == (["art"] if per_domain else [])


def test_a_handful_of_questions_is_refused_with_a_temperature_too():
    with pytest.raises(ConfigError, match=r"cannot be promised for all domains together \(n = 2\)"):
        fitted(tempered_rows(5, np.ones(5)), "edge_error", 0.5, delta=0.1, with_temperature=True, per_domain=False)

"""Choosing tau: the target is reached where it can be, refused where it cannot, and checked on questions that had no part in it."""

from collections import Counter
from datetime import date

import numpy as np
import pytest

from app.core.buckets import BUCKET_LABELS, BUCKETS, FLAT_PATHS, mean_confidence, tempered
from app.core.errors import ConfigError
from app.core.verdict import Signal
from app.data.calibration import read_calibration, write_calibration
from app.data.target import Target
from app.evaluation.calibrate import calibrate, fit_temperature
from app.evaluation.calibration_markdown import render_calibration
from app.evaluation.risk import clopper_pearson
from app.evaluation.table import to_table
from tests.support.records import record, simulated

TODAY = date(2026, 1, 2)


def fitted(rows, kind, value, signal=Signal.EXPECTED, *, per_domain=False, delta=None, **kwargs):
    target = Target(kind=kind, value=value, delta=delta, per_domain=per_domain)
    return calibrate(rows, target=target, signal=signal, today=TODAY, resamples=300, **kwargs)


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 0.93, 1.0])
def test_expected_hits_any_cloud_rate(rate):
    rows = simulated(800, 0)
    fit = fitted(rows, "cloud_rate", rate)
    found = fit.calibration
    # 400 questions can show a rate to within two points at the ends only.
    assert found.achieved.held == ("held" if rate in {0.0, 1.0} else "not enough data")
    assert found.achieved.cloud_rate == pytest.approx(rate, abs=0.1)
    # On the half where it was chosen the rate is exact, to one question.
    table = to_table(rows)
    fit_rows = np.random.default_rng(0).permutation(800)[:400]
    assert np.mean(table.signal["expected"][fit_rows] < found.tau) == pytest.approx(rate, abs=1 / 400)
    assert (found.n_fit, found.n_test, found.achieved.n) == (400, 400, 400)


def test_verbalized_says_which_rates_are_reachable():
    rows = simulated(800, 1)
    with pytest.raises(ConfigError, match=r"a cloud rate of 0.6\d* cannot be reached .*the best is 0\.\d+, reachable are 0.000, 0\."):
        fitted(rows, "cloud_rate", 0.65, Signal.VERBALIZED)
    values = np.array([row["confidence"] for row in rows])[np.random.default_rng(0).permutation(800)[:400]]
    rate = float(np.mean(values < 0.5))
    fit = fitted(rows, "cloud_rate", round(rate, 2), Signal.VERBALIZED)
    assert fit.calibration.tau == 0.5
    assert "with five buckets the reachable cloud rates are" in fit.notes[0]


def test_a_target_accuracy_takes_the_lowest_cloud_rate_that_reaches_it():
    rows = simulated(2000, 2)
    low, high = (fitted(rows, "accuracy", value).calibration for value in (0.55, 0.7))
    assert low.achieved.cloud_rate < high.achieved.cloud_rate
    assert low.achieved.accuracy == pytest.approx(0.55, abs=0.04)
    assert high.achieved.accuracy_ci[0] < 0.7 < high.achieved.accuracy_ci[1]
    assert "beats" in high.recommendation
    with pytest.raises(
        ConfigError, match=r"an accuracy of 0.95 cannot be reached for all domains together: the best is 0\.\d+, at a cloud"
    ):
        fitted(rows, "accuracy", 0.95)


def test_a_bounded_edge_error_is_promised_and_checked():
    rows = simulated(3000, 3)
    found = fitted(rows, "edge_error", 0.3, delta=0.1).calibration
    assert found.achieved.kept > 100
    assert found.achieved.edge_error_ci[1] < 0.3
    assert found.achieved.held == "held"
    low, high = found.achieved.edge_error_ci
    wrong = round(found.achieved.edge_error * found.achieved.kept)
    assert (low, high) == clopper_pearson(wrong, found.achieved.kept)
    with pytest.raises(ConfigError, match=r"an edge error of 0.01 cannot be promised .* at delta = 0.1: the best that can be is"):
        fitted(rows, "edge_error", 0.01, delta=0.1)


def test_small_domains_are_pooled_and_that_is_said():
    rows = simulated(1200, 4, domains=("law", "law", "law", "math"))
    few = [{**row, "domain": "art", "id": f"a{row['id']}"} for row in simulated(30, 5)]
    fit = fitted([*rows, *few], "cloud_rate", 0.3, per_domain=True)
    found = fit.calibration
    assert set(found.domains) == {"law", "math"}
    assert found.pooled == ["art"]
    assert any("pooled, because they have fewer than 100 questions" in note and "art (" in note for note in fit.notes)
    for own in found.domains.values():
        assert own.achieved.cloud_rate == pytest.approx(0.3, abs=0.1)
    shared = fitted([*rows, *few], "edge_error", 0.5, per_domain=True, delta=0.3)
    assert any("delta is shared among 3 promises" in note and "0.1" in note for note in shared.notes)


def test_a_signal_that_knows_nothing_is_not_to_be_routed_on():
    found = fitted(simulated(600, 0, knows=False), "cloud_rate", 0.4).calibration
    assert found.achieved.lift_ci[0] < 0 < found.achieved.lift_ci[1]
    assert "do not route on this signal here" in found.recommendation


PATHS = (((0, 0), (1, 0)), ((0, 0), (1, 1)), ((0, 0), (1, 2)), ((0, 0), (1, 3)), ((0, 1),))


def test_a_temperature_divides_the_logits_at_each_branching():
    """Against the logits themselves, in a tree like that of the real tokenizers (first `0` or `1`, then the digits)."""
    draw = np.random.default_rng(1)
    first, second = draw.normal(size=2), draw.normal(size=4)

    def buckets(temperature):
        a, b = (np.exp(x / temperature) / np.exp(x / temperature).sum() for x in (first, second))
        return [*(a[0] * b), a[1]]

    for temperature in (0.3, 1.0, 2.5):
        assert tempered(buckets(1.0), PATHS, temperature) == pytest.approx(buckets(temperature))
    assert tempered(buckets(1.0), FLAT_PATHS, 2.0) != pytest.approx(buckets(2.0))
    assert sum(tempered([1.0, 0, 0, 0, 0], PATHS, 3.0)) == pytest.approx(1)


def overconfident(n, seed, temperature):
    """Right with the expected confidence of tempered buckets; the records hold the untempered, sharper ones."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        sharp = draw.dirichlet([0.6] * 5)
        expected = mean_confidence(tempered(sharp, PATHS, temperature))
        right = draw.random() < expected
        rows.append(
            record(
                number,
                "law",
                BUCKETS[int(np.argmax(sharp))],
                "A" if right else "B",
                "A",
                expected=mean_confidence(sharp),
                marginal="A" if right else "B",
                confidence_probabilities=dict(zip(BUCKET_LABELS, map(float, sharp), strict=True)),
                bucket_paths=PATHS,
            )
        )
    return rows


def test_the_temperature_that_made_the_data_is_found_again_and_lowers_the_errors():
    rows = overconfident(3000, 0, 2.5)
    assert fit_temperature(to_table(rows)) == pytest.approx(2.5, rel=0.2)
    fit = fitted(rows, "cloud_rate", 0.3, with_temperature=True)
    before, after = fit.temperature_report["before"], fit.temperature_report["after"]
    assert after["log_loss"] < before["log_loss"]
    assert after["ece"] < before["ece"] / 2
    assert fit.calibration.temperature == pytest.approx(2.5, rel=0.25)
    assert "Temperature" in render_calibration(fit)
    with pytest.raises(ConfigError, match="add --signal expected"):
        fitted(rows, "cloud_rate", 0.3, Signal.VERBALIZED, with_temperature=True)
    with pytest.raises(ConfigError, match="do not hold 'bucket_paths'"):
        fitted(simulated(50, 0), "cloud_rate", 0.3, with_temperature=True)


def test_the_file_says_where_it_comes_from_and_is_read_back(tmp_path):
    rows = [{**row, "edge_model": "small+tuned", "edge_fingerprint": "abc"} for row in simulated(400, 7)]
    found = fitted(rows, "cloud_rate", 0.3).calibration
    write_calibration(tmp_path / "sub" / "calibration.json", found)
    assert read_calibration(tmp_path / "sub" / "calibration.json") == found
    assert (found.edge_model, found.edge_adapter, found.edge_fingerprint, found.prompt_version) == ("small", "tuned", "abc", "p1")
    assert (found.cloud_model, found.created, found.seed) == (["big"], TODAY, 0)
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["calibration.json"]


@pytest.mark.parametrize(
    ("served", "says"),
    [
        (("other+tuned", "abc", "p1"), "another edge model: it was made with small, the gateway serves other"),
        (("small+new", "abc", "p1"), "another adapter: it was made with tuned, the gateway serves new"),
        (("small", "abc", "p1"), "another adapter: it was made with tuned, the gateway serves none"),
        (("small+tuned", "abc", "p2"), "another prompt version: it was made with p1, the gateway serves p2"),
        (("small+tuned", "xyz", "p1"), "another weights fingerprint: it was made with abc"),
    ],
)
def test_another_edge_is_refused_and_what_differs_is_said(served, says):
    rows = [{**row, "edge_model": "small+tuned", "edge_fingerprint": "abc"} for row in simulated(100, 7)]
    found = fitted(rows, "cloud_rate", 0.3).calibration
    found.check(edge_model="small+tuned", fingerprint="abc", prompt_version="p1")
    model, fingerprint, prompt = served
    with pytest.raises(ConfigError, match=says.replace("+", r"\+")):
        found.check(edge_model=model, fingerprint=fingerprint, prompt_version=prompt)


def test_a_file_that_is_no_calibration_is_said(tmp_path):
    path = tmp_path / "c.json"
    for text, says in (("{", "not JSON"), ("{}", "is not a calibration: signal: Field required"), ("[1]", "is not a calibration")):
        path.write_text(text)
        with pytest.raises(ConfigError, match=says):
            read_calibration(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_calibration(tmp_path / "none.json")


def test_the_halves_are_split_by_the_seed():
    rows = simulated(500, 8)
    taus = Counter(fitted(rows, "cloud_rate", 0.3, seed=seed).calibration.tau for seed in (0, 0, 1))
    assert sorted(taus.values()) == [1, 2]


@pytest.mark.parametrize(("kind", "value", "answers"), [("cloud_rate", 0.5, "an edge answer"), ("accuracy", 0.1, "both answers")])
def test_a_threshold_is_not_chosen_on_a_handful_of_questions(kind, value, answers):
    for n, says in ((1, f"1 question with {answers} is too few"), (2, "2 questions"), (39, f"39 questions with {answers} are too few")):
        with pytest.raises(ConfigError, match=f"^{says}.* 20 are needed to choose it and 20 others to check it, 40 in all; collect more$"):
            fitted(simulated(n, 0), kind, value)
    found = fitted(simulated(40, 0), kind, value).calibration
    assert (found.n_fit, found.n_test) == (20, 20)
    # Records without the answers that a target needs do not count.
    lacking = {"cloud_answer": None} if kind == "accuracy" else {"edge_answer": None}
    with pytest.raises(ConfigError, match=f"39 questions with {answers}"):
        fitted([*simulated(39, 0), record("x", "law", 0.5, "A", "A") | lacking], kind, value)


def test_a_domain_has_no_threshold_of_its_own_that_is_chosen_on_a_handful_of_questions():
    rows = simulated(200, 0)
    for min_domain in (1, 19):
        with pytest.raises(ConfigError, match=rf"--min-domain {min_domain} is too small: .* 20 questions at least"):
            fitted(rows, "cloud_rate", 0.3, per_domain=True, min_domain=min_domain)
        # Without thresholds per domain nobody looks at it, and the promise of an edge error is tested exactly for any number.
        assert fitted(rows, "cloud_rate", 0.3, min_domain=min_domain).calibration.domains == {}
        assert fitted(rows, "edge_error", 0.9, delta=0.3, per_domain=True, min_domain=min_domain).calibration.domains
    assert fitted(rows, "cloud_rate", 0.3, per_domain=True, min_domain=20).calibration.domains.keys() == {"law", "math"}

"""`foggate calibrate` with a letter prior: when it is kept, what it may look at, and what file, report and gateway make of it."""

import json

import numpy as np
import pytest

from app.cli.eval_report import run_report
from app.config.settings import Settings
from app.core.errors import ConfigError
from app.core.policy import Policy
from app.core.verdict import EdgeReply, JointVerdict, OptionsVerdict, Signal
from app.data.calibration import read_calibration, write_calibration
from app.data.target import Target
from app.evaluation.calibrate import calibrate
from app.evaluation.calibrated import served_table
from app.evaluation.calibration_markdown import render_calibration
from app.evaluation.choose_prior import choose_reading
from app.evaluation.fields import edge_fields
from app.evaluation.letter_prior import SHRINKAGE, corrected_record, estimate_prior, preference_p
from app.evaluation.split import halves
from app.evaluation.table import signal_of, to_table
from tests.support.fitted import logistic
from tests.support.lettered import prior, sample
from tests.support.populations import TODAY, drawn
from tests.support.records import record, write

RATE = Target(kind="cloud_rate", value=0.4)
ERROR = Target(kind="edge_error", value=0.5, delta=0.1)


def made(rows, target=RATE, *, mode="auto", **kwargs):
    return calibrate(rows, target=target, letter_prior=mode, today=TODAY, resamples=50, with_curve=False, **kwargs)


@pytest.fixture(scope="module")
def rows():
    return sample(800, drawn(1))


@pytest.fixture(scope="module")
def fit(rows):
    return made(rows)


def test_by_hand():
    rows = [record(at, "law", 0.5, "A", "A", answer_probabilities={"A": 0.8, "B": 0.2}) for at in range(20)]
    rows += [record("x", "law", 0.5, "A", "A", answer_probabilities={"A": 0.1, "B": 0.2, "C": 0.7})]
    found, n = estimate_prior(rows)
    assert n == {2: 20, 3: 1}
    assert found.by_options[2] == pytest.approx(((20 * 0.8 + 10) / 40, (20 * 0.2 + 10) / 40))
    assert found.by_options[3] == pytest.approx(tuple((share + SHRINKAGE / 3) / (1 + SHRINKAGE) for share in (0.1, 0.2, 0.7)))


def test_where_the_model_prefers_letters_the_prior_is_kept_and_the_other_half_reports_what_it_changes(fit):
    found = fit.calibration
    assert found.version == 4
    assert found.letter_prior.n == {4: 400}
    effect = found.letter_prior.effect
    assert effect.n == found.achieved.n == 400
    assert effect.accuracy[1] > effect.accuracy[0] + 0.03
    assert effect.aurc[1] < effect.aurc[0]
    assert effect.accuracy_gain_ci[0] < effect.accuracy[1] - effect.accuracy[0] < effect.accuracy_gain_ci[1]
    preferred = found.letter_prior.by_options[4]
    assert preferred[0] > preferred[3] > preferred[1] > preferred[2], "as the model's own preference"
    (note,) = (note for note in fit.notes if "letter prior" in note)
    assert note.startswith("the letter prior is divided out: it is better, by the rule for keeping one: accuracy ")
    text = render_calibration(fit)
    assert "Letter prior (shrinkage 20)" in text
    assert "Each signal on the test half without the letter prior:" in text
    assert fit.signals_without["top_probability"]["auroc"] != fit.signals["top_probability"]["auroc"]


def test_where_it_prefers_none_there_is_no_prior():
    rows = sample(400, drawn(2), preference=())
    fit = made(rows)
    assert (fit.calibration.version, fit.calibration.letter_prior, fit.signals_without) == (4, None, {})
    assert any(note.startswith("no letter prior is divided out, because it is not better") for note in fit.notes)
    assert fit.calibration == made(rows, mode="off").calibration
    kept = made(rows, mode="on")
    assert kept.calibration.letter_prior is not None
    assert any(note.startswith("the letter prior was to be divided out; it is not better") for note in kept.notes)


def test_correct_answers_that_are_spread_unevenly_are_no_preference():
    """The mean of the distributions holds the shares of the correct letters too: dividing by them is worse, so it is not done."""
    rows = [row for row in sample(1600, drawn(3), preference=()) if row["gold"] == "A" or int(row["id"]) % 4 == 0]
    assert preference_p(rows, 0) == pytest.approx(1 / 500), "it looks like a preference"
    assert made(rows).calibration.letter_prior is None


def test_the_preference_is_tested_by_moving_the_options_on():
    assert preference_p(sample(200, drawn(4)), 0) == pytest.approx(1 / 500)
    values = [preference_p(sample(60, drawn(seed), preference=(), options=(2, 4, 5)), seed) for seed in range(40)]
    assert np.mean(np.array(values) <= 0.5) == pytest.approx(0.5, abs=0.2), "without one every p-value is as probable"
    assert sum(value <= 0.05 for value in values) <= 6


def test_no_correct_answer_is_needed_for_the_prior_itself(rows):
    """Other correct letters change what is kept, and never what would be divided out."""
    others = [row | {"gold": "D"} for row in rows]
    assert made(rows, mode="on").calibration.letter_prior.by_options == made(others, mode="on").calibration.letter_prior.by_options


def moved(rows, places):
    """The same records with the probabilities of these moved on by one letter."""
    found = list(rows)
    for at in places.tolist():
        answers = rows[at]["answer_probabilities"]
        shares = list(answers.values())
        found[at] = rows[at] | {"answer_probabilities": dict(zip(answers, shares[1:] + shares[:1], strict=True))}
    return found


@pytest.mark.parametrize("target", [RATE, ERROR])
def test_the_questions_that_test_a_promise_have_no_part_in_it(rows, target):
    fit_rows, test_rows = halves(len(rows), 0)
    proposing = np.random.default_rng(0).permutation(400)[:133]
    hidden = test_rows if target is RATE else np.concatenate([test_rows, fit_rows[np.setdiff1d(np.arange(400), proposing)]])
    table = to_table(rows)
    seen = fit_rows if target is RATE else fit_rows[proposing]
    priors = [
        choose_reading(to_table(some), seen, wanted=None, keep_fitted=False, seed=0, prior="on").prior
        for some in (rows, moved(rows, hidden), moved(rows, seen[:50]))
    ]
    assert priors[0] == priors[1] != priors[2]
    held = made(rows, target, mode="on").calibration.letter_prior
    assert held.by_options[4] == pytest.approx(priors[0].by_options[4])
    assert sum(held.n.values()) == len(seen)
    assert len(table) == len(rows)


def test_rows_that_choose_are_corrected_by_a_prior_of_other_rows(rows):
    table, fitting = to_table(rows), halves(len(rows), 0)[0]
    reading = choose_reading(table, fitting, wanted=Signal.TOP_PROBABILITY, keep_fitted=False, seed=0, prior="on")
    whole = to_table([corrected_record(row, reading.prior, reread=False) for row in rows])
    others = np.setdiff1d(np.arange(len(rows)), fitting)
    name = "top_probability"
    assert np.array_equal(reading.chosen.table.signal[name][others], whole.signal[name][others])
    assert not np.isclose(reading.chosen.table.signal[name][fitting], whole.signal[name][fitting], rtol=0, atol=1e-9).any()


@pytest.mark.parametrize("signal", Signal)
@pytest.mark.parametrize("kind", [JointVerdict, OptionsVerdict])
def test_a_corrected_record_has_the_signals_of_the_corrected_verdict_to_the_last_digit(signal, kind):
    """Else a threshold that was chosen on records would not cut where it cuts in the gateway."""
    draw = np.random.default_rng(3)
    for options in (2, 4, 26):
        weights = draw.random((5, options)).tolist()
        verdict = JointVerdict.from_weights(weights, 2) if kind is JointVerdict else OptionsVerdict.from_weights(weights[0])
        one = prior(draw.dirichlet([3.0] * options).tolist())
        policy = Policy(signal=signal, temperature=2.0, fitted=logistic(), letter_prior=one)
        read = policy.read(verdict)
        if read.signal(signal) is None:
            continue
        written = json.loads(json.dumps(edge_fields(EdgeReply(verdict, "small", None, 0.1))))
        corrected = corrected_record(written, one, reread=False)
        assert signal_of(corrected, signal, 2.0, logistic()) == read.signal(signal)
        table = to_table([record("1", "law", 0.5, "A", "A") | corrected], cloud_needed=False)
        assert bool(table.edge_correct[signal.value if signal.value in table.signal else "margin"][0]) == (read.answer(signal) == "A")


def test_a_report_with_the_calibration_shows_the_corrected_numbers(rows, fit, tmp_path):
    write_calibration(tmp_path / "c.json", fit.calibration)
    options = {"records": write(tmp_path / "r.jsonl", rows), "seed": 0, "as_json": False, "pictures": False, "shown": False}
    served = run_report(Settings(), out=tmp_path / "served", calibration=tmp_path / "c.json", **options)
    plain = run_report(Settings(), out=tmp_path / "plain", signal=fit.calibration.signal, tau=fit.calibration.tau, **options)
    table = served_table(rows, fit.calibration)
    name = fit.calibration.signal.value
    assert served["edge"]["all"]["accuracy"] == pytest.approx(table.edge_correct[name].mean())
    assert served["edge"]["all"]["accuracy"] > plain["edge"]["all"]["accuracy"] + 0.03
    assert served["signals"]["verbalized"]["edge_accuracy"] == plain["signals"]["verbalized"]["edge_accuracy"]
    assert served["calibration"]["letter_prior"]["n"] == {"4": 400}
    assert "divides a letter prior out" in (tmp_path / "served" / "report.md").read_text()
    # The test half of the report's rows is what the calibration says of it.
    test = table.rows(halves(len(rows), 0)[1])
    assert test.edge_correct[name].mean() == pytest.approx(fit.calibration.letter_prior.effect.accuracy[1])
    assert (test.signal[name] < fit.calibration.tau).mean() == pytest.approx(fit.calibration.achieved.cloud_rate)
    assert read_calibration(tmp_path / "c.json") == fit.calibration


def test_the_verbalized_confidence_is_never_touched(rows):
    assert made(rows, signal=Signal.VERBALIZED, target=Target(kind="cloud_rate", value=0.0)).calibration.letter_prior is None
    with pytest.raises(ConfigError, match="which no letter prior changes: leave out --letter-prior, or choose another --signal"):
        made(rows, signal=Signal.VERBALIZED, mode="on")


def test_too_few_questions_give_none_and_say_so():
    few = sample(60, drawn(5))
    fit = made(few)
    assert fit.calibration.letter_prior is None
    assert "no letter prior is divided out: it takes 50 questions to see whether one is better, and there are 30" in fit.notes
    assert made(few, mode="on").calibration.letter_prior.n == {4: 30}
    with pytest.raises(ConfigError, match="no letter prior can be estimated: it takes 5 questions"):
        made(sample(8, drawn(5)), Target(kind="edge_error", value=0.9, delta=0.1), mode="on")


def test_questions_with_more_options_than_were_seen_go_to_the_cloud(fit):
    few, many = sample(50, drawn(6)), [row | {"id": f"many-{row['id']}"} for row in sample(50, drawn(6), options=(10,))]
    table = served_table([*few, *many], fit.calibration)
    assert table.covered.tolist() == [True] * 50 + [False] * 50
    assert np.isneginf(table.signal["margin"][50:]).all()
    assert np.isfinite(table.signal["margin"][:50]).all()

"""`foggate calibrate` with the signal `fitted`: when it is taken, what it may look at, and what the file and the report say of it."""

import json
import sys

import numpy as np
import pytest

from app.cli.eval_report import run_report
from app.config.settings import Settings
from app.core.errors import ConfigError
from app.core.fitted import SHOWN_FEATURES
from app.core.verdict import Signal
from app.data.calibration import read_calibration, write_calibration
from app.data.target import Target
from app.evaluation.calibrate import calibrate
from app.evaluation.calibrated import model_of
from app.evaluation.calibration_markdown import render_calibration
from app.evaluation.choose_signal import choose_signal
from app.evaluation.compare import compare
from app.evaluation.fitting import cross_fitted, feature_matrix, predicted
from app.evaluation.pictures import draw_all
from app.evaluation.report import build_report
from app.evaluation.split import halves
from app.evaluation.table import to_table
from tests.support import kinds
from tests.support.populations import TODAY, Domain, drawn, sample
from tests.support.records import simulated, write

RATE = Target(kind="cloud_rate", value=0.4)
ERROR = Target(kind="edge_error", value=0.3, delta=0.1)


def made(rows, target=RATE, **kwargs):
    return calibrate(rows, target=target, today=TODAY, resamples=20, **kwargs)


@pytest.fixture(scope="module")
def rows():
    return kinds.sample(1200, drawn(1))


@pytest.fixture(scope="module")
def fit(rows):
    return made(rows)


@pytest.mark.parametrize("signal", [None, Signal.FITTED])
def test_where_it_orders_answers_better_than_every_single_signal_it_is_taken(rows, fit, signal):
    found = made(rows, signal=signal)
    assert found.calibration == fit.calibration
    assert (found.calibration.signal, found.calibration.fitted.n) == (Signal.FITTED, 600)
    assert found.notes[0].startswith("the fitted probability is better than the best single signal: AUROC 0.")
    assert found.calibration.fitted.auroc > max(row["auroc"] for name, row in found.signals.items() if name != "fitted") + 0.02
    text = render_calibration(found)
    assert "on the fitted probability" in text
    assert "| fitted |" in text


def test_where_a_single_signal_says_it_all_the_file_takes_that_one_and_says_so():
    rows = sample([Domain("law", 1, wrong=0.8, slope=0.7)], 600, drawn(2))
    found = made(rows)
    assert (found.calibration.signal, found.calibration.fitted) == (Signal.EXPECTED, None)
    start = "the fitted probability is not better than the best single signal by more than the standard error: AUROC 0."
    assert found.notes[0].startswith(start)
    assert found.notes[0].endswith("; the file takes the expected confidence")
    assert "fitted" in found.signals, "it is shown beside the others all the same"
    assert found.calibration == made(rows, signal=Signal.EXPECTED).calibration
    kept = made(rows, keep_fitted=True)
    assert kept.calibration.signal is Signal.FITTED
    assert "was to be kept; it is not better" in kept.notes[0]


def nearly_all_correct():
    return [row | ({"gold": "A"} if at % 20 else {"gold": "B"}) for at, row in enumerate(kinds.sample(200, drawn(2)))]


@pytest.mark.parametrize("rows", [simulated(60, 0), nearly_all_correct()])
def test_too_few_questions_or_too_few_wrong_answers_give_the_best_single_signal(rows):
    found = made(rows)
    assert found.calibration.signal is not Signal.FITTED
    assert found.notes[0].startswith("the fitted probability needs 50 questions to be fitted on, with 10 correct and 10 wrong edge answers")
    with pytest.raises(ConfigError, match="the fitted probability needs 50 questions"):
        made(rows, keep_fitted=True)


def test_without_scikit_learn_the_choice_is_among_the_single_signals_and_who_asks_for_fitted_is_told(rows, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    found = made(rows)
    assert found.calibration.signal in {Signal.TOP_PROBABILITY, Signal.MARGIN}
    assert found.notes[0].startswith(
        "the signal 'fitted' needs scikit-learn, which is not installed: pip install 'foggate[eval]'; the file takes"
    )
    with pytest.raises(ConfigError, match=r"needs scikit-learn, which is not installed: pip install 'foggate\[eval\]'$"):
        made(rows, signal=Signal.FITTED)
    assert made(rows, signal=Signal.MARGIN).calibration.signal is Signal.MARGIN


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"signal": Signal.FITTED, "with_temperature": True}, "a temperature changes the expected confidence only"),
        ({"keep_fitted": True, "with_temperature": True}, "--keep-fitted keeps the signal 'fitted'"),
        ({"signal": Signal.TOP_PROBABILITY, "with_temperature": True}, "a temperature changes the expected confidence only"),
        ({"signal": Signal.MARGIN, "keep_fitted": True}, "--keep-fitted keeps the signal 'fitted', and --signal asks for 'margin'"),
    ],
)
def test_options_that_contradict_each_other_are_refused(rows, kwargs, says):
    with pytest.raises(ConfigError, match=says):
        made(rows, **kwargs)


def flipped(rows, places):
    """The same records with other correct letters at these places."""
    places = set(places.tolist())
    return [row | {"gold": "B" if row["gold"] == "A" else "A"} if at in places else row for at, row in enumerate(rows)]


def test_the_questions_that_test_a_promise_have_no_part_in_the_model(rows):
    """Neither the certifying part of the fit half nor the test half changes a digit of it."""
    fit_rows, test_rows = halves(len(rows), 0)
    proposing = np.random.default_rng(0).permutation(600)[:200]
    others = np.setdiff1d(np.arange(600), proposing)
    for target, hidden in ((RATE, test_rows), (ERROR, np.concatenate([test_rows, fit_rows[others]]))):
        models = [made(some, target, keep_fitted=True).calibration.fitted for some in (rows, _eased(rows, hidden))]
        assert models[0].n == (600 if target is RATE else 200)
        assert models[0].logistic() == models[1].logistic()
        seen = fit_rows[proposing[:100]]
        assert made(flipped(rows, seen), RATE, keep_fitted=True).calibration.logistic != models[0].logistic(), "the others do"


def test_thresholds_are_chosen_on_values_of_models_that_did_not_see_the_question(rows):
    table, fitting = to_table(rows), halves(len(rows), 0)[0]
    chosen = choose_signal(table, fitting, wanted=Signal.FITTED, keep_fitted=True, seed=0)
    names, values = feature_matrix(rows)
    correct = table.edge_correct["margin"]
    by_model = predicted(chosen.model, names, values)
    others = np.setdiff1d(np.arange(len(rows)), fitting)
    found = chosen.table.signal["fitted"]
    assert np.array_equal(found[others], by_model[others])
    assert np.array_equal(found[fitting], cross_fitted(names, values[fitting], correct[fitting], seed=0))
    assert not np.array_equal(found[fitting], by_model[fitting])


def _eased(rows, places):
    """Every third of these rows is answered correctly instead, so that a promise can still be made."""
    return [row | {"gold": "A"} if at in set(places[::3].tolist()) else row for at, row in enumerate(rows)]


def test_the_file_is_read_back_whole_and_says_how_good_the_model_is_on_the_test_half(fit, rows, tmp_path):
    write_calibration(tmp_path / "c.json", fit.calibration)
    found = read_calibration(tmp_path / "c.json")
    assert found == fit.calibration
    content = json.loads((tmp_path / "c.json").read_text())
    assert content["version"] == 4
    assert set(content["fitted"]["features"]) == {*SHOWN_FEATURES}, "the confidences are the same everywhere, so they are left out"
    assert fit.calibration.fitted.ece == fit.signals["fitted"]["ece"]
    assert fit.calibration.fitted.auroc == pytest.approx(kinds.true_auroc(found), abs=0.05)
    assert found.summary()["fitted"]["auroc"] == found.fitted.auroc


def reported(tmp_path, rows, found):
    write_calibration(tmp_path / "c.json", found)
    out = tmp_path / "report"
    run_report(
        Settings(),
        records=write(tmp_path / "r.jsonl", rows),
        out=out,
        seed=0,
        as_json=False,
        pictures=False,
        calibration=tmp_path / "c.json",
    )
    return json.loads((out / "report.json").read_text()), (out / "report.md").read_text()


def test_a_report_of_the_same_records_judges_it_by_the_questions_that_it_was_not_fitted_on(fit, rows, tmp_path, capsys):
    report, text = reported(tmp_path, rows, fit.calibration)
    shown = report["signals"]["fitted"]
    assert (shown["n"], report["signals"]["margin"]["n"]) == (600, 1200)
    assert (shown["ece_fixed"], shown["brier"], shown["auroc"]) == pytest.approx(
        (fit.calibration.fitted.ece, fit.calibration.fitted.brier, fit.calibration.fitted.auroc)
    )
    assert "measured on the n = 600 questions that had no part in fitting it" in text
    assert "| fitted (n = 600) |" in text
    assert "(n = 600)" in report["other_signals"]["margin"]["sentence"]
    table = to_table(rows, cloud_needed=False, **model_of(fit.calibration, rows))
    report = build_report(rows, tau=0.5, signal=Signal.FITTED, calibration=fit.calibration, resamples=10)
    (svg,) = [path for path in draw_all(table, report, tmp_path) if path.name == "reliability.svg"]
    assert ", n = 600" in svg.read_text()


def test_a_report_of_other_records_judges_it_by_all_of_them(fit, tmp_path, capsys):
    others = kinds.sample(300, drawn(9))
    report, text = reported(tmp_path, others, fit.calibration)
    assert report["signals"]["fitted"]["n"] == 300
    assert "no part in fitting it" not in text
    assert report["signal"] == "fitted"
    paths = [tmp_path / "report" / "report.json"] * 2
    assert [row["signal"] for row in compare(paths, resamples=10)["reports"]] == ["fitted", "fitted"]


def test_without_a_calibration_there_is_no_fitted_signal_to_report(rows, tmp_path):
    with pytest.raises(ConfigError, match="--signal fitted needs the model of a calibration: give --calibration FILE instead"):
        run_report(Settings(), records=write(tmp_path / "r.jsonl", rows), out=tmp_path, seed=0, as_json=False, signal=Signal.FITTED)
    with pytest.raises(ConfigError, match="the signal 'fitted' needs a calibration that holds its model"):
        build_report(rows, tau=0.5, signal=Signal.FITTED)


def test_an_edge_without_a_confidence_has_a_fitted_signal_too():
    rows = kinds.sample(1200, drawn(3), confidence=None, expected_confidence=None, confidence_probabilities=None)
    found = made(rows).calibration
    assert found.signal is Signal.FITTED
    assert found.logistic.signals == {Signal.TOP_PROBABILITY, Signal.MARGIN}
    confident = kinds.sample(300, drawn(4))
    assert "fitted" in to_table(confident, fitted=found.logistic).signal


@pytest.mark.parametrize(
    ("known", "signal"),
    [({"edge_writes_confidence": True}, "verbalized"), ({"edge_writes_confidence": False}, "top_probability"), ({}, "verbalized")],
)
def test_a_report_without_a_calibration_is_on_the_signal_that_a_gateway_would_take(tmp_path, known, signal, capsys):
    rows = [row | known for row in simulated(40, 0)]
    run_report(Settings(), records=write(tmp_path / "r.jsonl", rows), out=tmp_path, seed=0, as_json=False, pictures=False)
    assert json.loads((tmp_path / "report.json").read_text())["signal"] == signal

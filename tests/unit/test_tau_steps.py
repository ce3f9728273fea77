"""One line a threshold: what it keeps, how much of that is correct, and the accuracy of the system."""

import pytest

from app.core.verdict import Signal
from app.evaluation.markdown import render
from app.evaluation.report import build_report
from app.evaluation.risk import clopper_pearson
from app.evaluation.table import to_table
from app.evaluation.tau_steps import TAUS, about_steps, tau_steps
from tests.support.records import record, simulated

# A signal, whether the edge is correct, and whether the cloud is (None: it was not asked).
ROWS = [(0.9, True, False), (0.4, True, True), (0.4, False, True), (0.3, False, None), (0.1, True, True)]


def by_hand(rows=ROWS):
    letters = {True: "A", False: "B", None: None}
    return [
        record(number, "law", 0.5, letters[edge], letters[cloud], expected=signal, marginal=letters[edge])
        for number, (signal, edge, cloud) in enumerate(rows)
    ]


def test_the_numbers_by_hand():
    steps = {step["tau"]: step for step in tau_steps(to_table(by_hand(), cloud_needed=False), Signal.EXPECTED)}
    assert tuple(steps) == TAUS
    at = steps[0.4]
    # A signal of exactly tau is kept: three of five, of which two are correct; the system has those two of three, and the last one's cloud.
    assert (at["n"], at["kept"], at["kept_share"], at["kept_correct"]) == (5, 3, 0.6, pytest.approx(2 / 3))
    assert (at["n_cloud"], at["system"]) == (4, 0.75)
    assert (at["kept_share_ci"], at["kept_correct_ci"]) == (list(clopper_pearson(3, 5)), list(clopper_pearson(2, 3)))
    assert at["system_ci"] == list(clopper_pearson(3, 4))
    assert at["sentence"] == (
        "tau 0.4: keeps 60.0 % [14.7, 94.7], of which 66.7 % [9.4, 99.2] are correct; system accuracy 75.0 % [19.4, 99.4]"
    )
    # One answer has no interval; where nothing is kept, the system is the cloud.
    assert steps[0.5]["kept_correct_ci"] is None
    assert (steps[1.0]["kept_correct"], steps[1.0]["system"]) == (None, 0.75)
    assert steps[1.0]["sentence"].startswith("tau 1: keeps nothing; system accuracy 75.0 % [")


def test_without_a_cloud_nothing_is_said_of_the_system():
    steps = tau_steps(to_table([row | {"cloud_answer": None} for row in by_hand()], cloud_needed=False), Signal.EXPECTED)
    assert not {key for step in steps for key in step} & {"n_cloud", "system", "system_ci"}
    assert "system" not in steps[0]["sentence"] + about_steps(5, 0, Signal.EXPECTED)


def test_the_lines_stand_in_the_report_and_in_its_text():
    report = build_report(simulated(60, 0), tau=0.37, signal=Signal.EXPECTED, resamples=10)
    text = render(report)
    assert [step["tau"] for step in report["tau_steps"]] == list(TAUS)
    kept = [step["kept_share"] for step in report["tau_steps"]]
    assert kept == sorted(kept, reverse=True)
    assert kept[0] > kept[-1]
    for step in report["tau_steps"]:
        assert f"- {step['sentence']}\n" in text
    assert "Thresholds of the expected confidence, the same one for every question (n = 60; the system sends the others" in text

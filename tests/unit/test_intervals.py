"""An interval from one question, from one pair, or from questions that are all alike is no interval: none is claimed."""

import json
import re

import numpy as np
import pytest

from app.bench.ratios import FEWEST_PAIRS, ratio, said
from app.core.verdict import Signal
from app.data.target import Target
from app.evaluation import statistics as st
from app.evaluation.cells import interval, number, share, signed, table
from app.evaluation.compare import OUTCOMES, compare
from app.evaluation.comparison_markdown import render_comparison
from app.evaluation.judge import Judge
from app.evaluation.markdown import render
from app.evaluation.order import flip_rates
from app.evaluation.report import build_report, outcomes
from app.evaluation.risk import clopper_pearson, share_interval
from app.evaluation.table import to_table
from tests.support.records import record, simulated


def report_of(rows, **kwargs):
    return build_report(rows, **{"tau": 0.5, "signal": Signal.VERBALIZED, "resamples": 100, **kwargs})


def intervals(value, path=""):
    """Every `…_ci` with its place."""
    if isinstance(value, dict):
        own = [(f"{path}.{key}", part) for key, part in value.items() if key.endswith("_ci")]
        return own + [found for key, part in value.items() for found in intervals(part, f"{path}.{key}")]
    return [found for part in value for found in intervals(part, path)] if isinstance(value, list) else []


def test_resamples_that_agree_are_no_interval():
    assert st.interval(np.full(500, 0.3)) is None
    assert st.interval(np.array([])) is None
    # Sums in another order differ by rounding.
    assert st.interval(0.3 + np.random.default_rng(0).normal(0, 1e-16, 500)) is None
    assert st.interval(np.array([0.0, 1.0] * 50)) == (0.0, 1.0)


@pytest.mark.parametrize(
    "rows", [[record(1, "law", 0.75, "A", "B")], [record(1, "law", 0.25, "B", "A")], [record(1, "law", 0.5, "A", None)]]
)
def test_one_question_has_no_interval_anywhere(rows):
    rows[0] |= {"reversed_answer": "A", "reversed_expected_answer": "B"}
    report = report_of(rows)
    assert len(intervals(report)) > 5
    assert [(place, ci) for place, ci in intervals(report) if ci is not None] == []
    text = render(report)
    shown = text[: text.index("## Terms")]
    assert not re.findall(r"\[[-+\d.]+, [-+\d.]+\]", shown)


def test_one_question_a_domain_has_an_interval_of_all_only():
    rows = [record(number, f"domain {number}", (0.25, 0.75)[number % 2], "AB"[number % 3 > 0], "AB"[number % 2]) for number in range(6)]
    report = report_of(rows)
    assert all(ci is None for row in report["domains"].values() for key, ci in row.items() if key.endswith("_ci"))
    assert (report["mean"]["system_ci"], report["mean"]["lift_ci"]) == (None, None)
    assert report["micro_mean"]["system_ci"] is not None
    assert any("There is one question only of" in note for note in report["notes"])
    # One large domain beside a single question does not make the mean's spread known.
    mixed = report_of([*simulated(100, 0, domains=("law",)), {**rows[0], "id": "x"}])
    assert (mixed["mean"]["lift_ci"], mixed["domains"]["law"]["lift_ci"] is None) == (None, False)
    # What is recommended rests on the questions together then.
    assert "(n = 101)" in mixed["recommendation"]


def test_questions_that_are_all_alike_have_no_bootstrap_interval():
    report = report_of([record(number, "law", 0.75, "A", "A", marginal="A") for number in range(20)])
    for key in ("cloud_only_ci", "edge_only_ci", "system_ci", "cloud_rate_ci", "lift_ci"):
        assert report["domains"]["law"][key] is None, key
    # An exact interval knows that twenty of twenty are not all of all.
    assert report["edge"]["all"]["accuracy_ci"] == pytest.approx(clopper_pearson(20, 20))


@pytest.mark.parametrize(("right", "wrong", "has"), [(1, 9, False), (9, 1, False), (2, 8, True), (8, 2, True), (1, 1, False)])
def test_an_auroc_needs_two_of_each_kind(right, wrong, has):
    draw = np.random.default_rng(3)
    rows = [
        record(number, "law", 0.5, letter, "A", marginal=letter, expected=float(draw.random()))
        for number, letter in enumerate("A" * right + "B" * wrong)
    ]
    signal = report_of(rows)["signals"]["expected"]
    assert signal["auroc"] is not None
    assert (signal["auroc_ci"] is not None) is has


def test_shares_of_one():
    assert (share_interval(1, 1), share_interval(0, 0)) == (None, None)
    assert share_interval(1, 2) == clopper_pearson(1, 2)
    rows = [record(1, "law", 1.0, "A", "A", reversed_answer="B", reversed_expected_answer="B")]
    assert flip_rates(rows)["verbalized"] == {"flips": 1, "rate": 1.0, "rate_ci": None}


def test_one_test_question_shows_nothing_of_a_target():
    test = to_table([record(1, "law", 0.5, "A", "A", marginal="A")])
    for kind, value in (("cloud_rate", 0.0), ("accuracy", 0.0), ("edge_error", 1.0), ("edge_error", 0.1)):
        found = Judge(Signal.EXPECTED, Target(kind=kind, value=value, delta=0.1), resamples=20, seed=0).judge(test, 0.4)
        assert (found.cloud_rate_ci, found.accuracy_ci, found.edge_error_ci, found.lift_ci) == (None, None, None, None)
        # What any share satisfies is held without a question.
        assert found.held == ("held" if (kind, value) in {("accuracy", 0.0), ("edge_error", 1.0)} else "not enough data")


def written(folder, rows):
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps(report_of(rows, signal=Signal.EXPECTED)))
    lines = outcomes(to_table(rows), tau=0.5, signal=Signal.EXPECTED)
    (folder / OUTCOMES).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder / "report.json"


def test_one_common_question_is_compared_without_an_interval(tmp_path):
    other = [{**row, "id": row["id"] if row["id"] == "3" else f"x{row['id']}", "edge_answer": "B"} for row in simulated(20, 1)]
    compared = compare([written(tmp_path / "a", simulated(20, 0)), written(tmp_path / "b", other)])
    pair = compared["reports"][1]["against_first"]
    assert pair["n"] == 1
    assert [ci for _, ci in intervals(pair) if ci is not None] == []
    row = next(line for line in render_comparison(compared).splitlines() if line.startswith("| (2) - (1) | 1 |"))
    assert "[" not in row


def test_an_auroc_of_zero_is_no_auroc_of_a_half(tmp_path):
    """One that is not defined is none either."""
    mistaken = [record(n, "law", 0.5, "AB"[n % 2], "A", marginal="AB"[n % 2], expected=0.1 + 0.8 * (n % 2)) for n in range(20)]
    right = [record(n, "law", 0.5, "A", "A", marginal="A", expected=n / 20) for n in range(20)]
    paths = [written(tmp_path / name, rows) for name, rows in (("a", mistaken), ("b", mistaken), ("c", right))]
    same, undefined = (row["against_first"]["signals"]["auroc"] for row in compare(paths)["reports"][1:])
    assert (same["first"], same["other"], same["difference"]) == (0.0, 0.0, 0.0)
    assert (undefined["first"], undefined["other"], undefined["difference"], undefined["difference_ci"]) == (0.0, None, None, None)
    assert "| 0.000 | – | – |" in render_comparison(compare(paths))


@pytest.mark.parametrize("pairs", [1, 2, 5, 6, 20])
def test_a_median_of_few_pairs_has_no_interval(pairs):
    above = list(np.random.default_rng(0).random(pairs) + 2)
    found = ratio("r", above, [1.0] * pairs)
    assert found["r"] == pytest.approx(np.median(above), abs=1e-3)
    assert (found["r_ci"] is None) is (pairs < FEWEST_PAIRS)
    assert ("[" in said(found, "r", 2)) is (pairs >= FEWEST_PAIRS)
    json.dumps(found, allow_nan=False)


def test_equal_ratios_have_none_either():
    assert ratio("r", [2.0] * 20, [1.0] * 20) == {"r": 2.0, "r_ci": None}


def test_cells_without_an_interval():
    assert (share(0.5, None), signed(0.1, None), number(0.8), interval(None)) == ("50.0", "+10.0", "0.800", "–")
    assert (share(None, None), signed(None, None), number(None)) == ("–", "–", "–")
    assert share(0.5, (0.1, 0.9)) == "50.0 [10.0, 90.0]"
    assert table(("a", "b"), [("x|y", "line\nbreak")]).splitlines()[-1] == "| x\\|y | line break |"

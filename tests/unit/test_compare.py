"""Reports side by side: paired where the questions are the same, and only there."""

import json

import pytest

from app.core.errors import ConfigError
from app.core.verdict import Signal
from app.evaluation.compare import OUTCOMES, compare
from app.evaluation.comparison_markdown import render_comparison
from app.evaluation.report import build_report, outcomes
from app.evaluation.table import to_table
from tests.support.records import simulated


def written(folder, rows, tau=0.5):
    folder.mkdir()
    report = build_report(rows, tau=tau, signal=Signal.EXPECTED, resamples=50)
    lines = outcomes(to_table(rows), tau=tau, signal=Signal.EXPECTED)
    (folder / "report.json").write_text(json.dumps(report))
    (folder / OUTCOMES).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder / "report.json"


def test_the_same_questions_are_paired(tmp_path):
    base = simulated(600, 0)
    # The same edge, except that 60 of its wrong answers are right.
    wrong = [row["id"] for row in base if row["edge_answer"] == "B"][:60]
    better = [
        {**row, "edge_model": "better", "edge_parameters": 600_000_000}
        | ({"edge_answer": "A", "answer_probabilities": {"A": 0.7, "B": 0.1, "C": 0.1, "D": 0.1}} if row["id"] in wrong else {})
        for row in base
    ]
    compared = compare([written(tmp_path / "a", base), written(tmp_path / "b", better)])
    first, second = compared["reports"]
    assert "against_first" not in first
    pair = second["against_first"]
    assert (pair["n"], pair["edge"]) == (600, pytest.approx(0.1))
    # A paired interval: much narrower than the ±0.08 of two independent shares of 600.
    low, high = pair["edge_ci"]
    assert 0.07 < low < 0.1 < high < 0.13
    text = render_comparison(compared)
    assert "| (2) | better | 600 M | 0.5 expected | 600 |" in text
    assert "| (2) - (1) | 600 | +10.0 [" in text


def test_signals_are_compared_at_a_common_cloud_rate(tmp_path):
    """One signal knows nothing, the other one everything; then both are the same."""
    base = [row | {"expected_confidence": 0.5} for row in simulated(400, 0)]

    def right(row):
        return max(row["answer_probabilities"], key=row["answer_probabilities"].get) == row["gold"]

    knowing = [row | {"expected_confidence": 0.9 if right(row) else 0.1} for row in base]
    paths = [written(tmp_path / name, rows) for name, rows in (("a", base), ("b", knowing), ("c", base))]
    compared = compare(paths, cloud_rate=0.3)
    auroc, lift = (compared["reports"][1]["against_first"]["signals"][name] for name in ("auroc", "lift_at_rate"))
    assert (auroc["first"], auroc["other"], auroc["difference"]) == (0.5, 1.0, 0.5)
    # Every resample says the same of a signal that is constant or perfect: that is no interval.
    assert (auroc["first_ci"], auroc["other_ci"], auroc["difference_ci"]) == (None, None, None)
    assert lift["first"] == pytest.approx(0, abs=1e-9)
    # By hand: of the wrong 120 go to the cloud instead of 0.3 of everything.
    cloud = [row["cloud_answer"] == row["gold"] for row in base]
    edge = [right(row) for row in base]
    of_wrong = [c for c, e in zip(cloud, edge, strict=True) if not e]
    n, gained = len(base), 0.3 * len(base) * sum(of_wrong) / len(of_wrong)
    by_lot = 0.3 * sum(cloud) / n + 0.7 * sum(edge) / n
    assert lift["other"] == pytest.approx((sum(edge) + gained) / n - by_lot, abs=1e-9)
    assert lift["difference_ci"][0] > 0
    same = compared["reports"][2]["against_first"]["signals"]["auroc"]
    assert (same["difference"], same["difference_ci"]) == (0.0, None)
    text = render_comparison(compared)
    assert "at a cloud rate of 30 %" in text
    assert "| (2) - (1) | 400 | 0.500 | 1.000 | 0.500 |" in text


def test_other_questions_are_not_paired(tmp_path):
    renamed = [{**row, "id": "x" + row["id"]} for row in simulated(50, 0)]
    changed = [{**row, "fingerprint": "new"} for row in simulated(50, 0)]
    paths = [written(tmp_path / name, rows) for name, rows in (("a", simulated(50, 0)), ("b", renamed), ("c", changed))]
    compared = compare(paths)
    assert [row["against_first"] for row in compared["reports"][1:]] == [None, None]
    assert "(2) and (1) have no questions in common" in render_comparison(compared)


def test_what_is_no_report_is_said(tmp_path):
    good = written(tmp_path / "a", simulated(20, 0))
    other = tmp_path / "x.json"
    for text, says in (("{", "is not JSON"), ("[]", "is not a report"), ('{"tau": 1}', "is not a report")):
        other.write_text(text)
        with pytest.raises(ConfigError, match=says):
            compare([good, other])
    with pytest.raises(ConfigError, match="cannot be read"):
        compare([good, tmp_path / "none.json"])
    with pytest.raises(ConfigError, match="at least two"):
        compare([good])
    (tmp_path / "a" / OUTCOMES).write_text("{}\n")
    with pytest.raises(ConfigError, match=r"outcomes\.jsonl is damaged"):
        compare([good, good])


def test_outcomes_of_an_earlier_version_are_refused_with_what_to_do(tmp_path):
    good = written(tmp_path / "a", simulated(20, 0))
    old = written(tmp_path / "b", simulated(20, 0))
    path = old.with_name(OUTCOMES)
    path.write_text(path.read_text().replace("edge_correct", "edge_right").replace("cloud_correct", "cloud_right"))
    with pytest.raises(ConfigError, match=r"outcomes\.jsonl was written by an earlier version .*edge_right.*; make the report again"):
        compare([good, old])

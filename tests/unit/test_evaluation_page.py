"""docs/evaluation.md names the keys of the files that the evaluation writes, and no others."""

import re
from pathlib import Path

from app.core.question import Question
from app.core.verdict import Signal
from app.data.dataset import Item
from app.evaluation.fields import EdgeIdentity, empty_record
from app.evaluation.report import build_report, outcomes
from app.evaluation.table import to_table
from tests.support.records import record, simulated

PAGE = (Path(__file__).parents[2] / "docs/evaluation.md").read_text(encoding="utf-8")


def first_column(heading):
    """The names in the first column of the first table below a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split(" | ")[0])}


def test_every_key_of_a_record_is_described():
    item = Item(Question("2 + 3?", ("4", "5"), "math", "1"), "B")
    # Only records that were made with `edge.permute` have the last one.
    assert first_column("records.jsonl") == {*empty_record(item, EdgeIdentity("small", "abc")), "permuted"}


def test_every_key_of_a_report_is_described():
    rows = [row | {"reversed_answer": "A", "reversed_expected_answer": "A"} for row in simulated(40, 0)]
    report = build_report(rows, tau=0.5, signal=Signal.VERBALIZED, thresholds={"law": 0.6}, resamples=10) | {"calibration": {}}
    described = {name.split(".")[0] for name in first_column("report.json")}
    assert described == set(report)


def test_every_key_of_an_outcome_is_described():
    line = outcomes(to_table([record(1, "law", 0.5, "A", "B")]), tau=0.5, signal=Signal.VERBALIZED)[0]
    sentence = PAGE.split("`outcomes.jsonl` beside it")[1].split("which comparisons")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == set(line)

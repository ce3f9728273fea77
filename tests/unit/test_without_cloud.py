"""Records without a cloud, or with few cloud answers: what needs none is there, what needs it is absent, never 0 and never NaN."""

import json
import math
import re
from datetime import date

import numpy as np
import pytest

from app.core.errors import ConfigError
from app.core.verdict import Signal
from app.data.calibration import read_calibration, write_calibration
from app.data.target import Target
from app.evaluation.calibrate import calibrate
from app.evaluation.calibration_markdown import render_calibration
from app.evaluation.compare import OUTCOMES, compare
from app.evaluation.comparison_markdown import render_comparison
from app.evaluation.costs import Price
from app.evaluation.markdown import render
from app.evaluation.pictures import draw_all
from app.evaluation.report import build_report, outcomes
from app.evaluation.table import to_table
from tests.support.records import record, simulated

TODAY = date(2026, 1, 2)
# What says something of the cloud, wherever it stands in a report.
NEEDS_CLOUD = {
    *("cloud_only", "system", "random", "lift", "gap_recovered", "cloud_only_ci", "system_ci", "lift_ci", "apgr", "apgr_oracle"),
    *("routing_curve", "other_signals", "cloud_tokens_per_thousand"),
}
NONE_OF_IT = "No question has a cloud answer, so everything that needs one is left out"


def without(rows):
    """As `--cloud none` writes them."""
    return [{**row, **dict.fromkeys(("cloud_answer", "cloud_model", "cloud_tokens", "cloud_ms"))} for row in rows]


def report_of(rows, **kwargs):
    report = build_report(rows, **{"tau": 0.5, "signal": Signal.EXPECTED, "resamples": 50, **kwargs})
    # Plain JSON without NaN, and what is shown is finite too.
    json.dumps(report, allow_nan=False)
    assert all(math.isfinite(number) for number in numbers(report))
    assert "nan" not in render(report).lower().replace("finance", "")
    return report


def keys(value):
    if isinstance(value, dict):
        return set(value) | {key for part in value.values() for key in keys(part)}
    return {key for part in value for key in keys(part)} if isinstance(value, list) else set()


def numbers(value):
    if isinstance(value, dict | list):
        return [number for part in (value.values() if isinstance(value, dict) else value) for number in numbers(part)]
    return [value] if isinstance(value, float) else []


def test_what_needs_no_cloud_is_the_same_without_one():
    rows = simulated(200, 0, domains=("law", "math", "finance"))
    full, bare = report_of(rows), report_of(without(rows))
    assert not keys(bare) & NEEDS_CLOUD
    assert keys(full) >= NEEDS_CLOUD
    for name, signal in bare["signals"].items():
        assert signal == {key: value for key, value in full["signals"][name].items() if key not in NEEDS_CLOUD}
    assert bare["signals"]["expected"]["auroc"] > 0.7
    for key in ("edge", "buckets", "option_counts", "data_fingerprint", "n", "n_edge"):
        assert bare[key] == full[key], key
    for name, row in bare["domains"].items():
        assert all(full["domains"][name][key] == value for key, value in row.items() if not key.endswith("_ci"))
    assert (bare["n_cloud"], bare["left_out"], bare["cloud_model"]) == (0, 0, [])
    assert bare["mean"]["edge_only"] == full["mean"]["edge_only"]
    assert "the gain from routing is unknown" in bare["recommendation"]
    text = render(bare)
    assert text.count(NONE_OF_IT) == 1
    assert "# Edge small, no cloud" in text
    assert "lift over random (points) |" not in text
    assert "APGR" not in text


def test_the_edge_by_hand():
    """Kept are 0.5 and above: two of law, of which one is right, and one of math, which is wrong."""
    rows = [
        record(1, "law", 1.0, "A", None),
        record(2, "law", 0.5, "B", None),
        record(3, "law", 0.25, "A", None),
        record(4, "math", 1.0, "B", None),
    ]
    edge = report_of(rows, signal=Signal.VERBALIZED)["edge"]
    law, everything = edge["domains"]["law"], edge["all"]
    assert (law["n"], law["accuracy"], law["kept"], law["kept_share"], law["edge_error"]) == (3, 2 / 3, 2, 2 / 3, 0.5)
    assert (everything["n"], everything["accuracy"], everything["kept"], everything["edge_error"]) == (4, 0.5, 3, 2 / 3)
    # Clopper and Pearson's interval of one of two; of one answer there is none.
    assert law["edge_error_ci"] == pytest.approx([0.0126, 0.9874], abs=1e-4)
    assert edge["domains"]["math"]["edge_error_ci"] is None
    assert edge["domains"]["math"]["accuracy_ci"] is None


def test_the_order_flip_rate_the_risk_and_the_costs_of_the_edge_are_there():
    rows = without(simulated(40, 0))
    for row in rows[:10]:
        row |= {"reversed_answer": row["edge_answer"], "reversed_expected_answer": "D", "edge_batch": 2}
    report = report_of(rows, prices={"small": Price(per_hour=3.6)})
    assert (report["order_check"]["n"], report["order_check"]["verbalized"]["flips"]) == (10, 0)
    assert set(report["costs"]["per_thousand"]) == set(report["costs"]["latency_ms"]) == {"edge_only"}
    assert report["costs"]["per_thousand"]["edge_only"] > 0
    risk = report["signals"]["expected"]["risk_coverage"]
    assert len(risk) == 100
    assert risk[-1] == pytest.approx(1 - report["signals"]["expected"]["edge_accuracy"], abs=1e-6)
    assert "order-flip rate" in render(report)


def all_of(letter, n=12, **more):
    return [record(number, "law", 0.75, letter, None, marginal=letter, **more) for number in range(n)]


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    "rows",
    [
        *(without(simulated(n, 0)) for n in (1, 2, 5)),
        *(without(simulated(n, 1, domains=("law",))) for n in (1, 2, 5, 30)),
        all_of("A"),
        all_of("B"),
        all_of("A", n=1),
        [*all_of("A"), record(99, "math", 0.75, "B", None, marginal="B")],
    ],
)
def test_few_and_one_sided_records_make_a_report(rows, tau, tmp_path):
    report = report_of(rows, tau=tau)
    assert not keys(report) & NEEDS_CLOUD
    assert report["n"] == len(rows)
    for signal in report["signals"].values():
        one_sided = signal["edge_accuracy"] in {0.0, 1.0}
        assert (signal["auroc"] is None) is one_sided
    said = " ".join(report["notes"])
    assert ("is not defined there" in said) is any(signal["auroc"] is None for signal in report["signals"].values())
    if tau == 0:
        assert "Nothing is routed" in said
    if len(rows) == 1:
        assert "There is one question only, so no interval can be given" in said
        assert not [key for key in keys(report) if key.endswith("_ci") and value_of(report, key)]


def value_of(report, key):
    """The first value of a key that is not None."""
    if isinstance(report, dict):
        found = [report[key]] if report.get(key) is not None else []
        return next(iter([*found, *(value for part in report.values() if (value := value_of(part, key)) is not None)]), None)
    return next((value for part in report if (value := value_of(part, key)) is not None), None) if isinstance(report, list) else None


def test_only_some_questions_have_a_cloud_answer():
    rows = simulated(300, 0, domains=("law", "math", "finance"))
    some = [row if at % 2 and row["domain"] != "math" else bare for at, (row, bare) in enumerate(zip(rows, without(rows), strict=True))]
    report, complete = report_of(some), report_of([row for row in some if row["cloud_answer"]])
    assert (report["n"], report["n_edge"], report["n_cloud"], report["left_out"]) == (100, 300, 100, 200)
    # The numbers of routing are those of the questions with both answers, and what the edge does that of all.
    for name in ("law", "finance"):
        for key in ("n", "cloud_only", "edge_only", "system", "lift", "cloud_rate"):
            assert report["domains"][name][key] == complete["domains"][name][key], (name, key)
    assert report["mean"]["lift"] == pytest.approx(complete["mean"]["lift"])
    assert report["micro_mean"]["system"] == complete["micro_mean"]["system"]
    assert not set(report["domains"]["math"]) & NEEDS_CLOUD
    assert report["edge"] == report_of(rows)["edge"]
    assert report["signals"]["expected"]["auroc"] == report_of(rows)["signals"]["expected"]["auroc"]
    assert report["signals"]["expected"]["apgr"] == complete["signals"]["expected"]["apgr"]
    text = render(report)
    assert "n = 300, of which 100 with a cloud answer" in text
    assert "200 of 300 questions have no cloud answer" in text
    assert "No question of math has one" in text
    assert "APGR (n = 100)" in text


def test_a_cloud_that_answered_one_question_only():
    rows = without(simulated(20, 0))
    rows[3] = simulated(20, 0)[3]
    report = report_of(rows)
    assert (report["n"], report["n_cloud"], report["n_edge"]) == (1, 1, 20)
    assert report["micro_mean"]["lift_ci"] is None
    assert "is routed" in report["recommendation"]


def test_questions_without_an_edge_answer_are_named():
    rows = [*without(simulated(10, 0)), record(77, "art", None, None, None), record(78, "law", None, None, "A")]
    report = report_of(rows)
    assert (report["n"], report["left_out"]) == (10, 2)
    assert "2 of 12 questions have no edge answer and are left out. No question is left of the domain art." in report["notes"]
    with pytest.raises(ConfigError, match="every question failed at the edge"):
        report_of(rows[10:])


def test_what_the_cloud_did_not_say_is_not_wrong():
    table = to_table(without(simulated(3, 0)), cloud_needed=False)
    assert np.isnan(table.cloud).all()
    with pytest.raises(ValueError, match="no cloud answer"):
        _ = table.cloud_correct


@pytest.mark.parametrize(("kind", "value", "delta"), [("edge_error", 0.4, 0.1), ("cloud_rate", 0.3, None)])
def test_a_threshold_is_chosen_without_a_cloud_as_with_one(kind, value, delta, tmp_path):
    rows = simulated(600, 3)
    target = Target(kind=kind, value=value, delta=delta)

    def fit(records):
        return calibrate(records, target=target, signal=Signal.EXPECTED, today=TODAY, resamples=50)

    full, bare = fit(rows).calibration, fit(without(rows))
    found = bare.calibration
    assert (found.tau, found.domains) == (full.tau, full.domains)
    for key in ("n", "kept", "cloud_rate", "cloud_rate_ci", "edge_error", "edge_error_ci", "held"):
        assert getattr(found.achieved, key) == getattr(full.achieved, key), key
    assert (found.achieved.accuracy, found.achieved.lift, found.achieved.lift_ci, found.achieved.n_cloud) == (None, None, None, 0)
    assert found.cloud_model == []
    assert "the gain from routing is unknown" in found.recommendation
    text = render_calibration(bare)
    assert "no question has a cloud answer" in text
    assert "nan" not in text.lower().replace("finance", "")
    # The gateway reads the file.
    write_calibration(tmp_path / "c.json", found)
    assert read_calibration(tmp_path / "c.json") == found


def test_an_accuracy_needs_the_cloud_and_says_so():
    target = Target(kind="accuracy", value=0.6)
    with pytest.raises(ConfigError, match=r"--target-accuracy is about edge and cloud together, .* or choose by --max-edge-error"):
        calibrate(without(simulated(100, 0)), target=target, signal=Signal.EXPECTED, today=TODAY)


def test_accuracy_and_lift_are_measured_where_there_is_a_cloud_answer():
    rows = simulated(400, 0)
    some = [row if at % 4 == 0 else bare for at, (row, bare) in enumerate(zip(rows, without(rows), strict=True))]
    fit = calibrate(some, target=Target(kind="cloud_rate", value=0.4), signal=Signal.EXPECTED, today=TODAY, resamples=50)
    achieved = fit.calibration.achieved
    assert (achieved.n, 30 < achieved.n_cloud < 70) == (200, True)
    assert 0 < achieved.accuracy < 1
    assert "300 of 400 questions have no cloud answer: accuracy and lift are measured on the others" in fit.notes
    assert f"(n = {achieved.n_cloud})" in render_calibration(fit)


@pytest.mark.parametrize(("n", "says"), [(1, "one record cannot be split"), (2, "on 0 kept answers"), (5, "it takes 7 kept answers")])
def test_a_promise_on_a_handful_of_records_says_how_many_it_takes(n, says):
    target = Target(kind="edge_error", value=0.3, delta=0.1)
    with pytest.raises(ConfigError, match=says):
        calibrate(without(simulated(n, 0)), target=target, signal=Signal.EXPECTED, today=TODAY)


def test_pictures_that_need_the_cloud_are_not_drawn_and_do_not_stay(tmp_path):
    rows = without(simulated(30, 0, domains=("costs $5 to $10", "법률 law", "a very long name of a domain, which is wrapped")))
    for name in ("routing.png", "routing.svg", "notes.png"):
        (tmp_path / name).write_text("of an earlier report")
    report = report_of(rows, resamples=10)
    names = {path.stem for path in draw_all(to_table(rows, cloud_needed=False), report, tmp_path)}
    assert names == {"reliability", "risk_coverage", "domains", "buckets"}
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.{end}" for name in names for end in ("png", "svg")} | {"notes.png"}
    for name in names:
        svg = (tmp_path / f"{name}.svg").read_text()
        assert all(text in svg for text in ("edge small", "no cloud", report["data_fingerprint"], "n = 30"))
    svg = (tmp_path / "domains.svg").read_text()
    assert all(f">{line}</text>" in svg for line in ("costs $5 to", "$10", "법률 law"))
    text = render(report, pictures=names)
    assert sorted(re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)) == sorted(f"{name}.png" for name in names)


def test_reports_without_a_cloud_are_compared_by_the_edge(tmp_path):
    rows = simulated(60, 0)
    paths = []
    for name, records in (("full", rows), ("bare", without(rows)), ("other", without(simulated(60, 9)))):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "report.json").write_text(json.dumps(report_of(records)))
        lines = outcomes(to_table(records, cloud_needed=False), tau=0.5, signal=Signal.EXPECTED)
        (folder / OUTCOMES).write_text("".join(json.dumps(line) + "\n" for line in lines))
        paths.append(folder / "report.json")
    same, other = (row["against_first"] for row in compare(paths)["reports"][1:])
    assert (same["n"], same["n_cloud"], same["edge"], same["edge_ci"]) == (60, 0, 0, None)
    assert not {"system", "lift", "lift_at_rate"} & keys(same)
    assert other["edge"] != 0
    assert other["edge_ci"][0] < other["edge"] < other["edge_ci"][1]
    text = render_comparison(compare(paths))
    assert "| (2) - (1) | 60 | +0.0 | 0 | – | – |" in text

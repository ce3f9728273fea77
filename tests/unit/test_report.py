"""The report on records whose numbers are known."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs

from app.core.errors import ConfigError
from app.core.verdict import Signal
from app.evaluation.costs import Price
from app.evaluation.markdown import render
from app.evaluation.pictures import draw_all
from app.evaluation.published import PUBLISHED_GEMMA
from app.evaluation.report import build_report, outcomes
from app.evaluation.statistics import random_baseline
from app.evaluation.table import to_table
from tests.support import records
from tests.support.records import published, record


def by_hand():
    """law: 4 questions, edge right on 2, cloud on 3; below 0.5: one that only the cloud knows, one that neither knows."""
    return [
        record(1, "law", 1.0, "A", "A"),
        record(2, "law", 0.5, "A", "A"),
        record(3, "law", 0.25, "B", "A"),
        record(4, "law", 0.0, "B", "B"),
        record(5, "math", 1.0, "B", "A"),
        record(6, "math", 0.0, "A", "B"),
    ]


def test_the_published_gemma_table_comes_out_of_records_built_for_it():
    report = build_report(published(), tau=0.5, signal=Signal.VERBALIZED)
    finance = report["domains"]["finance"]
    assert [finance[key] for key in ("edge_only", "cloud_only", "cloud_rate", "system")] == [0.454, 0.695, 0.328, 0.600]
    assert (round(finance["random"], 3), round(finance["lift"], 3)) == (0.533, 0.067)
    for name, row in PUBLISHED_GEMMA.items():
        ours = report["mean"] if name == "mean" else report["domains"][name]
        tolerance = 0.001 if name == "mean" else 0.0005
        for key, value in zip(("cloud_only", "edge_only", "random", "system", "cloud_rate"), row, strict=True):
            assert ours[key] == pytest.approx(value / 100, abs=tolerance), (name, key)
    assert report["mean"]["lift"] == pytest.approx(0.059, abs=0.001)
    assert report["n"] == 7000


# Each example compares seven thresholds.
@settings(max_examples=15, deadline=None)
@given(
    hs.lists(hs.tuples(hs.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), hs.sampled_from("AB"), hs.sampled_from("AB")), min_size=2),
    hs.randoms(),
)
def test_raising_tau_never_lowers_the_cloud_rate_and_the_order_of_records_does_not_matter(given_rows, random):
    rows = [record(number, "law", *row) for number, row in enumerate(given_rows)]
    taus = [0.0, 0.1, 0.25, 0.5, 0.6, 0.75, 1.0]
    reports = [build_report(rows, tau=tau, signal=Signal.VERBALIZED, resamples=2) for tau in taus]
    rates = [report["micro_mean"]["cloud_rate"] for report in reports]
    assert rates == sorted(rates)
    assert rates[0] == 0
    shuffled = random.sample(rows, len(rows))
    again = build_report(shuffled, tau=0.5, signal=Signal.VERBALIZED, resamples=2)
    for key in ("auroc", "ece_fixed", "ece_adaptive", "brier", "aurc", "apgr"):
        assert again["signals"]["expected"][key] == pytest.approx(reports[3]["signals"]["expected"][key]), key
    assert again["data_fingerprint"] == reports[3]["data_fingerprint"]


def test_the_table_by_hand():
    report = build_report(by_hand(), tau=0.5, signal=Signal.VERBALIZED)
    law, math_row = report["domains"]["law"], report["domains"]["math"]
    assert (law["n"], law["cloud_only"], law["edge_only"], law["system"], law["cloud_rate"]) == (4, 0.75, 0.5, 0.75, 0.5)
    assert (law["random"], law["lift"], law["gap_recovered"], law["chance"]) == (0.625, 0.125, 1.0, 0.25)
    assert (math_row["system"], math_row["random"], math_row["lift"]) == (0.0, 0.5, -0.5)
    mean, micro = report["mean"], report["micro_mean"]
    assert math.isclose(mean["lift"], (0.125 - 0.5) / 2)
    assert math.isclose(micro["system"], 3 / 6)
    assert math.isclose(micro["random"], random_baseline(0.5, 4 / 6, 3 / 6))
    assert report["n"] == 6
    assert "do not route" in report["recommendation"]


def test_each_signal_is_judged_with_its_own_answer():
    rows = [record(1, "law", 1.0, "A", "A", marginal="B"), record(2, "law", 0.0, "B", "A", expected=0.9)]
    verbalized = build_report(rows, tau=0.5, signal=Signal.VERBALIZED)
    assert verbalized["signals"]["verbalized"]["auroc"] == 1.0
    assert verbalized["signals"]["expected"]["auroc"] == 0.0
    assert build_report(rows, tau=0.95, signal=Signal.EXPECTED)["domains"]["law"]["cloud_rate"] == 0.5


def test_incomplete_records_are_counted_and_left_out():
    rows = [*by_hand(), record(7, "law", 1.0, "A", None), {**record(8, "law", None, None, "A")}]
    report = build_report(rows, tau=0.5, signal=Signal.VERBALIZED)
    assert (report["n"], report["n_edge"], report["left_out"], report["cloud_model"]) == (6, 7, 2, ["big"])
    with pytest.raises(ConfigError, match="no record has an edge answer"):
        build_report(rows[7:], tau=0.5, signal=Signal.VERBALIZED)


def test_records_of_two_models_are_refused():
    with pytest.raises(ConfigError, match="two models are mixed: other, small"):
        build_report([*by_hand(), record(7, "law", 1.0, "A", "A", edge_model="other")], tau=0.5, signal=Signal.VERBALIZED)


def test_a_cloud_reply_that_named_no_option_is_a_wrong_one():
    rows = [*by_hand(), record(7, "law", 0.0, "A", None, cloud_error="cloud_unparsable", cloud_model=None)]
    report = build_report(rows, tau=0.5, signal=Signal.VERBALIZED)
    assert (report["n"], report["cloud_unparsable"], report["domains"]["law"]["cloud_only"]) == (7, 1, 3 / 5)


def test_costs_and_latency_by_hand():
    """law and math as above; the edge's pass of 40 ms was shared by two, the cloud's tokens are 90 + 10 a call."""
    rows = [{**row, "edge_batch": 2, "cloud_prompt_tokens": 90, "cloud_completion_tokens": 10} for row in by_hand()]
    prices = {"small": Price(per_hour=3.6), "big": Price(input=1.0, output=2.0)}
    costs = build_report(rows, tau=0.5, signal=Signal.VERBALIZED, prices=prices)["costs"]
    edge, cloud = 0.020 / 3600 * 3.6, (90 * 1.0 + 10 * 2.0) / 1e6
    assert costs["per_thousand"]["edge_only"] == pytest.approx(1000 * edge)
    assert costs["per_thousand"]["cloud_only"] == pytest.approx(1000 * cloud)
    assert costs["per_thousand"]["system"] == pytest.approx(1000 * (edge + cloud * 3 / 6))
    assert costs["cloud_tokens_per_thousand"] == {"cloud_only": 100_000, "system": 50_000}
    assert costs["latency_ms"]["edge_only"] == {"mean": 40, "p50": 40, "p95": 40}
    assert costs["latency_ms"]["system"]["mean"] == pytest.approx(40 + 300 / 2)
    unpriced = build_report(rows, tau=0.5, signal=Signal.VERBALIZED, prices={"small": Price()})["costs"]["per_thousand"]
    assert (unpriced["edge_only"], unpriced["cloud_only"], unpriced["system"]) == (0, None, None)


def test_the_two_protocols_side_by_side():
    def generated(row, text, confidence, letter, on_format):
        return {
            **row,
            "generated_text": text,
            "generated_confidence": confidence,
            "generated_answer": letter,
            "generated_on_format": on_format,
        }

    rows = [
        generated(record(1, "law", 1.0, "A", "B"), "Confidence: 1.0\nFinal answer: A", 1.0, "A", True),
        generated(record(2, "law", 1.0, "B", "A"), "Confidence: 0.25\nFinal answer: B", 0.25, "B", True),
        generated(record(3, "law", 1.0, "A", "A"), "I think that", None, None, False),
        record(4, "law", 0.0, "B", "A"),
    ]
    protocols = build_report(rows, tau=0.5, signal=Signal.VERBALIZED)["protocols"]
    assert (protocols["n"], protocols["agree_on_format"]) == (3, 0.5)
    assert protocols["on_format"] == protocols["parsed"] == pytest.approx(2 / 3)
    assert (protocols["one_pass"]["cloud_rate"], protocols["one_pass"]["system"]) == (0, pytest.approx(2 / 3))
    # Unsure and unparsable both go to the cloud, which knows both.
    assert (protocols["generate"]["cloud_rate"], protocols["generate"]["edge_only"]) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert protocols["generate"]["system"] == 1
    text = render(build_report(rows, tau=0.5, signal=Signal.VERBALIZED))
    assert "on 50.0 % of these the one pass gives the same confidence and letter" in text
    assert build_report(rows[3:], tau=0.5, signal=Signal.VERBALIZED)["protocols"] is None


def test_outcomes_are_what_the_table_counts():
    lines = outcomes(to_table(by_hand()), tau=0.5, signal=Signal.VERBALIZED)
    assert lines[2] == {
        "id": "3",
        "fingerprint": None,
        "domain": "law",
        "edge_correct": False,
        "cloud_correct": True,
        "routed": True,
        "signal": 0.25,
    }


def simulated(n, informative, seed):
    """An edge right on 40 %, a cloud on 75 %; a confidence that knows (or does not know) when the edge is right."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        right = draw.random() < 0.4
        known = right if informative else draw.random() < 0.4
        confidence = float(draw.choice([0.75, 1.0] if known else [0.0, 0.25]))
        rows.append(record(number, ("law", "math")[number % 2], confidence, "A" if right else "B", "A" if draw.random() < 0.75 else "B"))
    return rows


def test_a_signal_that_knows_is_told_from_one_that_does_not():
    good = build_report(simulated(400, True, 0), tau=0.5, signal=Signal.VERBALIZED)
    assert good["mean"]["lift_ci"][0] > 0.1
    assert "beats" in good["recommendation"]
    assert good["signals"]["verbalized"]["auroc"] > 0.99
    blind = [build_report(simulated(400, False, seed), tau=0.5, signal=Signal.VERBALIZED, resamples=500) for seed in range(40)]
    covered = sum(row["mean"]["lift_ci"][0] <= 0 <= row["mean"]["lift_ci"][1] for row in blind)
    # Nominal 95 % of 40 is 38; fewer than 33 has a probability of under 1 %.
    assert covered >= 33


def test_another_signal_is_compared_at_the_same_cloud_rate():
    """The same signal twice is no difference; a perfect expected signal under a blind verbalized one is one."""
    same = build_report(simulated(300, True, 1), tau=0.5, signal=Signal.VERBALIZED, resamples=300)["other_signals"]["expected"]
    assert (same["difference"], same["difference_ci"]) == (pytest.approx(0, abs=0.02), None)
    assert "no interval can be computed from these questions" in same["sentence"]
    draw = np.random.default_rng(4)
    noisy = [{**row, "expected_confidence": (row["expected_confidence"] + 0.3 * draw.random()) / 1.3} for row in records.simulated(300, 1)]
    close = build_report(noisy, tau=0.5, signal=Signal.VERBALIZED, resamples=300)["other_signals"]["expected"]
    assert "cannot be told from" in close["sentence"]
    rows = [
        {
            **row,
            "expected_confidence": float(row["edge_answer"] == "A"),
            "answer_probabilities": {"A": float(row["edge_answer"] == "A"), "B": 0.5},
        }
        for row in simulated(300, False, 2)
    ]
    better = build_report(rows, tau=0.5, signal=Signal.VERBALIZED, resamples=300)["other_signals"]["expected"]
    assert better["difference_ci"][0] > 0.05
    assert "routing by the expected confidence beats routing by the verbalized confidence: " in better["sentence"]
    worse = build_report(rows, tau=0.5, signal=Signal.EXPECTED, resamples=300)["other_signals"]
    assert set(worse) == {"verbalized", "top_probability", "margin"}, "all but the one that routes"
    assert "routing by the verbalized confidence is worse than routing by the expected confidence: " in worse["verbalized"]["sentence"]


def test_buckets_and_curves():
    report = build_report(by_hand(), tau=0.5, signal=Signal.VERBALIZED)
    assert report["buckets"]["0.0"] == {"n": 2, "edge_accuracy": 0.5}
    assert report["buckets"]["0.75"] == {"n": 0, "edge_accuracy": None}
    assert sum(bucket["n"] for bucket in report["buckets"].values()) == report["n"]
    curve = report["signals"]["verbalized"]["routing_curve"]
    assert len(curve) == 101
    assert (curve[0], curve[-1]) == (pytest.approx(3 / 6), pytest.approx(4 / 6, abs=1e-6))


def test_the_report_is_the_same_for_the_same_seed_and_is_plain_json():
    first, again = (build_report(by_hand(), tau=0.5, signal=Signal.EXPECTED, seed=3) for _ in range(2))
    assert json.loads(json.dumps(first)) == again
    assert "NaN" not in json.dumps(first)


def test_the_markdown_names_every_domain_and_the_published_numbers_where_they_are_asked_for():
    report = build_report(by_hand(), tau=0.5, signal=Signal.VERBALIZED)
    assert "FogGen" not in render(report)
    assert "medical" not in render(report)
    text = render(report, reference=True)
    assert "| law | 4 | 75.0 | 50.0 | 62.5 | 75.0 | 50.0 | +12.5 [" in text
    assert "| medical | 74.0 | 39.3 | 56.0 | 63.1 | 48.2 | +7.1 |" in text
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 8
    for table in tables:
        assert len({line.count("|") for line in table}) == 1


def test_the_published_random_column_follows_from_the_others():
    for name, (cloud, edge, by_lot, _, rate) in PUBLISHED_GEMMA.items():
        if name != "mean":  # the mean of products is not the product of means
            assert random_baseline(rate / 100, cloud, edge) == pytest.approx(by_lot, abs=0.11), name


def test_the_pictures_are_drawn_the_same_each_time_and_say_what_they_show(tmp_path):
    rows = simulated(60, True, 0)
    report = build_report(rows, tau=0.5, signal=Signal.VERBALIZED, resamples=100)
    files = draw_all(to_table(rows), report, tmp_path)
    assert sorted(path.name for path in files) == sorted(
        f"{name}.{end}" for name in ("routing", "reliability", "risk_coverage", "domains", "buckets") for end in ("png", "svg")
    )
    svgs = {path.stem: path.read_text() for path in files if path.suffix == ".svg"}
    for svg in svgs.values():
        assert all(text in svg for text in ("edge small", "cloud big", report["data_fingerprint"], "n = 60"))
    for name, texts in {
        "routing": ("verbalized", "expected", "top probability", "margin", "oracle", "random", "system, tau = 0.5"),
        "reliability": ("ECE", "verbalized"),
        "risk_coverage": ("AURC",),
        "buckets": ("0.25", "all"),
        "domains": ("law", "math", "mean (macro)", "cloud only"),
    }.items():
        assert all(text in svgs[name] for text in texts), name
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in files if path.suffix == ".png")
    draw_all(to_table(rows), report, tmp_path)
    assert {path.stem: path.read_text() for path in files if path.suffix == ".svg"} == svgs


def test_a_picture_shows_the_largest_domains_and_says_so(tmp_path):
    """Fifty-seven subjects side by side are nine thousand pixels that nobody can read; a domain for each question takes minutes."""
    rows = [record(number, f"subject {number % 40:02}", 0.5, "A", "B") for number in range(49)]
    report = build_report(rows, tau=0.6, signal=Signal.VERBALIZED, resamples=20)
    draw_all(to_table(rows), report, tmp_path)
    for name in ("domains", "buckets"):
        svg = (tmp_path / f"{name}.svg").read_text()
        assert "the 24 largest of 40 domains" in svg
        # The first nine have two questions each.
        assert [number for number in range(40) if f"subject {number:02}" in svg.replace("\n", " ")] == list(range(24))

"""The report on records whose numbers are known."""

import json
import math

import numpy as np
import pytest

from app.domain import Signal
from app.errors import ConfigError
from app.evaluation.markdown import PUBLISHED_GEMMA, render
from app.evaluation.pictures import draw_all
from app.evaluation.report import build_report, to_table
from app.evaluation.statistics import random_baseline


def record(number, domain, confidence, edge, cloud, *, expected=None, marginal="A"):
    others = [letter for letter in "ABCD" if letter != marginal]
    return {
        "id": str(number),
        "domain": domain,
        "gold": "A",
        "edge_answer": edge,
        "confidence": confidence,
        "expected_confidence": confidence if expected is None else expected,
        "answer_probabilities": {marginal: 0.7, **dict.fromkeys(others, 0.1)},
        "cloud_answer": cloud,
        "cloud_model": "big",
        "edge_model": "small",
        "prompt_version": "p1",
    }


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
    assert "do not route" in report["verdict"]


def test_each_signal_is_judged_with_its_own_answer():
    rows = [record(1, "law", 1.0, "A", "A", marginal="B"), record(2, "law", 0.0, "B", "A", expected=0.9)]
    verbalized = build_report(rows, tau=0.5, signal=Signal.VERBALIZED)
    assert verbalized["signals"]["verbalized"]["auroc"] == 1.0
    assert verbalized["signals"]["expected"]["auroc"] == 0.0
    assert build_report(rows, tau=0.95, signal=Signal.EXPECTED)["domains"]["law"]["cloud_rate"] == 0.5


def test_incomplete_records_are_counted_and_left_out():
    rows = [*by_hand(), record(7, "law", 1.0, "A", None), {**record(8, "law", None, None, "A")}]
    report = build_report(rows, tau=0.5, signal=Signal.VERBALIZED)
    assert (report["n"], report["left_out"], report["cloud_model"]) == (6, 2, ["big"])
    with pytest.raises(ConfigError, match="no record has both"):
        build_report(rows[6:], tau=0.5, signal=Signal.VERBALIZED)


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
    assert "beats" in good["verdict"]
    assert good["signals"]["verbalized"]["auroc"] > 0.99
    blind = [build_report(simulated(400, False, seed), tau=0.5, signal=Signal.VERBALIZED, resamples=500) for seed in range(40)]
    covered = sum(row["mean"]["lift_ci"][0] <= 0 <= row["mean"]["lift_ci"][1] for row in blind)
    # Nominal 95 % of 40 is 38; fewer than 33 has a probability of under 1 %.
    assert covered >= 33


def test_expected_against_verbalized_at_the_same_cloud_rate():
    """The same signal twice is no difference; a perfect expected signal under a blind verbalized one is one."""
    same = build_report(simulated(300, True, 1), tau=0.5, signal=Signal.VERBALIZED, resamples=300)["expected_vs_verbalized"]
    assert (same["difference"], "cannot be told from" in same["sentence"]) == (pytest.approx(0, abs=0.02), True)
    rows = [
        {**row, "expected_confidence": float(row["edge_answer"] == "A"), "answer_probabilities": {row["edge_answer"]: 1.0, "C": 0.0}}
        for row in simulated(300, False, 2)
    ]
    better = build_report(rows, tau=0.5, signal=Signal.VERBALIZED, resamples=300)["expected_vs_verbalized"]
    assert better["difference_ci"][0] > 0.05
    assert "beats" in better["sentence"]


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


def test_the_markdown_names_every_domain_and_the_published_numbers():
    text = render(build_report(by_hand(), tau=0.5, signal=Signal.VERBALIZED))
    assert "| law | 4 | 75.0 | 50.0 | 62.5 | 75.0 | 50.0 | +12.5 [" in text
    assert "| medical | 74.0 | 39.3 | 56.0 | 63.1 | 48.2 | +7.1 |" in text
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 4
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
        f"{name}.{end}" for name in ("routing", "reliability", "risk_coverage", "domains") for end in ("png", "svg")
    )
    svgs = {path.stem: path.read_text() for path in files if path.suffix == ".svg"}
    for name, texts in {
        "routing": ("verbalized", "expected", "largest_option", "oracle", "random", "tau = 0.5"),
        "reliability": ("ECE", "verbalized"),
        "risk_coverage": ("AURC",),
        "domains": ("law", "math", "mean (macro)", "cloud only"),
    }.items():
        assert all(text in svgs[name] for text in texts), name
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in files if path.suffix == ".png")
    draw_all(to_table(rows), report, tmp_path)
    assert {path.stem: path.read_text() for path in files if path.suffix == ".svg"} == svgs

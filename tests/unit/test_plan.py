"""`calibrate --plan`: with the planned number of questions, real calibrations give the promise as often as the plan says."""

import json
import math

import numpy as np
import pytest
from typer.testing import CliRunner

from app.cli.commands import cli
from app.core.errors import ConfigError
from app.core.verdict import Signal
from app.evaluation.plan import COVERAGES, MOST, POWER, plan
from app.evaluation.plan_markdown import conclusion, render_plan
from app.evaluation.risk import answers_needed
from app.evaluation.table import to_table
from tests.support.populations import Domain, at_most, calibrated, drawn, sample, true_error
from tests.support.records import record, simulated, write

# The error among kept answers is 0.5 - 0.5·(1 + tau)/2: 0 at the top, 0.25 where everything is kept.
STEEP = [Domain("law", 1, wrong=0.5, slope=0.5)]
BOUND, DELTA = 0.25, 0.1


def columns(rows, signal=Signal.EXPECTED):
    table = to_table(rows, cloud_needed=False)
    return table.signal[signal.value], ~table.edge_correct[signal.value]


def test_with_the_planned_number_the_promise_is_given_as_often_as_planned_and_is_kept():
    found = plan(*columns(sample(STEEP, 3000, drawn(1))), max_error=BOUND, delta=DELTA, runs=60)
    need = next(need for need in found.needs if need.coverage == 0.6)
    assert need.needed is not None
    draw, draws, reached, broken = drawn(2), 40, 0, 0
    for seed in range(draws):
        calibration = calibrated(sample(STEEP, need.needed, draw), "edge_error", BOUND, delta=DELTA, seed=seed)
        if calibration is not None:
            reached += STEEP[0].kept(calibration.tau) >= 0.6 - 0.02
            broken += true_error(STEEP, calibration.tau) > BOUND
    luck = 3 * math.sqrt(POWER * (1 - POWER) / draws)
    # The number is found to within nine percent, rounded up, and by simulation.
    assert POWER - luck - 0.05 <= reached / draws <= POWER + luck + 0.1
    assert broken <= at_most(DELTA, draws)
    # A third fewer do not suffice: the plan is no mere upper bound.
    few = sum(
        (calibration := calibrated(sample(STEEP, need.needed * 2 // 3, draw), "edge_error", BOUND, delta=DELTA, seed=seed)) is not None
        and STEEP[0].kept(calibration.tau) >= 0.58
        for seed in range(draws)
    )
    assert few < reached


def test_more_coverage_and_less_error_need_more_and_the_ends_of_the_interval_surround_the_number():
    pilot = columns(sample(STEEP, 300, drawn(3)))
    loose, strict = (plan(*pilot, max_error=error, delta=DELTA, runs=30) for error in (0.35, 0.2))
    assert [need.coverage for need in loose.needs] == list(COVERAGES)
    needed = [need.needed for need in loose.needs]
    assert None not in needed
    assert needed == sorted(needed)
    for need, harder in zip(loose.needs, strict.needs, strict=True):
        assert harder.needed is None or harder.needed >= need.needed
        assert need.needed_low <= need.needed
        assert need.needed_high is None or need.needed_high >= need.needed
        assert need.error == need.wrong / need.kept
        assert need.kept >= (need.coverage - 0.02) * 300
    assert loose.cheapest.needed == needed[0]


def test_an_edge_without_errors_needs_what_the_exact_test_needs():
    signal = np.linspace(0, 1, 100)
    found = plan(signal, np.zeros(100, dtype=bool), max_error=0.1, delta=0.1, runs=40)
    most = next(need for need in found.needs if need.coverage == 0.8)
    # A third of the questions tests; nine percent and two digits are what the search leaves.
    fewest = 3 * answers_needed(0.1, 0.1)
    assert fewest <= most.needed <= 1.25 * fewest
    assert most.needed_high > most.needed


def test_a_pilot_that_shows_no_way_is_told_so_in_words():
    draw = drawn(4)
    found = plan(draw.random(200), draw.random(200) < 0.5, max_error=0.1, delta=0.1, runs=20)
    assert (found.cheapest, {need.needed for need in found.needs}) == (None, {None})
    said = conclusion(found, Signal.MARGIN, "pilot.jsonl")
    assert said.startswith(f"By this pilot no number of questions up to {MOST:,} promises an error of at most 10.0 % on the margin: ")
    text = render_plan(found, Signal.MARGIN, "pilot.jsonl")
    assert f"**{said}**" in text
    assert text.count("| none | none | none |") == len(COVERAGES)


@pytest.mark.parametrize("says", ["a pilot of 19 questions", "an error of 0 cannot", "an error of at most 1"])
def test_what_cannot_be_planned_is_refused(says):
    n, error = (19, 0.2) if "pilot" in says else (40, 0.0 if "0 cannot" in says else 1.0)
    with pytest.raises(ConfigError, match=says):
        plan(np.linspace(0, 1, n), np.zeros(n, dtype=bool), max_error=error, delta=0.1)


def run(*arguments):
    return CliRunner().invoke(cli, ["calibrate", "--plan", *map(str, arguments)])


def test_the_command_prints_the_plan_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pilot = write(tmp_path / "a pilot.jsonl", [row | {"cloud_answer": None} for row in simulated(80, 1, edge=0.8)])
    done = run("--records", pilot, "--max-edge-error", "0.5", "--signal", "expected", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["plan"]["n"], said["plan"]["signal"], said["plan"]["power"]) == (80, "expected", 0.8)
    assert [need["coverage"] for need in said["plan"]["needs"]] == list(COVERAGES)
    assert "questions" in said["conclusion"]
    done = run("--records", pilot, "--max-edge-error", "0.01", "--signal", "top_probability")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("# Plan for an error among kept answers of at most 1.0 % with probability 0.9\n")
    assert "**By this pilot no number of questions" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["a pilot.jsonl"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "give --max-edge-error"),
        (["--max-edge-error", "0.2", "--target-cloud-rate", "0.3"], "leave out --target-cloud-rate"),
        (["--max-edge-error", "0.2", "--per-domain", "--temperature"], r"leave out --per-domain \(plan each domain .*\) and --temperature"),
        (["--max-edge-error", "0.2", "--signal", "verbalized"], "the records do not hold the verbalized confidence"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, options, says):
    bare = dict.fromkeys(("confidence", "expected_confidence", "confidence_probabilities", "bucket_paths"))
    pilot = write(tmp_path / "pilot.jsonl", [record(number, "law", 0.5, "A", "A") | bare for number in range(30)])
    done = run("--records", pilot, *options)
    assert done.exit_code == 1
    with pytest.raises(ConfigError, match=says):
        raise done.exception

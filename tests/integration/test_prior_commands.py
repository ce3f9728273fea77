"""`foggate calibrate` and `foggate eval report` with a letter prior, as a shell script sees them."""

import json

import pytest

from app.data.records import load_records
from app.evaluation.table import to_table
from tests.integration.test_eval_commands import run
from tests.support.lettered import sample
from tests.support.populations import drawn
from tests.support.records import write


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return write(tmp_path_factory.mktemp("records") / "r.jsonl", sample(400, drawn(1)))


def test_the_prior_is_chosen_by_itself_and_can_be_asked_for_and_refused(records, tmp_path):
    kept = {}
    for mode in ((), ("--letter-prior", "on"), ("--letter-prior", "off")):
        out = tmp_path / "c.json"
        done = run("calibrate", "--records", records, "--target-cloud-rate", "0.4", "--out", out, "--json", *mode)
        assert done.exit_code == 0, done.output
        said, content = json.loads(done.stdout), json.loads(out.read_text())
        kept[mode[-1:]] = "letter_prior" in content
        assert content["version"] == 4
        assert bool(said["signals_without"]) == ("letter_prior" in content)
        assert any("letter prior" in note for note in said["notes"]) == (mode[-1:] != ("off",))
    assert kept == {(): True, ("on",): True, ("off",): False}
    assert run("calibrate", "--records", records, "--target-cloud-rate", "0.4", "--letter-prior", "maybe").exit_code != 0
    done = run("calibrate", "--records", records, "--target-cloud-rate", "0.4", "--signal", "verbalized", "--letter-prior", "on")
    assert "which no letter prior changes" in done.exception.message


def test_the_text_shows_it_and_the_report_of_the_file_is_the_corrected_one(records, tmp_path):
    out = tmp_path / "c.json"
    done = run("calibrate", "--records", records, "--target-cloud-rate", "0.4", "--out", out)
    assert (
        "Letter prior (shrinkage 20), which is divided out of every distribution over the options; on the test half (n = 200):"
        in done.stdout
    )
    reports = {}
    for name, more in (("plain", ("--tau", "0.5", "--signal", "margin")), ("served", ("--calibration", out))):
        done = run("eval", "report", "--records", records, "--out", tmp_path / name, "--no-pictures", "--json", *more)
        assert done.exit_code == 0, done.output
        reports[name] = json.loads(done.stdout)
    assert reports["served"]["edge"]["all"]["accuracy"] > reports["plain"]["edge"]["all"]["accuracy"] + 0.03
    assert any("divides a letter prior out" in note for note in reports["served"]["notes"])


def test_a_plan_is_made_with_the_prior_that_a_calibration_would_hold(records):
    done = run("calibrate", "--plan", "--records", records, "--max-edge-error", "0.8", "--signal", "margin", "--json")
    plan = json.loads(done.stdout)
    assert any("the letter prior is divided out" in note for note in plan["notes"])
    error = next(need["error"] for need in plan["plan"]["needs"] if need["coverage"] == 1.0)
    rows = load_records(records)
    assert error < 1 - to_table(rows).edge_correct["margin"].mean() - 0.03

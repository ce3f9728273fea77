"""Reading records to compute with: every flaw is said with its file and line."""

import json

import numpy as np
import pytest

from app.core.errors import ConfigError
from app.core.policy import Policy
from app.core.verdict import EdgeReply, JointVerdict, Signal
from app.data.records import load_records, read_records
from app.evaluation.fields import edge_fields
from app.evaluation.table import signal_of
from tests.support.fitted import logistic
from tests.support.records import record, write


def rows():
    return [record(number, "law", 0.5, "A", "B", fingerprint=f"f{number}") for number in range(3)]


def flawed(at, **changes):
    made = rows()
    made[at] = {key: value for key, value in {**made[at], **changes}.items() if value != "gone"}
    return made


@pytest.mark.parametrize(
    ("made", "line", "says"),
    [
        (flawed(1, gold="gone"), 2, "'gold' is missing"),
        (flawed(2, confidence_probabilities="gone"), 3, "'confidence_probabilities' is missing"),
        (flawed(1, gold="E"), 2, "'gold' is 'E', offered were A, B, C, D"),
        (flawed(1, edge_answer="Z"), 2, "'edge_answer' is 'Z'"),
        (flawed(1, cloud_answer="a"), 2, "'cloud_answer' is 'a'"),
        (flawed(2, id="0"), 3, r"the id '0' was used before \(line 1\)"),
        (flawed(2, edge_model="other"), 3, "records of two models are mixed"),
        (flawed(2, edge_fingerprint="f9"), 3, "records of two models are mixed"),
        (flawed(2, prompt_version="p2"), 3, "records of two models are mixed"),
        (flawed(0, domain=""), 1, "'domain' is empty"),
        (flawed(0, domain=None), 1, "'domain' is empty"),
        (flawed(1, expected_confidence=float("nan")), 2, "'expected_confidence' is nan, not a number from 0 to 1"),
        (flawed(1, expected_confidence=True), 2, "'expected_confidence' is True"),
        (flawed(1, answer_probabilities={"A": float("inf"), "B": 0.0}), 2, "'A' is inf"),
        (flawed(1, answer_probabilities={"A": 0.5, "C": 0.5}), 2, "must hold the offered letters"),
        (flawed(1, confidence=0.3), 2, "'confidence' is 0.3, none of 0.0, 0.25"),
        (flawed(1, confidence_probabilities={"0.0": 1.0}), 2, "'confidence_probabilities' must hold"),
        (flawed(1, edge_ms="fast"), 2, "'edge_ms' is 'fast', not a number"),
        (flawed(1, cloud_tokens=[100]), 2, r"'cloud_tokens' is \[100\], not a number"),
        (flawed(1, bucket_paths=[["x"]] * 5), 2, "not a list of steps for each of five buckets"),
        (flawed(1, id=5), 2, "not a record"),
        ([], 0, "holds no records"),
    ],
)
def test_a_flaw_is_said_with_its_place(tmp_path, made, line, says):
    path = write(tmp_path / "r.jsonl", made)
    with pytest.raises(ConfigError, match=says) as error:
        load_records(path)
    assert (f"r.jsonl, line {line}: " if line else "r.jsonl ") in str(error.value)


def test_a_damaged_line_is_said_and_a_torn_last_one_is_passed_over(tmp_path):
    path = tmp_path / "r.jsonl"
    lines = [json.dumps(row) for row in rows()]
    path.write_text("\n".join([lines[0], "{brok", lines[1]]) + "\n")
    with pytest.raises(ConfigError, match=r"line 2: not a record"):
        load_records(path)
    path.write_text("\n".join([*lines[:2], lines[2][:40]]))
    assert [row["id"] for row in load_records(path)] == ["0", "1"]


def test_a_last_line_without_its_end_counts_for_a_reader_but_not_for_a_run_that_cuts_it_away(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows()))
    assert len(load_records(path)) == 3
    assert len(read_records(path)) == 2


def test_the_steps_of_one_question_are_one_record(tmp_path):
    """As a run writes them: the edge's say, the cloud's failure, the cloud's answer."""
    edge = record(1, "law", 0.5, "A", None, fingerprint="f", cloud_error=None)
    steps = [edge, {**edge, "cloud_error": "cloud_timeout"}, {**edge, "cloud_answer": "B"}]
    assert load_records(write(tmp_path / "r.jsonl", steps)) == [steps[-1]]
    with pytest.raises(ConfigError, match=r"line 4: the id '1' was used before \(line 3\)"):
        load_records(write(tmp_path / "r.jsonl", [*steps, {**edge, "cloud_answer": "C"}]))


@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("signal", Signal)
def test_a_record_has_the_signals_of_the_verdict_that_it_was_made_from_to_the_last_digit(signal, temperature):
    """Else a threshold that was chosen on records would not cut where it cuts in the gateway."""
    draw = np.random.default_rng(3)
    for options in (2, 4, 10, 26):
        verdict = JointVerdict.from_weights(draw.random((5, options)).tolist(), 2)
        written = json.loads(json.dumps(edge_fields(EdgeReply(verdict, "small", None, 0.1))))
        policy = Policy(signal=signal, temperature=temperature, fitted=logistic())
        assert signal_of(written, signal, temperature, logistic()) == policy.read(verdict).signal(signal)

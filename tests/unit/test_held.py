"""What the test half says of a target, and how a file of an earlier version is read."""

import json
from datetime import date

import pytest

from app.core.errors import ConfigError
from app.core.verdict import Signal
from app.data.calibration import Achieved, DomainThreshold, read_calibration, write_calibration
from app.data.target import Target
from app.edge.builtin import find_builtin
from app.evaluation.calibrate import calibrate
from tests.support.records import flat

TODAY = date(2026, 1, 2)


def fitted(rows, kind, value, *, signal=Signal.EXPECTED, delta=None, per_domain=True, **kwargs):
    target = Target(kind=kind, value=value, delta=delta, per_domain=per_domain)
    return calibrate(rows, target=target, signal=signal, today=TODAY, resamples=20, **kwargs)


@pytest.mark.parametrize(
    ("kind", "value", "low", "high", "said"),
    [
        ("edge_error", 0.2, 0.1, 0.2, "held"),
        ("edge_error", 0.2, 0.1, 0.21, "not enough data"),
        ("edge_error", 0.2, 0.2, 0.3, "not enough data"),
        ("edge_error", 0.2, 0.21, 0.3, "refuted"),
        ("accuracy", 0.7, 0.7, 0.8, "held"),
        ("accuracy", 0.7, 0.69, 0.8, "not enough data"),
        ("accuracy", 0.7, 0.6, 0.7, "not enough data"),
        ("accuracy", 0.7, 0.6, 0.69, "refuted"),
        ("cloud_rate", 0.5, 0.485, 0.515, "held"),
        ("cloud_rate", 0.5, 0.47, 0.51, "not enough data"),
        ("cloud_rate", 0.5, 0.49, 0.53, "not enough data"),
        ("cloud_rate", 0.5, 0.4, 0.47, "refuted"),
        ("cloud_rate", 0.5, 0.53, 0.6, "refuted"),
        ("cloud_rate", 0.5, 0.4, 0.6, "not enough data"),
    ],
)
def test_held_means_shown_refuted_means_excluded_and_all_else_is_not_enough_data(kind, value, low, high, said):
    intervals = dict.fromkeys(("cloud_rate_ci", "accuracy_ci", "edge_error_ci"), (0.0, 1.0)) | {f"{kind}_ci": (low, high)}
    assert Target(kind=kind, value=value).outcome(**intervals) == said


def test_where_nothing_is_kept_nothing_is_said_of_the_edge_error():
    assert Target(kind="edge_error", value=0.2).outcome(cloud_rate_ci=(1, 1), accuracy_ci=(0, 1), edge_error_ci=None) == "not enough data"


def test_twenty_questions_that_are_all_answered_correctly_do_not_show_an_accuracy_of_90_percent():
    """A bootstrap of them would say [1, 1]."""
    rows = flat({"law": 20}, {"law": 10**9})
    rows = [row | {"edge_answer": "A", "answer_probabilities": {"A": 0.7, "B": 0.3}} for row in rows]
    achieved = fitted(rows, "accuracy", 0.9, per_domain=False).calibration.achieved
    assert (achieved.accuracy, achieved.held) == (1.0, "not enough data")
    # One-sided 97.5 %: 0.025^(1/20).
    assert achieved.accuracy_ci == (pytest.approx(0.025 ** (1 / 20)), 1.0)


def old_file(path, **changes):
    """A file of version 1, as it was written then."""
    shipped = json.loads(find_builtin("builtin").calibration.read_text())
    assert shipped["version"] == 1
    content = shipped | changes
    path.write_text(json.dumps(content))
    return path


def test_a_file_of_version_1_is_read_and_its_held_is_said_anew(tmp_path):
    shipped = json.loads(find_builtin("builtin").calibration.read_text())
    found = read_calibration(find_builtin("builtin").calibration)
    # A rate of 31.7 % [20.3, 45.0] does not refute a target of 40 %; it shows nothing either.
    assert (found.version, found.achieved.held, found.tau, found.scope) == (2, "not enough data", shipped["tau"], "")
    achieved = shipped["achieved"]
    for held, interval, said in (
        (True, [0.39, 0.41], "held"),
        (True, [0.3, 0.5], "not enough data"),
        (False, [0.5, 0.6], "refuted"),
    ):
        changed = {**achieved, "held": held, "cloud_rate_ci": interval}
        own = {"tau": 0.3, "n": 5, "achieved": changed}
        content = old_file(tmp_path / "c.json", achieved=changed, domains={"law": own, "art": {"tau": 0.4, "n": 1, "achieved": None}})
        found = read_calibration(content)
        assert (found.achieved.held, found.domains["law"].achieved.held, found.domains["art"].achieved) == (said, said, None)


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_that_calls_its_recommendation_a_verdict_is_read(tmp_path, version):
    if version == 1:
        path = old_file(tmp_path / "c.json")
    else:
        path = tmp_path / "c.json"
        write_calibration(path, read_calibration(find_builtin("builtin").calibration))
        content = json.loads(path.read_text())
        path.write_text(json.dumps({("verdict" if key == "recommendation" else key): value for key, value in content.items()}))
    assert "verdict" in json.loads(path.read_text())
    found = read_calibration(path)
    assert found == read_calibration(find_builtin("builtin").calibration)
    assert found.recommendation.startswith("The interval of the lift over random includes zero")
    write_calibration(path, found)
    assert "verdict" not in json.loads(path.read_text())
    path.write_text(json.dumps(json.loads(path.read_text()) | {"verdict": "route"}))
    with pytest.raises(ConfigError, match="is not a calibration: verdict: Extra inputs are not permitted"):
        read_calibration(path)


def test_an_old_file_of_one_threshold_per_domain_says_that_its_shared_threshold_promises_nothing(tmp_path):
    target = {"kind": "edge_error", "value": 0.2, "delta": 0.1, "per_domain": True}
    found = read_calibration(old_file(tmp_path / "c.json", target=target, pooled=["art"]))
    assert found.scope.endswith("on all questions together: nothing is promised for them.")


@pytest.mark.parametrize(
    "damage",
    [
        {"achieved": None},
        {"achieved": {"held": True}},
        {"target": None},
        {"domains": [1]},
        {"domains": {"law": 3}},
        {"domains": {"law": {"tau": 0.3, "n": 1, "achieved": {"held": True}}}},
        {"version": 3},
        {"tau": 1.02},
    ],
)
def test_a_damaged_old_file_is_one_sentence(tmp_path, damage):
    with pytest.raises(ConfigError, match="is not a calibration: "):
        read_calibration(old_file(tmp_path / "c.json", **damage))


def test_what_is_written_is_of_version_4_and_is_read_back_whole(tmp_path):
    found = fitted(flat({"law": 300, "art": 30}, {"law": 10**9, "art": 2}), "edge_error", 0.2, delta=0.1).calibration
    write_calibration(tmp_path / "c.json", found)
    assert json.loads((tmp_path / "c.json").read_text())["version"] == 4
    assert read_calibration(tmp_path / "c.json") == found
    shown = found.summary()
    assert (shown["tau"], shown["pooled"], shown["scope"], shown["achieved_shared"]["n"]) == (1.01, ["art"], found.scope, 30)
    assert isinstance(found.achieved, Achieved)
    assert isinstance(found.domains["law"], DomainThreshold)

"""`chain.json` and `labels.jsonl`: read strictly, those of earlier versions too, or refused with a sentence that says what to do."""

import json

import pytest

from app.core.errors import ConfigError
from app.training.config import JointConfig
from app.training.label_file import read_labels
from app.training.state import ChainState, check_same_run, read_state, write_state

# Written by the last code of version 2: symbol binding, R0 and R1 of a tiny chain.
VERSION_2 = """
{"version": 2, "config": {"base": "in/base", "family": "auto", "device": "auto", "dtype": "float32", "threads": 1, "seed": 3,
"domains": ["law", "math"], "rounds": 2, "buffer_rows": 12, "new_rows": 8, "replay_rows": 6, "tau": 0.5, "label_batch_size": 4,
"max_prompt_tokens": 1024, "data": {"train": {"law": ["in/law.jsonl"], "math": ["in/math.jsonl"]}, "test": ["in/test.jsonl"],
"replay_only": [], "licenses": null, "dev_rows": 8, "map": {}, "skip_bad": false}, "warmup": {"rows": 12, "lora": {"r": 2,
"alpha": 32, "dropout": 0.0}, "sft": {"learning_rate": 0.001, "epochs": 1, "batch_size": 4, "micro_batch_size": 4,
"warmup_ratio": 0.03, "weight_decay": 0.0, "max_grad_norm": 1.0, "gradient_checkpointing": false, "share_prefix": true,
"shuffle_options": false}}, "labels": {"source": "gold", "samples": 8, "temperature": 0.7, "method": "exact", "buckets": null,
"max_unlabelled": 0.1, "balance": false, "relabel_replay": false}, "lora": {"r": 16, "alpha": 32, "dropout": 0.0},
"sft": {"learning_rate": 0.001, "epochs": 1, "batch_size": 4, "micro_batch_size": 2, "warmup_ratio": 0.03, "weight_decay": 0.0,
"max_grad_norm": 1.0, "gradient_checkpointing": false, "share_prefix": true, "shuffle_options": true},
"gate": {"max_accuracy_loss": 1.0, "max_mean_loss": 1.0, "max_ece_increase": 1.0, "level": 0.05, "min_entropy": 0.0,
"target_cloud_rate": 0.4, "on_failure": "continue"}}, "base_fingerprint": "b53be8c9143f", "data_fingerprint": "35436495a516",
"prompt_version": "foggate-1", "dtype": "float32", "dev_rows": 16, "left_out": {"too long": 0}, "sources": [{"domain": "law",
"source": "", "license": "", "rows": 14}, {"domain": "math", "source": "", "license": "", "rows": 14}], "warmup": {"new_rows": 12,
"replay_rows": 0, "domain": "generated", "steps": 3, "held_out": {"rows": 80, "right_before": 0.3125, "right_after": 0.3125},
"checkpoint": "7b8c8f972491", "seconds": {"train": 0.8, "measure": 1.0}}, "rounds": [{"round": 0, "domain": null, "new_rows": 12,
"replay_rows": 0, "buckets": {"0.0": 8, "0.25": 0, "0.5": 0, "0.75": 2, "1.0": 2}, "steps": 3, "trained_on": "7b8c8f972491",
"checkpoint": "ccb910c58d78", "promoted": true, "reasons": [], "gate": {"against": "base", "checks": [{"name": "law", "loss": 0.0,
"at_least": 0.0, "p": 1.0, "refused": false}, {"name": "math", "loss": 0.0, "at_least": 0.0, "p": 1.0, "refused": false},
{"name": "mean", "loss": 0.0, "at_least": 0.0, "p": 1.0, "refused": false}, {"name": "calibration", "loss": 0.009573,
"at_least": -0.18406, "p": null, "refused": false}]}, "kept": true, "seconds": {"label": 0.1, "train": 1.4, "measure": 0.7}},
{"round": 1, "domain": "law", "new_rows": 8, "replay_rows": 6, "buckets": {"0.0": 6, "0.25": 0, "0.5": 0, "0.75": 1, "1.0": 1},
"steps": 4, "trained_on": "ccb910c58d78", "checkpoint": "cc25af3357d6", "promoted": true, "reasons": [], "gate": {"against": "R00",
"checks": [{"name": "law", "loss": 0.0, "at_least": 0.0, "p": 1.0, "refused": false}, {"name": "math", "loss": 0.0,
"at_least": 0.0, "p": 1.0, "refused": false}, {"name": "mean", "loss": 0.0, "at_least": 0.0, "p": 1.0, "refused": false},
{"name": "calibration", "loss": -0.023343, "at_least": -0.16844, "p": null, "refused": false}]}, "kept": true,
"seconds": {"label": 0.0, "train": 1.1, "measure": 0.7}}]}
"""


def old():
    return json.loads(VERSION_2)


def saved(folder, state):
    (folder / "chain.json").write_text(json.dumps(state))
    return folder


def test_a_file_of_version_2_is_read_as_this_version_would_have_written_it(tmp_path):
    (tmp_path / "chain.json").write_text(VERSION_2)
    state = read_state(tmp_path)
    was = old()
    assert (state.version, state.config.binding.rows, state.config.binding.sft.shuffle_options) == (4, 12, False)
    assert state.binding.held_out.correct_after == was["warmup"]["held_out"]["right_after"]
    assert [(entry.name, entry.domain, entry.checkpoint) for entry in state.rounds] == [
        ("R00", None, "ccb910c58d78"),
        ("R01", "law", "cc25af3357d6"),
    ]
    assert [check.name for check in state.rounds[1].gate.checks] == ["law", "math", "mean", "calibration"]
    assert (state.promoted, state.rounds[1].decision) == (1, "promoted")
    # Nothing is lost but the old words, and what is written is read as the same.
    write_state(tmp_path, state)
    written = json.loads((tmp_path / "chain.json").read_text())
    assert set(written) == set(was) - {"warmup"} | {"binding"}
    assert set(written["config"]) == set(was["config"]) - {"warmup"} | {"binding", "loss", "joint"}
    assert (written["config"]["loss"], written["config"]["labels"]["target"]) == ("tokens", "hard")
    assert (written["rounds"], written["sources"], written["left_out"]) == (was["rounds"], was["sources"], was["left_out"])
    assert read_state(tmp_path) == state


def test_a_file_of_version_1_did_not_shuffle_and_knew_no_dtype(tmp_path):
    was = old()
    del was["version"], was["dtype"], was["config"]["sft"]["shuffle_options"], was["config"]["warmup"]["sft"]["shuffle_options"]
    del was["config"]["gate"]["level"], was["config"]["gate"]["max_mean_loss"]
    for entry in was["rounds"]:
        del entry["gate"]
    state = read_state(saved(tmp_path, was))
    assert (state.dtype, state.config.sft.shuffle_options, state.config.binding.sft.shuffle_options) == (None, False, False)
    assert (state.config.gate.level, [entry.gate for entry in state.rounds]) == (0.05, [None, None])


def test_a_file_of_version_3_was_trained_on_tokens(tmp_path):
    """The one way there was; a run is not continued in another one."""
    was = changed(version=3)
    del was["config"]["loss"], was["config"]["joint"], was["config"]["labels"]["target"]
    state = read_state(saved(tmp_path, was))
    assert state == current()
    ours = state.model_copy(update={"config": state.config.model_copy(update={"loss": "joint"})})
    with pytest.raises(ConfigError, match=r"was begun with another config \(loss tokens, not joint\)"):
        check_same_run(tmp_path, state, ours, trains=True)


def test_a_run_that_was_begun_before_maps_were_known_is_read(tmp_path):
    was = old()
    del was["config"]["data"]["map"], was["config"]["data"]["skip_bad"]
    assert read_state(saved(tmp_path, was)).config.data.map == {}


def test_a_folder_without_a_run_holds_none(tmp_path):
    assert read_state(tmp_path) is None


def current():
    return ChainState.model_validate(json.loads(json.dumps(_renamed(old()))))


def _renamed(state):
    state["version"], state["binding"] = 4, None
    del state["warmup"]
    state["config"] |= {"binding": None, "loss": "tokens", "joint": JointConfig().model_dump()}
    state["config"]["labels"]["target"] = "hard"
    del state["config"]["warmup"]
    return state


def changed(**changes):
    return current().model_dump(mode="json") | changes


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (changed(version=5), "was written by a later version of foggate; use that version"),
        (changed(version="4"), "is not the state of a run"),
        ([], "is not the state of a run"),
        (changed(extra=1), "extra: Extra inputs are not permitted. Restore the file from a copy"),
        (changed(rounds=[{**old()["rounds"][0], "steps": "3"}]), r"rounds\.0\.steps: Input should be a valid integer"),
        (changed(config={**changed()["config"], "warmup": None}), r"config\.warmup: Extra inputs are not permitted"),
        ({**changed(), "version": 2, "config": {}}, "parts of its config are missing"),
        ({key: value for key, value in changed().items() if key != "data_fingerprint"}, "data_fingerprint: Field required"),
    ],
)
def test_another_file_is_refused_with_a_sentence(tmp_path, content, says):
    with pytest.raises(ConfigError, match=says):
        read_state(saved(tmp_path, content))


def test_a_setting_that_a_file_does_not_hold_gets_no_default_without_a_word(tmp_path):
    """A setting that is added later must say in `_upgraded` what earlier runs did."""
    state = changed()
    del state["config"]["labels"]["relabel_replay"]
    with pytest.raises(ConfigError, match=r"its config lacks settings of this version \(labels\.relabel replay none, not false\)"):
        read_state(saved(tmp_path, state))


def test_a_torn_file_is_refused(tmp_path):
    (tmp_path / "chain.json").write_text("{")
    with pytest.raises(ConfigError, match=r"chain\.json cannot be read"):
        read_state(tmp_path)


@pytest.mark.parametrize("key", ["base_fingerprint", "data_fingerprint", "prompt_version", "dtype"])
def test_another_run_is_refused_by_what_differs(tmp_path, key):
    ours = current().model_copy(update={key: "other"})
    with pytest.raises(ConfigError, match=rf"was begun with another {key.replace('_', ' ')} \(.*, not other\)"):
        check_same_run(tmp_path, current(), ours, trains=True)
    check_same_run(tmp_path, current(), current(), trains=True)


def test_only_a_run_that_trains_must_have_the_same_gate(tmp_path):
    known = current()
    gate = known.config.gate.model_copy(update={"level": 0.1})
    ours = known.model_copy(update={"config": known.config.model_copy(update={"gate": gate}), "dtype": "bfloat16"})
    check_same_run(tmp_path, known, ours, trains=False)
    with pytest.raises(ConfigError, match=r"was begun with another config \(gate\.level 0\.05, not 0\.1\)"):
        check_same_run(tmp_path, known, ours, trains=True)


def test_labels_of_the_first_version_are_read(tmp_path):
    """They called the probability of a correct draw `p_right`."""
    old_row = {"id": "1", "label": "A", "label_source": "gold", "p_right": 0.5, "k": None, "n": 8, "bucket": "0.5"}
    (tmp_path / "labels.jsonl").write_text(json.dumps(old_row) + "\n")
    (row,) = read_labels(tmp_path / "labels.jsonl")
    assert (row.p_correct, '"p_correct": 0.5' in row.line) == (0.5, True)
    (tmp_path / "labels.jsonl").write_text(json.dumps({**old_row, "n": "8"}) + "\n")
    with pytest.raises(ConfigError, match=r"labels\.jsonl cannot be read \(n: Input should be a valid integer\)"):
        read_labels(tmp_path / "labels.jsonl")

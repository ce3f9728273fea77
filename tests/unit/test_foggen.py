"""Which models were trained to write their confidence: their ids, the mark in their configuration, the file beside an adapter."""

import json
import os
import subprocess
import sys

import pytest

from app.edge.builtin import BUILTIN, BUILTIN_BASE
from app.edge.foggen import mark, writes_confidence
from tests.support.processes import ROOT


def test_a_marked_folder_is_known_and_keeps_the_rest_of_its_configuration(tmp_path):
    config = {"model_type": "llama", "hidden_size": 8}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert not writes_confidence(str(tmp_path), None)
    mark(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text()) == {**config, "foggen": True}
    assert writes_confidence(str(tmp_path), None)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"foggen": 1}', "\x00"])
def test_a_damaged_configuration_marks_nothing(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    assert not writes_confidence(str(tmp_path), None)


def test_the_builtin_model_is_trained_by_its_adapter_and_its_base_is_not():
    assert writes_confidence(BUILTIN, None)
    assert not writes_confidence(BUILTIN_BASE, None)


def test_a_model_of_a_hub_is_known_by_what_is_in_the_cache(tmp_path):
    """In a process of its own: the hub's library reads its folder when it is imported."""
    for name, file, content in (
        ("evolved", "config.json", {"foggen": True}),
        ("plain", "config.json", {}),
        ("lora", "foggate.json", {"base_fingerprint": "0"}),
    ):
        place = tmp_path / f"hub/models--org--{name}"
        snapshot = place / "snapshots" / ("a" * 40)
        snapshot.mkdir(parents=True)
        (place / "refs").mkdir()
        (place / "refs/main").write_text("a" * 40)
        (snapshot / file).write_text(json.dumps(content))
    code = (
        "from app.edge.foggen import writes_confidence as of\n"
        "print([of('org/evolved', None), of('org/plain', None), of('org/plain', 'org/lora'), of('org/plain', 'org/plain'), of('org/absent', None)])"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[True, False, True, False, False]"

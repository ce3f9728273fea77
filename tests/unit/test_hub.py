"""Models and adapters of a hub, out of a cache laid out as the hub's client lays it out: known by their commits."""

import json
import os
import shutil
import subprocess
import sys

from tests.support.adapters import make_adapter
from tests.support.chains import base_folder
from tests.support.processes import ROOT
from tests.support.tiny import tiny_model

# One process for all: loading and changing what `main` stands for in turn.
_LOAD = """
import json, sys
from pathlib import Path
from app.edge.loader import load_model
from app.core.errors import ConfigError

hub, found = Path(sys.argv[1]), []
for main in json.loads(sys.argv[2]):
    for name, commit in main.items():
        (hub / f"models--org--{name}/refs/main").write_text(commit)
    try:
        loaded = load_model("org/base", cache_dir=hub, adapter="org/adapter", device="cpu", dtype="float32")
        weights = float(loaded.model.get_parameter("model.layers.0.self_attn.q_proj.weight").double().sum())
        found.append([loaded.name, loaded.fingerprint, weights])
    except ConfigError as error:
        found.append([error.message, "", 0.0])
print(json.dumps(found))
"""


def commit_of(letter):
    return letter * 40


def snapshot(hub, name, letter, source):
    place = hub / f"models--org--{name}"
    (place / "refs").mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, place / "snapshots" / commit_of(letter))


def test_an_updated_hub_adapter_or_base_has_another_fingerprint(tmp_path):
    hub = tmp_path / "home/hub"
    base = base_folder(tmp_path / "base")
    model = tiny_model("qwen3", json.loads((base / "config.json").read_text())["vocab_size"])
    snapshot(hub, "base", "a", base)
    for letter, seed in (("c", 1), ("d", 2)):
        snapshot(hub, "adapter", letter, make_adapter(model, tmp_path / f"adapter-{letter}", seed=seed))
    # The same weights with another scale.
    again = hub / "models--org--adapter/snapshots" / commit_of("e")
    shutil.copytree(hub / "models--org--adapter/snapshots" / commit_of("c"), again)
    config = json.loads((again / "adapter_config.json").read_text())
    (again / "adapter_config.json").write_text(json.dumps({**config, "lora_alpha": 3}))
    for parameter in model.parameters():
        parameter.data *= 1.01
    model.save_pretrained(tmp_path / "base")
    snapshot(hub, "base", "b", base)
    # An adapter that says which base it was trained on, and means another one.
    signed = hub / "models--org--adapter/snapshots" / commit_of("f")
    shutil.copytree(hub / "models--org--adapter/snapshots" / commit_of("c"), signed)
    (signed / "foggate.json").write_text('{"base_fingerprint": "000000000000"}')
    mains = [{"base": commit_of(one), "adapter": commit_of(other)} for one, other in ("ac", "ad", "ae", "bc", "ac", "af")]
    done = subprocess.run(
        [sys.executable, "-c", _LOAD, str(hub), json.dumps(mains)],
        cwd=ROOT,
        env={**os.environ, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    *loaded, refused = found
    assert {name for name, _, _ in loaded} == {"org/base+adapter"}
    assert len({weights for _, _, weights in loaded}) == 4
    assert len({fingerprint for _, fingerprint, _ in loaded}) == 4
    assert loaded[0] == loaded[4], "the same commits are the same weights"
    assert "belongs to another base model: it was trained on weights 000000000000" in refused[0]

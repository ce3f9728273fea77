"""Training of the last layers only: what it changes, what it leaves, and that it is shipped and served as what it is."""

import json

import pytest
import torch
import yaml
from peft import PeftModel
from safetensors.torch import load_file

from app.core.errors import ConfigError
from app.edge.loader import load_model
from app.training.config import LoraConfig
from app.training.lora import put_on, take_off, write_adapter
from app.training.publish.compress import updates_of, write_updates
from tests.runs import arms
from tests.support.chains import base_folder, chain_config
from tests.support.tiny import tiny_model

LAYERS = tiny_model("qwen3", 50).config.num_hidden_layers


def trained_layers(model):
    return {int(name.split(".layers.")[1].split(".")[0]) for name, value in model.named_parameters() if value.requires_grad}


@pytest.mark.parametrize(("last", "expected"), [(None, set(range(LAYERS))), (1, {LAYERS - 1}), (LAYERS, set(range(LAYERS)))])
def test_only_the_last_layers_get_an_adapter(last, expected):
    model = tiny_model("qwen3", 50)
    adapted = put_on(model, LoraConfig(r=2, last_layers=last), seed=1, base_name="tiny")
    assert trained_layers(adapted) == expected


def test_more_layers_than_there_are_is_refused():
    with pytest.raises(ConfigError, match=rf"lora\.last_layers is {LAYERS + 1}, and the model has {LAYERS} layers"):
        put_on(tiny_model("qwen3", 50), LoraConfig(last_layers=LAYERS + 1), seed=1, base_name="tiny")


def test_a_compressed_adapter_of_the_last_layer_is_served(tmp_path):
    """What was trained, its compressed form beside the base, and the base give three different things only where they should."""
    base = base_folder(tmp_path / "base")
    loaded = load_model(str(base), cache_dir=tmp_path, dtype="float32", device="cpu")
    model, ids = loaded.model, torch.arange(5, 25)[None]
    before = model(ids).logits
    adapted = put_on(model, LoraConfig(r=2, alpha=4, last_layers=1), seed=1, base_name="tiny")
    with torch.no_grad():
        for value in (value for value in adapted.parameters() if value.requires_grad):
            value.normal_(0, 0.3)
    wanted = adapted(ids).logits
    write_adapter(adapted, tmp_path / "trained")
    take_off(adapted, checkpointing=False)
    assert torch.equal(loaded.model(ids).logits, before)
    updates = updates_of([tmp_path / "trained"])
    write_updates(updates, 2, tmp_path / "small", base_name="tiny", base_fingerprint=loaded.fingerprint)
    assert json.loads((tmp_path / "small/adapter_config.json").read_text())["layers_to_transform"] == [LAYERS - 1]
    served = load_model(str(base), cache_dir=tmp_path, adapter=str(tmp_path / "small"), dtype="float32", device="cpu")
    assert torch.allclose(served.model(ids).logits, wanted, atol=0.02), "its weights are rounded to bf16"
    assert not torch.allclose(wanted, before, atol=0.1)
    by_peft = PeftModel.from_pretrained(
        load_model(str(base), cache_dir=tmp_path, dtype="float32", device="cpu").model, str(tmp_path / "small")
    )
    assert torch.allclose(by_peft(ids).logits, wanted, atol=0.02)


def run_arms(config, out, *more):
    given = ["--config", str(config), "--out", str(out), "--arms", "joint,tokens", "--rounds", "0", "--per-domain", "4"]
    arms.main([*given, "--allow-uniform-labels", *map(str, more)])


def test_keeping_frozen_layers_changes_nothing(tmp_path, monkeypatch, capsys):
    """Two arms with and without what lies below the last layer kept on disk: the same adapters; and what is kept is used."""
    sft = {"learning_rate": 1e-2, "epochs": 2, "batch_size": 4, "micro_batch_size": 1, "share_prefix": False}
    path = chain_config(tmp_path / "in", lora={"r": 2, "last_layers": 1}, sft=sft, label_batch_size=1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run_arms(path, tmp_path / "plain")
    table = capsys.readouterr().out
    run_arms(path, tmp_path / "kept", "--frozen", tmp_path / "frozen")
    assert len(list((tmp_path / "frozen").rglob("*.npy"))) > 20
    for arm in ("joint", "tokens"):
        one, other = (load_file(tmp_path / where / arm / "R00/adapter/adapter_model.safetensors") for where in ("plain", "kept"))
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert torch.allclose(other[name], value, atol=1e-4), (arm, name)
    lines = [[line.rsplit("|", 2)[0] for line in text.splitlines() if line.startswith("|")] for text in (table, capsys.readouterr().out)]
    assert lines[0] == lines[1], "but for the seconds"
    assert len(lines[0]) >= 4


def test_frozen_layers_need_a_training_of_the_last_ones(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = chain_config(tmp_path / "in")
    assert "last_layers" not in yaml.safe_load(path.read_text()).get("lora", {})
    with pytest.raises(SystemExit, match=r"--frozen needs lora\.last_layers"):
        run_arms(path, tmp_path / "out", "--frozen", tmp_path / "frozen")

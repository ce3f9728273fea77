"""Loading: folders, adapters, and every way it fails is one sentence."""

import copy
import subprocess
import sys

import pytest
import torch
from peft import LoraConfig, get_peft_model

from app.core.errors import ConfigError
from app.core.prompt import PromptFamily, user_prompt
from app.core.question import Question
from app.edge.engine import VerdictEngine
from app.edge.export import EXAMPLE, export_model
from app.edge.foggen import writes_confidence
from app.edge.loader import load_model
from app.edge.rendering import Renderer
from tests.support.reference import largest_difference
from tests.support.tiny import FAMILIES, TEMPLATES, tiny_model, tiny_tokenizer

QUESTION = Question("What is this?", ("one", "two", "three"))


def save(folder, kind="qwen3"):
    tokenizer = tiny_tokenizer(TEMPLATES[kind])
    model = tiny_model(kind, len(tokenizer))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model, tokenizer


def joint(model, tokenizer, family):
    engine = VerdictEngine(model, Renderer(tokenizer, family), name="x")
    return engine.verdicts([engine.prepare(QUESTION)])[0].joint


def load(spec, tmp_path, **kwargs):
    return load_model(str(spec), cache_dir=tmp_path / "cache", **{"device": "cpu", "dtype": "float32", **kwargs})


@pytest.mark.parametrize("kind", ["qwen3", "gemma3", "llama"])
def test_a_folder_loads_and_its_architecture_chooses_the_prompt(tmp_path, kind):
    model, tokenizer = save(tmp_path / "tiny", kind)
    loaded = load(tmp_path / "tiny", tmp_path)
    assert (loaded.family, loaded.name) == (FAMILIES[kind], "tiny")
    assert not loaded.model.training
    assert largest_difference(joint(loaded.model, loaded.tokenizer, loaded.family), joint(model, tokenizer, FAMILIES[kind])) < 1e-6
    assert load(tmp_path / "tiny", tmp_path, family=PromptFamily.GEMMA).family is PromptFamily.GEMMA
    assert load(tmp_path / "tiny", tmp_path, dtype="bfloat16").model.dtype is torch.bfloat16


def test_an_adapter_is_merged(tmp_path):
    model, tokenizer = save(tmp_path / "tiny")
    adapted = get_peft_model(copy.deepcopy(model), LoraConfig(r=4, lora_alpha=8, target_modules="all-linear"))
    torch.manual_seed(5)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.3)
    adapted.save_pretrained(tmp_path / "adapter")
    loaded = load(tmp_path / "tiny", tmp_path, adapter=str(tmp_path / "adapter"))
    merged = adapted.merge_and_unload()
    ours = joint(loaded.model, loaded.tokenizer, loaded.family)
    assert loaded.name == "tiny+adapter"
    assert largest_difference(ours, joint(merged, tokenizer, PromptFamily.QWEN)) < 1e-5
    assert largest_difference(ours, joint(model, tokenizer, PromptFamily.QWEN)) > 1e-3


def test_what_cannot_be_loaded_is_one_sentence(tmp_path):
    save(tmp_path / "tiny")
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/config.json").write_text('{"model_type": "mamba"}')
    save(tmp_path / "broken")
    (tmp_path / "broken/model.safetensors").write_bytes(b"not weights")
    save(tmp_path / "gone")
    (tmp_path / "gone/model.safetensors").unlink()
    for spec, kwargs, says in (
        ("nobody/no-such-model", {}, "neither a folder with a model nor a model id"),
        (tmp_path / "empty", {}, "neither a folder with a model nor a model id"),
        (tmp_path / "other", {}, "architecture 'mamba'"),
        (tmp_path / "broken", {}, "could not be loaded"),
        (tmp_path / "gone", {}, "could not be loaded"),
        (tmp_path / "tiny", {"adapter": str(tmp_path / "no-adapter")}, "could not be merged"),
        (tmp_path / "tiny", {"device": "abacus"}, "is not a device"),
    ):
        with pytest.raises(ConfigError, match=says) as refused:
            load(spec, tmp_path, **kwargs)
        assert "\n" not in refused.value.message


def test_an_export_runs_with_plain_transformers(tmp_path):
    save(tmp_path / "tiny", "qwen3")
    export_model(tmp_path / "out", lambda: load(tmp_path / "tiny", tmp_path), trained=True)
    assert writes_confidence(str(tmp_path / "out"), None)
    assert not writes_confidence(str(tmp_path / "tiny"), None)
    script = (tmp_path / "out/quick_demo.py").read_text()
    assert "import app" not in script
    assert "TYPE_CHECKING" not in script
    assert "from app" not in script
    assert len([line for line in script.splitlines() if line and not line.startswith("#")]) <= 10
    done = subprocess.run([sys.executable, "-I", str(tmp_path / "out/quick_demo.py")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # The question and its options, then what the model says.
    assert done.stdout.startswith(user_prompt(EXAMPLE) + "\n\n")
    assert not (tmp_path / "out.partial").exists()
    with pytest.raises(ConfigError, match="not an empty folder"):
        export_model(tmp_path / "out", lambda: load(tmp_path / "tiny", tmp_path))

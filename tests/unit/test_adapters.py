"""An adapter is applied whole, or refused in one sentence; nothing is left to a warning."""

import json
import shutil

import pytest
import torch
from peft import IA3Config, LoraConfig, PeftModel, PrefixTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file

from app.core.errors import ConfigError
from app.edge.adapters import find_adapter, merge_adapters
from app.edge.fingerprint import fingerprint
from app.edge.loader import load_model
from tests.support.adapters import PREFIX, WEIGHTS, added, change_config, change_weights, make_adapter
from tests.support.chains import base_folder
from tests.support.tiny import tiny_model

IDS = torch.arange(3, 40)[None]


@pytest.fixture
def base(tmp_path):
    return base_folder(tmp_path / "base")


def load(tmp_path, adapter, **kwargs):
    return load_model(str(tmp_path / "base"), cache_dir=tmp_path, adapter=str(adapter), **{"device": "cpu", "dtype": "float32", **kwargs})


def refused(tmp_path, says, adapter="adapter", **kwargs):
    with pytest.raises(ConfigError, match=says) as error:
        load(tmp_path, tmp_path / adapter, **kwargs)
    assert "\n" not in error.value.message


def vocabulary(folder):
    return json.loads((folder / "config.json").read_text())["vocab_size"]


def model_of(folder):
    return tiny_model("qwen3", vocabulary(folder))


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"use_rslora": True},
        {"use_dora": True},
        {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"down_proj": 32}},
        {"target_modules": ["q_proj", "v_proj"], "layers_to_transform": [1, 3]},
        {"target_modules": r".*layers\.2\..*gate_proj"},
        {"target_modules": ["q_proj", "lm_head"]},
        {"init_lora_weights": "gaussian"},
    ],
    ids=lambda how: ",".join(how) or "plain",
)
def test_what_lora_can_say_is_applied_as_peft_computes_it(how, base, tmp_path):
    """Merged, against peft's own adapter beside the base."""
    model = model_of(base)
    make_adapter(model, tmp_path / "adapter", **how)
    served = load(tmp_path, tmp_path / "adapter").model
    with torch.no_grad():
        without = model(IDS).logits
        beside = PeftModel.from_pretrained(model, str(tmp_path / "adapter")).eval()(IDS).logits
        merged = served(IDS).logits
    assert torch.allclose(merged, beside, atol=2e-3 * float(beside.abs().max()))
    assert not torch.allclose(merged, without, atol=0.1)


def without(name):
    return lambda weights: {key: value for key, value in weights.items() if name not in key}


def renamed(old, new):
    return lambda weights: {key.replace(old, new): value for key, value in weights.items()}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (renamed("model.model.layers", "model.model.language_model.layers"), r"does not fit the model: 56 of its weights belong nowhere"),
        (renamed(PREFIX, ""), "does not fit the model: 56 of its weights belong nowhere"),
        (renamed(".lora_A.weight", ".lora_A.default.weight"), "28 of its weights belong nowhere"),
        (renamed("layers.3.", "layers.30."), r"14 of its weights belong nowhere in the model, such as .*layers\.30\."),
        (
            without("layers.0.self_attn.q_proj.lora_B"),
            r"1 weights that its configuration asks for are not in its file, such as .*q_proj\.lora_B",
        ),
        (without(""), "56 weights that its configuration asks for are not in its file"),
        (lambda weights: {**weights, PREFIX + "lm_head.lora_A.weight": torch.ones(4, 48)}, "1 of its weights belong nowhere"),
        (lambda weights: {**weights, PREFIX + "model.embed_tokens.weight": torch.ones(9, 48)}, "1 of its weights belong nowhere"),
        (
            lambda weights: {key: value[..., :-1] if "o_proj.lora_A" in key else value for key, value in weights.items()},
            "4 of its weights have another shape",
        ),
        (lambda weights: {key: value * float("nan") for key, value in weights.items()}, "NaN|not finite"),
        (lambda weights: {key: value * ("lora_A" in key) for key, value in weights.items()}, "changes no weight of the model"),
        (lambda weights: {key: value * ("lora_B" in key) for key, value in weights.items()}, "changes no weight of the model"),
        (lambda weights: {key: value.new_zeros(value.shape) for key, value in weights.items()}, "changes no weight of the model"),
    ],
)
def test_an_adapter_whose_weights_do_not_fit_or_do_nothing_is_refused(change, says, base, tmp_path):
    make_adapter(model_of(base), tmp_path / "adapter")
    change_weights(tmp_path / "adapter", change)
    refused(tmp_path, says)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"r": 8}, "56 of its weights have another shape"),
        ({"rank_pattern": {"q_proj": 2}}, "8 of its weights have another shape"),
        ({"target_modules": ["query", "value"]}, "cannot be used.*Target modules"),
        ({"target_modules": ["q_proj"]}, "48 of its weights belong nowhere"),
        ({"layers_to_transform": [0]}, "42 of its weights belong nowhere"),
        ({"rank_pattern": {"nowhere": 2}}, "does not fit the model .*rank_pattern"),
        ({"modules_to_save": ["lm_head"]}, "sets modules_to_save, which cannot be merged here"),
        ({"bias": "all"}, "sets bias"),
        ({"lora_bias": True}, "sets lora_bias"),
        ({"trainable_token_indices": [1, 2]}, "sets trainable_token_indices"),
        ({"layer_replication": [[0, 2], [1, 4]]}, "sets layer_replication"),
        ({"alora_invocation_tokens": [5]}, "sets alora_invocation_tokens"),
        ({"invented_later": {"x": 1}}, "sets invented_later"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights pissa, which changes the base"),
        ({"task_type": "SEQ_CLS"}, "for the task SEQ_CLS"),
        ({"peft_type": "MAGIC"}, "of the kind MAGIC"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_adapter_whose_configuration_says_more_or_other_than_is_merged_is_refused(changes, says, base, tmp_path):
    make_adapter(model_of(base), tmp_path / "adapter")
    change_config(tmp_path / "adapter", **changes)
    refused(tmp_path, says)


def test_settings_that_say_nothing_do_not_keep_an_adapter_out(base, tmp_path):
    make_adapter(model_of(base), tmp_path / "adapter")
    changes = {
        "invented_later": None,
        "another": [],
        "base_model_name_or_path": "somebody/else",
        "peft_version": "9.9.9",
        "task_type": None,
    }
    change_config(tmp_path / "adapter", **changes)
    assert load(tmp_path, tmp_path / "adapter").name == "base+adapter"


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (IA3Config(target_modules=["q_proj"], feedforward_modules=[], task_type="CAUSAL_LM"), "of the kind IA3"),
        (PrefixTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM"), "of the kind PREFIX_TUNING"),
        (LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["lm_head"], task_type="CAUSAL_LM"), "sets modules_to_save"),
    ],
    ids=["ia3", "prefix", "whole modules"],
)
def test_adapters_of_other_kinds_are_refused(config, says, base, tmp_path):
    get_peft_model(model_of(base), config).save_pretrained(str(tmp_path / "adapter"), save_embedding_layers=False)
    refused(tmp_path, says)


def test_an_adapter_of_tied_matrices_is_refused(tmp_path):
    """Merging would change the embedding with the output; peft warns only."""
    folder = base_folder(tmp_path / "base", "gemma3")
    model = tiny_model("gemma3", vocabulary(folder))
    with pytest.warns(UserWarning, match="tied"):
        make_adapter(model, tmp_path / "adapter", target_modules=["q_proj", "lm_head"])
    refused(tmp_path, "does not fit the model .*tie_word_embeddings")


@pytest.mark.parametrize("content", [None, "{", "[]", "{}"])
def test_a_configuration_that_is_none_is_refused(content, base, tmp_path):
    make_adapter(model_of(base), tmp_path / "adapter")
    path = tmp_path / "adapter/adapter_config.json"
    path.unlink() if content is None else path.write_text(content)
    refused(tmp_path, r"adapter_config\.json (cannot be read|is not an object)|of the kind None")


def test_an_adapter_without_or_with_broken_weights_is_refused(base, tmp_path):
    make_adapter(model_of(base), tmp_path / "adapter")
    weights = tmp_path / "adapter" / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:100])
    refused(tmp_path, "cannot be used")
    weights.unlink()
    refused(tmp_path, "cannot be used")
    refused(tmp_path, "could not be merged: it is neither a folder nor an adapter id", adapter="nowhere")


def test_adapters_of_a_chain_are_added_up_in_float32_and_rounded_once(base, tmp_path):
    """Forty updates of a fifth of what bf16 can tell apart: rounded one by one, none would be left."""
    model = model_of(base)
    cast = {name: value.bfloat16().float() for name, value in model.state_dict().items()}
    model.load_state_dict(cast)
    name = "model.layers.0.mlp.up_proj"
    folders = [tmp_path / f"a{number}" for number in range(40)]
    step = (cast[f"{name}.weight"].abs() * 2**-8 / 5).mean()
    make_adapter(model, folders[0], target_modules=["up_proj"], r=1, lora_alpha=1)
    ones = {key: torch.full_like(value, float(step.sqrt())) for key, value in load_file(folders[0] / WEIGHTS).items()}
    save_file(ones, folders[0] / WEIGHTS, metadata={"format": "pt"})
    for folder in folders[1:]:
        shutil.copytree(folders[0], folder)
    state = cast
    for folder in folders:
        state = added(state, folder, scale=1.0)
    model = model.bfloat16()
    merge_adapters(model, folders, torch.bfloat16)
    assert torch.equal(model.state_dict()[f"{name}.weight"], state[f"{name}.weight"].bfloat16())
    one_by_one = cast[f"{name}.weight"].bfloat16()
    for _ in folders:
        one_by_one = (one_by_one.float() + float(step)).bfloat16()
    gone = (model.state_dict()[f"{name}.weight"].float() - cast[f"{name}.weight"]).mean() / (
        one_by_one.float() - cast[f"{name}.weight"]
    ).mean()
    assert float(gone) > 1.1, "the sum kept what rounding one by one loses"


def test_updates_that_bf16_rounds_away_as_a_whole_are_said(base, tmp_path):
    model = model_of(base)
    model.load_state_dict({name: value.sign() for name, value in model.state_dict().items()})
    model.save_pretrained(tmp_path / "base")
    make_adapter(model, tmp_path / "adapter", scale=1e-3)
    refused(tmp_path, "bfloat16 rounds all of it away", dtype="bfloat16")
    assert load(tmp_path, tmp_path / "adapter").name == "base+adapter"


def test_the_same_weights_with_another_scale_are_another_adapter(base, tmp_path):
    folder = make_adapter(model_of(base), tmp_path / "adapter")

    def print_of():
        return fingerprint(str(base), find_adapter(folder))

    prints = [print_of()]
    for changes in ({"lora_alpha": 16}, {"use_rslora": True}, {"alpha_pattern": {"q_proj": 1}}):
        change_config(folder, **changes)
        prints.append(print_of())
    assert len(set(prints)) == 4
    # What says nothing of the weights changes nothing; and alpha = rank is what it always was.
    change_config(folder, lora_dropout=0.5, base_model_name_or_path="x")
    assert print_of() == prints[-1]

"""Served, exported and loaded in the dtype: the same weights, the same buffers, the same verdict. What does not fit is refused."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from app.core.errors import ConfigError
from app.core.question import Question
from app.edge.engine import VerdictEngine
from app.edge.export import export_model
from app.edge.loader import load_model
from app.edge.rendering import Renderer
from app.edge.weights import cast_as_loaded, check_fit
from tests.support.adapters import added, make_adapter
from tests.support.chains import base_folder
from tests.support.tiny import FAMILIES, TEMPLATES, tiny_model, tiny_tokenizer

KINDS = ("qwen3", "gemma3", "llama")
# Hundreds of tokens, so that a frequency that is off by a third of a percent turns far.
LONG = Question("What is this, and which of the following is it? " * 25, ("one", "two", "three"))


def load(spec, tmp_path, **kwargs):
    return load_model(str(spec), cache_dir=tmp_path / "cache", **{"device": "cpu", "dtype": "bfloat16", **kwargs})


def joint(loaded):
    engine = loaded.engine()
    return engine.verdicts([engine.prepare(LONG)])[0].joint


def everything(model):
    """Parameters and buffers, the computed ones too, by name."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def assert_the_same(model, other):
    ours, theirs = everything(model), everything(other)
    assert list(ours) == list(theirs)
    for name, value in ours.items():
        assert value.dtype is theirs[name].dtype, name
        assert torch.equal(value, theirs[name]), name
    assert model.config.dtype == other.config.dtype


def saved_base(folder, kind, stored):
    tokenizer = tiny_tokenizer(TEMPLATES[kind])
    model = tiny_model(kind, len(tokenizer))
    for parameter in model.parameters():
        parameter.data = parameter.data.to(stored)
    model.config.dtype = stored
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model.float(), tokenizer


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("with_adapter", [False, True])
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_served_exported_and_loaded_in_the_dtype_are_the_same(kind, stored, with_adapter, dtype, tmp_path):
    """The reference adds the adapter by plain float32 arithmetic, saves float32, and lets transformers load it in the dtype."""
    plain, tokenizer = saved_base(tmp_path / "base", kind, stored)
    state = plain.state_dict()
    adapter = None
    if with_adapter:
        adapter = str(make_adapter(plain, tmp_path / "adapter"))
        state = added(state, tmp_path / "adapter")
    plain.load_state_dict(state)
    plain.config.dtype = torch.float32
    plain.save_pretrained(tmp_path / "merged")
    wanted = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=getattr(torch, dtype), attn_implementation="sdpa").eval()
    files = (tmp_path / "base/model.safetensors").read_bytes()
    served = load(tmp_path / "base", tmp_path, adapter=adapter, dtype=dtype)
    assert (tmp_path / "base/model.safetensors").read_bytes() == files, "weights are pages of their files, which merging must not write"
    assert_the_same(served.model, wanted)
    export_model(tmp_path / "out", lambda: served)
    exported = load(tmp_path / "out", tmp_path, dtype=dtype)
    assert_the_same(exported.model, wanted)
    engine = VerdictEngine(wanted, Renderer(tokenizer, FAMILIES[kind]), name="x")
    prompt = engine.prepare(LONG)
    assert len(prompt.ids) > 400
    verdict = engine.verdicts([prompt])[0].joint
    assert joint(served) == verdict
    assert joint(exported) == verdict


@pytest.mark.parametrize("kind", KINDS)
def test_a_cast_rounds_weights_and_nothing_that_is_computed(kind):
    """There and back, so that a buffer which was rounded on the way would show."""
    model, fresh = (tiny_model(kind, 520) for _ in range(2))
    fresh.config.dtype = torch.float32
    for parameter in fresh.parameters():
        parameter.data = parameter.data.bfloat16().float()
    cast_as_loaded(model, torch.bfloat16)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16} == {model.dtype}
    assert {value.dtype for name, value in model.named_buffers() if "inv_freq" in name} == {torch.float32}
    cast_as_loaded(model, torch.float32)
    assert_the_same(model, fresh)
    tied = model.config.tie_word_embeddings
    assert (model.get_input_embeddings().weight is model.get_output_embeddings().weight) == tied


def change_files(folder, change):
    weights = change(load_file(folder / "model.safetensors"))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


GATE = "model.layers.3.mlp.gate_proj.weight"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda weights: {k: v for k, v in weights.items() if k != GATE}, f"1 weights are not in its files, such as {GATE}"),
        (
            lambda weights: {k: v for k, v in weights.items() if "layers.2." not in k},
            r"weights are not in its files, such as model\.layers\.2\.",
        ),
        (lambda weights: {**weights, "model.layers.4.mlp.up_proj.weight": weights[GATE].clone()}, "1 weights in its files belong nowhere"),
        (lambda weights: {**weights, "model.layers.0.self_attn.q_proj.bias": torch.ones(64)}, "1 weights in its files belong nowhere"),
        (lambda weights: {k.replace("model.", "model.language_model.", 1): v for k, v in weights.items()}, "could not be loaded whole"),
        (lambda weights: {**weights, GATE: weights[GATE][:-1].clone()}, "could not be loaded"),
    ],
    ids=["one missing", "a layer missing", "a layer too many", "a bias", "renamed", "another shape"],
)
def test_weights_that_transformers_would_make_up_or_leave_out_are_refused(change, says, tmp_path):
    folder = base_folder(tmp_path / "base")
    change_files(folder, change)
    with pytest.raises(ConfigError, match=says) as refused:
        load(folder, tmp_path)
    assert "\n" not in refused.value.message


def test_old_files_with_rotary_frequencies_are_taken(tmp_path):
    """Versions of long ago stored them; they are computed, and what is stored is not read."""
    folder = base_folder(tmp_path / "base", "llama")
    whole = joint(load(folder, tmp_path))
    change_files(folder, lambda weights: {**weights, "model.layers.0.self_attn.rotary_emb.inv_freq": torch.zeros(8)})
    assert joint(load(folder, tmp_path)) == whole


def test_embeddings_that_are_said_to_be_tied_and_are_not_are_refused(tmp_path):
    folder = base_folder(tmp_path / "base")
    change_config(folder, tie_word_embeddings=True)
    with pytest.raises(ConfigError, match="says tie_word_embeddings, but its files hold two different matrices"):
        load(folder, tmp_path)


@pytest.mark.parametrize(
    ("rope", "says"),
    [
        ({"rope_type": "default", "rope_theta": 1e4, "factor": 8.0}, "would not be applied as written .*factor"),
        ({"rope_type": "linear", "rope_theta": 1e4, "factor": 0.5}, "would not be applied as written"),
        ({"rope_type": "linear", "rope_theta": 1e4}, "config.json that cannot be used"),
        ({"rope_type": "spiral", "rope_theta": 1e4}, "would not be applied as written|could not be loaded|cannot be used"),
    ],
)
def test_positions_that_would_not_be_as_written_are_refused(rope, says, tmp_path):
    folder = base_folder(tmp_path / "base")
    change_config(folder, rope_parameters=rope)
    with pytest.raises(ConfigError, match=says) as refused:
        load(folder, tmp_path)
    assert "\n" not in refused.value.message


def test_a_scaled_rope_that_is_understood_is_taken(tmp_path):
    """Advice about a factor is no reason to refuse: Qwen's own settings for long texts are like this."""
    folder = base_folder(tmp_path / "base")
    plain = joint(load(folder, tmp_path))
    yarn = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 2048}
    change_config(folder, rope_parameters=yarn)
    assert joint(load(folder, tmp_path)) != plain


def test_a_tokenizer_of_a_larger_vocabulary_is_refused_unless_what_is_beyond_is_control(tmp_path):
    tokenizer = tiny_tokenizer()
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1}
    ids = {"pad_token_id": 0, "bos_token_id": None, "eos_token_id": None}
    fits, small = (LlamaForCausalLM(LlamaConfig(vocab_size=size, **shape, **ids)) for size in (len(tokenizer), len(tokenizer) - 20))
    check_fit("x", tokenizer, fits)
    with pytest.raises(ConfigError, match="tokenizer of another model: 14 of its tokens, such as"):
        check_fit("x", tokenizer, small)
    # As Gemma 3's: the image token has no row in the embedding of the text model.
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image_soft_token>"]})
    check_fit("x", tokenizer, fits)
    tokenizer.fix_mistral_regex = False
    with pytest.raises(ConfigError, match="splits text wrongly"):
        check_fit("x", tokenizer, fits)

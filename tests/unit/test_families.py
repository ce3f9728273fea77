"""Any decoder-only family is read exactly, whatever it does with masks, positions and logits; what cannot be read is refused in a sentence."""

import json

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, Gemma3Config, Gemma3ForConditionalGeneration

from app.core.buckets import BUCKET_LABELS
from app.core.errors import ConfigError
from app.core.prompt import PromptFamily
from app.core.question import Question
from app.core.verdict import Signal
from app.edge.engine import VerdictEngine
from app.edge.found import find_model
from app.edge.loader import LoadedModel, load_model
from app.edge.rendering import Renderer
from tests.support.families import FAMILIES, WINDOW, family_model
from tests.support.reference import largest_difference, reference_joint
from tests.support.tiny import FOLDED, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
RENDERER = Renderer(TOKENIZER, PromptFamily.LLAMA)
QUESTIONS = [
    Question("What is this?", ("one", "two")),
    Question("\nIt was the best of times, it was the worst of times. Which?", tuple("abcdefghij")),
    Question("tail of newlines\n\n", ("x", "y", "z", "w")),
]


# Families whose attention has a cap, or does not come from the interface of transformers.
WHOLE_MASKS = {"gemma2"}


def engine_of(model, **kwargs):
    return VerdictEngine(model, RENDERER, name="tiny", **kwargs)


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_full_joint_of_a_family_is_that_of_plain_decoding(kind):
    model = family_model(kind, len(TOKENIZER))
    expected = [reference_joint(model, TOKENIZER, PromptFamily.LLAMA, question) for question in QUESTIONS]
    assert largest_difference(expected[0][0], [[0.1, 0.1]] * 5) > 0.05, "a uniform distribution could not fail"
    for share, split, pack in ((True, True, True), (False, True, False), (True, False, True)):
        engine = engine_of(model, share_prefix=share, split=split, pack=pack)
        assert engine.splits_attention == (split and kind not in WHOLE_MASKS)
        assert engine.packs_rows == (engine.splits_attention and pack)
        prompts = [engine.prepare(question) for question in QUESTIONS]
        assert min(len(prompt.ids) for prompt in prompts) > 2 * WINDOW
        alone = [engine.verdicts([prompt])[0] for prompt in prompts[:2]]
        for verdict, (joint, text) in zip([*alone, *engine.verdicts(prompts)], [*expected[:2], *expected], strict=True):
            assert largest_difference(verdict.joint, joint) < 1e-5
            assert text == f"Confidence: {BUCKET_LABELS[verdict.greedy_bucket]}\nFinal answer: {verdict.answer(Signal.VERBALIZED)}"


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("gemma2", {"final_logit_softcapping": 30.0}),
        ("gemma2", {"attn_logit_softcapping": None}),
        ("gemma2", {"sliding_window": 4096}),
        ("granite", {"logits_scaling": 1.0}),
        ("granite", {"attention_multiplier": 1.0}),
        ("smollm3", {"no_rope_layers": [1, 1, 1, 1]}),
        ("mistral", {"sliding_window": None}),
        ("cohere", {"logit_scale": 1.0}),
    ],
)
def test_what_is_special_in_a_family_changes_the_verdict(kind, change):
    """Otherwise the test above would pass with a family whose specialities are switched off."""
    one, other = (engine_of(family_model(kind, len(TOKENIZER), **changes)) for changes in ({}, change))
    prompts = [one.prepare(QUESTIONS[1])]
    assert largest_difference(one.verdicts(prompts)[0].joint, other.verdicts(prompts)[0].joint) > 1e-3


def save(folder, model, template=None):
    model.save_pretrained(folder)
    (tiny_tokenizer(template) if template else TOKENIZER).save_pretrained(folder)
    return folder


def load(folder, tmp_path, **kwargs):
    return load_model(str(folder), cache_dir=tmp_path / "cache", **{"device": "cpu", "dtype": "float32", **kwargs})


@pytest.mark.parametrize(
    ("kind", "family"),
    [("qwen2", PromptFamily.QWEN), ("gemma2", PromptFamily.GEMMA), ("granite", PromptFamily.LLAMA), ("gpt2", PromptFamily.LLAMA)],
)
def test_a_family_loads_from_a_folder_is_proven_and_chooses_its_wording(kind, family, tmp_path):
    model = family_model(kind, len(TOKENIZER))
    loaded = load(save(tmp_path / "m", model), tmp_path)
    assert loaded.family is family
    engine = loaded.engine()
    joint, _ = reference_joint(model, TOKENIZER, family, QUESTIONS[0])
    assert largest_difference(engine.verdicts([engine.prepare(QUESTIONS[0])])[0].joint, joint) < 1e-5
    assert list((tmp_path / "cache/proofs").glob("*.json"))


def pictures_and_text():
    """Gemma 3's wrapper; it has no soft-capping of the final logits, whatever the configuration of its text model says."""
    torch.manual_seed(3)
    text = {**FAMILIES["gemma3_text"], "vocab_size": len(TOKENIZER), "final_logit_softcapping": None}
    vision = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28}
    config = Gemma3Config(text_config=text, vision_config={**vision, "patch_size": 14}, mm_tokens_per_image=4)
    return Gemma3ForConditionalGeneration(config).eval()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_model_for_pictures_and_text_is_loaded_as_text(dtype, tmp_path, caplog):
    whole = pictures_and_text()
    loaded = load(save(tmp_path / "m", whole, FOLDED), tmp_path, dtype=dtype)
    assert "UNEXPECTED" not in caplog.text
    assert loaded.model.dtype is getattr(torch, dtype)
    assert not [name for name, _ in loaded.model.named_modules() if "vision" in name]
    engine = loaded.engine()
    joint, _ = reference_joint(whole, loaded.tokenizer, PromptFamily.GEMMA, QUESTIONS[0])
    found = engine.verdicts([engine.prepare(QUESTIONS[0])])[0].joint
    assert largest_difference(found, joint) < (1e-5 if dtype == "float32" else 0.05)


def test_the_text_part_of_a_model_must_be_whole(tmp_path):
    folder = save(tmp_path / "m", pictures_and_text(), FOLDED)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] -= 1
    config["text_config"]["layer_types"].pop()
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match=r"could not be loaded whole: \d+ weights in its files belong nowhere"):
        load(folder, tmp_path)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("mamba", r"architecture 'mamba', which carries a state from token to token \(layers of the kind 'linear_attention'\)"),
        ("rwkv", "architecture 'rwkv', which carries a state from token to token; only models with attention"),
        ("qwen3_next", r"architecture 'qwen3_next', which carries a state from token to token \(layers of the kind 'linear_attention'\)"),
        ("t5", "architecture 't5', an encoder with a decoder; only decoder-only models"),
        ("siglip", r"architecture 'siglip', which is not a causal language model .* text model 'siglip_text_model' cannot be loaded alone"),
        ("vit", "architecture 'vit', which is not a causal language model in transformers"),
    ],
)
def test_what_is_no_decoder_with_attention_is_refused_by_its_configuration(kind, says, tmp_path):
    AutoConfig.for_model(kind).save_pretrained(tmp_path / "m")
    (tmp_path / "m/model.safetensors").write_bytes(b"never read")
    with pytest.raises(ConfigError, match=says) as refused:
        find_model(str(tmp_path / "m"), cache_dir=tmp_path)
    assert refused.value.message.startswith("edge.model '")
    assert "\n" not in refused.value.message


def test_an_engine_of_a_model_with_a_state_is_refused():
    config = AutoConfig.for_model("mamba", vocab_size=len(TOKENIZER), hidden_size=16, num_hidden_layers=1, state_size=4)
    with pytest.raises(ConfigError, match="layers of the kind 'linear_attention' cannot be read in one pass"):
        engine_of(AutoModelForCausalLM.from_config(config))


UNFIT = {
    # Its attention looks both ways.
    "bert": {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 512},
    # Distances are counted in columns, not positions.
    "mpt": {"d_model": 48, "n_layers": 2, "n_heads": 4, "max_seq_len": 512},
    # It takes masks of two dimensions only.
    "bloom": {"hidden_size": 48, "n_layer": 2, "n_head": 4},
}


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("bert", "keeps no keys and values"),
        ("mpt", "is off by .* from plain decoding"),
        ("bloom", r"^the model 'x' cannot answer \(.*unpack"),
    ],
)
def test_a_family_that_one_pass_cannot_read_is_refused_by_the_proof(kind, says):
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **UNFIT[kind], vocab_size=len(TOKENIZER), initializer_range=0.3)
    model = AutoModelForCausalLM.from_config(config).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.Linear | torch.nn.Embedding):
            torch.nn.init.normal_(module.weight, std=0.3)
    with pytest.raises(ConfigError, match=says) as refused:
        LoadedModel(model, TOKENIZER, PromptFamily.LLAMA, "x", "").engine()
    assert "\n" not in refused.value.message


def test_prompts_stay_where_a_long_rope_does_not_change():
    """Beyond the original length all keys are rotated otherwise, those of the shared prefix and of other questions too."""
    factors = {"short_factor": [1.0] * 6, "long_factor": [4.0] * 6}
    rope = {"rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 512, **factors}
    model = family_model("phi3", len(TOKENIZER), rope_parameters=rope, original_max_position_embeddings=512)
    assert engine_of(model).max_prompt_tokens == 512 - max(RENDERER.trie.depths)
    assert engine_of(family_model("phi3", len(TOKENIZER)), max_prompt_tokens=9999).max_prompt_tokens == 4096 - max(RENDERER.trie.depths)

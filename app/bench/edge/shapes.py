"""Models with the shapes of published ones and random weights: for speed, which does not depend on what a model knows."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import transformers

from app.core.errors import ConfigError
from app.core.prompt import PromptFamily
from app.edge.devices import compute_dtype, one_sentence, resolve_device
from app.edge.loader import LoadedModel
from app.edge.weights import without_row

# The published configurations. Vocabularies too, since embeddings and output layers have their sizes.
SHAPES: Mapping[str, tuple[PromptFamily, Callable[[], Any]]] = {
    "qwen3-0.6b": (
        PromptFamily.QWEN,
        lambda: transformers.Qwen3Config(
            vocab_size=151_936,
            hidden_size=1024,
            intermediate_size=3072,
            num_hidden_layers=28,
            num_attention_heads=16,
            num_key_value_heads=8,
            head_dim=128,
            max_position_embeddings=40_960,
            tie_word_embeddings=True,
        ),
    ),
    "gemma-3-1b": (
        PromptFamily.GEMMA,
        lambda: transformers.Gemma3TextConfig(
            vocab_size=262_144,
            hidden_size=1152,
            intermediate_size=6912,
            num_hidden_layers=26,
            num_attention_heads=4,
            num_key_value_heads=1,
            head_dim=256,
            sliding_window=512,
            query_pre_attn_scalar=256,
            max_position_embeddings=32_768,
            tie_word_embeddings=True,
        ),
    ),
    "tiny": (
        PromptFamily.QWEN,
        lambda: transformers.Qwen3Config(
            vocab_size=65_536,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            max_position_embeddings=4096,
            tie_word_embeddings=True,
        ),
    ),
}


def random_model(shape: str, tokenizer: str, *, device: str, dtype: str) -> LoadedModel:
    """A model of a shape with random weights, made on its device.

    Args:
        shape: a key of `SHAPES`.
        tokenizer: folder or Hugging Face id of a tokenizer with a chat template; its vocabulary must fit into the shape's.
        device: value of `edge.device`.
        dtype: value of `edge.dtype`.

    Raises:
        ConfigError: there is no such shape, the tokenizer cannot be loaded or does not fit, or the device cannot be used.
    """
    if shape not in SHAPES:
        raise ConfigError(f"there is no shape {shape!r}; there are {', '.join(SHAPES)}")
    family, make = SHAPES[shape]
    with one_sentence(f"the tokenizer {tokenizer} could not be loaded", torch.device("cpu")):
        found = transformers.AutoTokenizer.from_pretrained(tokenizer)
    config = make()
    if without_row(found, config.vocab_size):
        raise ConfigError(f"the tokenizer {tokenizer} has {len(found)} tokens, and the shape {shape} has room for {config.vocab_size}")
    torch.manual_seed(0)
    where = resolve_device(device)
    with torch.device(where):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=compute_dtype(dtype, where))
    return LoadedModel(model.eval(), found, family, f"random weights, shape of {shape}", "")

"""Decoder-only families of transformers at a tiny shape, with random weights in float32; what is special in each is switched on."""

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

# Smaller than every prompt.
WINDOW = 24
SHAPE = {
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 4096,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": None,
}
_ALTERNATING = {"sliding_window": WINDOW, "layer_types": ["sliding_attention", "full_attention"] * 2}
_NO_HEAD_DIM = {key: value for key, value in SHAPE.items() if key != "head_dim"}

FAMILIES: dict[str, dict[str, Any]] = {
    "qwen2": {**SHAPE, "use_sliding_window": True, **_ALTERNATING},
    "qwen3": SHAPE,
    "gemma2": {**SHAPE, **_ALTERNATING, "attn_logit_softcapping": 5.0, "final_logit_softcapping": 3.0, "query_pre_attn_scalar": 7},
    "gemma3_text": {**SHAPE, **_ALTERNATING, "final_logit_softcapping": 3.0, "query_pre_attn_scalar": 16},
    "llama": SHAPE,
    "mistral": {**SHAPE, "sliding_window": WINDOW},
    "phi3": {**_NO_HEAD_DIM, "sliding_window": WINDOW},
    "olmo2": _NO_HEAD_DIM,
    "granite": {
        **_NO_HEAD_DIM,
        "logits_scaling": 4.0,
        "attention_multiplier": 0.1,
        "embedding_multiplier": 3.0,
        "residual_multiplier": 0.4,
    },
    "smollm3": {**_NO_HEAD_DIM, "no_rope_layers": [1, 0, 1, 0], "use_sliding_window": True, **_ALTERNATING},
    "cohere": {**_NO_HEAD_DIM, "logit_scale": 0.3},
    "gpt2": {
        "n_embd": 48,
        "n_layer": 4,
        "n_head": 4,
        "n_positions": 4096,
        "initializer_range": 0.3,
        "bos_token_id": None,
        "eos_token_id": None,
    },
}


def family_model(kind: str, vocab_size: int, *, seed: int = 0, **changes: Any) -> Any:
    """A model of a family, in evaluation mode."""
    torch.manual_seed(seed)
    config = AutoConfig.for_model(kind, **{**FAMILIES.get(kind, SHAPE), "vocab_size": vocab_size, **changes})
    return AutoModelForCausalLM.from_config(config).eval()

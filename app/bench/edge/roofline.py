"""How much of the device's arithmetic is used: operations of a question against the rate of a large matrix product in the same run."""

import time
from typing import Any

import torch

from app.bench.edge.probe import synchronise
from app.edge.rendering import Prompt

# Rows and columns of the square matrices: large enough that a GPU is busy, small enough that a CPU has soon done.
_ON_GPU, _ON_CPU = 8192, 1024
_PRODUCTS = 3


def matmul_rate(model: Any, *, size: int | None = None) -> float:
    """Operations a second of a square matrix product in the model's dtype on its device; the best of some, since others may disturb."""
    side = size or (_ON_GPU if model.device.type == "cuda" else _ON_CPU)
    left, right = (torch.randn(side, side, device=model.device).to(model.dtype) for _ in range(2))
    finish = synchronise(model)
    best = float("inf")
    for _ in range(_PRODUCTS + 1):
        finish()
        began = time.perf_counter()
        _ = left @ right
        finish()
        best = min(best, time.perf_counter() - began)
    return 2 * side**3 / best


def layer_parameters(model: Any) -> int:
    """Parameters without embeddings and output layer, which no token is multiplied with."""
    embeddings = {id(weight) for module in (model.get_input_embeddings(), model.get_output_embeddings()) for weight in module.parameters()}
    return sum(weight.numel() for weight in model.parameters() if id(weight) not in embeddings)


def operations(model: Any, prompt: Prompt, nodes: int) -> float:
    """Floating-point operations that one question needs: the trie's tokens count, those of the cached prefix do not.

    A token needs 2 for each parameter of the layers, and for each token that it sees 4 · heads · head size in each layer (the
    products with the keys and with the values). Windows are left out of account.
    """
    config = model.config.get_text_config(decoder=True)
    heads = config.num_attention_heads
    head_size = getattr(config, "head_dim", None) or config.hidden_size // heads
    computed, whole = prompt.computed, len(prompt.ids)
    seen = computed * prompt.cached + computed * (computed + 1) / 2 + nodes * whole
    layers: float = 2.0 * layer_parameters(model) * (computed + nodes)
    attention: float = 4.0 * config.num_hidden_layers * heads * head_size * seen
    return layers + attention

"""How much of the device's arithmetic is used: operations of a question against the rate of a large matrix product in the same run."""

import statistics
import time
from typing import Any

import torch

from app.bench.edge.probe import synchronise
from app.edge.rendering import Prompt

# Rows and columns of the square matrices: large enough that a GPU is busy, small enough that a CPU has soon done.
_ON_GPU, _ON_CPU = 8192, 1024
# Products of one measurement, and those before it that do not count: a GPU loads kernels and raises its clock meanwhile.
_COUNTED_ON_GPU, _FIRST_ON_GPU = 20, 10
_COUNTED_ON_CPU, _FIRST_ON_CPU = 4, 0


def matmul_rate(model: Any, *, size: int | None = None) -> float:
    """Operations a second of a square matrix product in the model's dtype on its device.

    On a GPU, which nothing else uses, it is the median of some; on a CPU the best one, since others may disturb.
    """
    gpu = model.device.type == "cuda"
    side = size or (_ON_GPU if gpu else _ON_CPU)
    first, counted = (_FIRST_ON_GPU, _COUNTED_ON_GPU) if gpu else (_FIRST_ON_CPU, _COUNTED_ON_CPU)
    left, right = (torch.randn(side, side, device=model.device).to(model.dtype) for _ in range(2))
    finish = synchronise(model)
    seconds = []
    for _ in range(first + counted):
        finish()
        began = time.perf_counter()
        _ = left @ right
        finish()
        seconds.append(time.perf_counter() - began)
    took = statistics.median(seconds[first:]) if gpu else min(seconds)
    return 2 * side**3 / took


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

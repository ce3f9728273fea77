"""Attention over a prompt and the trie behind it, in parts: no mask of all tokens against all tokens is made, and half of it not computed.

A prompt's tokens see those before them, block by block, so that what comes later is not even multiplied. The trie's tokens, which
are few, see the whole prompt and their own ancestors through a small mask. The sums are those of the whole mask.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, partial
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward

from app.core.errors import EdgeError

NAME = "foggate_split"
# Rows that are computed at a time (docs/experiments.md, "Making the one pass faster"). A GPU wants fewer and larger steps.
_CPU_BLOCK, _BLOCK = 128, 1024
# Masks that are kept: the blocks of a few lengths.
_KEPT = 32
# The masks of prompts that stand in one row.
_PACKED: ContextVar[Sequence[torch.Tensor] | None] = ContextVar("foggate_packed", default=None)


def can_split(model: Any) -> bool:
    """Whether the layers of a model take their attention from transformers' interface, without a cap on it or the like.

    Whether they then compute what they should is not known from that; it is proven (`app/edge/proof.py`).
    """
    config = model.config.get_text_config(decoder=True)
    return bool(getattr(type(model), "_supports_attention_backend", False)) and config._attn_implementation == "sdpa"  # noqa: SLF001


@contextmanager
def split_attention(model: Any, packed: Sequence[torch.Tensor] | None = None) -> Iterator[None]:
    """Inside this context a model's layers use `attend`. Its configuration is changed meanwhile, so one thread at a time may run it.

    Args:
        model: a transformers causal language model.
        packed: for prompts in one row, the mask of each prompt's trie, `[1, 1, nodes, keys]`; None where each has a row.
    """
    config = model.config.get_text_config(decoder=True)
    token = _PACKED.set(packed)
    before = config._attn_implementation  # noqa: SLF001
    config._attn_implementation = NAME  # noqa: SLF001
    try:
        yield
    finally:
        config._attn_implementation = before  # noqa: SLF001
        _PACKED.reset(token)


def attend(  # noqa: PLR0917  # the order of transformers
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """The attention of one layer, in the form that transformers calls.

    Args:
        module: the layer's attention module.
        query: `[batch, heads, queries, head_dim]`, those of a prompt and behind them those of a trie.
        key: `[batch, key heads, keys, head_dim]`; the last keys belong to the queries.
        value: values of the keys.
        attention_mask: additive. `[batch or 1, 1, nodes, keys]` for the last queries, those of the trie: then each other query sees its own
            key and all before it. Or one row for each query, which then holds for all of them. Prompts that are packed have masks of
            their own, and this one is not looked at.
        dropout: share of the weights that is dropped.
        scaling: factor of the products.
        kwargs: what else transformers gives; as in its own function, most of it has no effect.

    Raises:
        EdgeError: there is no mask, because the model made no use of it, or there is a bias or a cap, which is not computed here.

    Returns:
        `[batch, queries, heads, head_dim]`, and None.
    """
    if attention_mask is None:
        raise EdgeError(f"{type(module).__name__} drops the mask that it is given")
    if kwargs.get("softcap") is not None or kwargs.get("position_bias") is not None:
        raise EdgeError(f"{type(module).__name__} caps its attention or adds a bias to it")
    packed = _PACKED.get()
    if packed is not None:
        return _each(packed, module, query, key, value, dropout=dropout, scaling=scaling), None
    return _parts(module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs), None


def _each(
    packed: Sequence[torch.Tensor], module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **options: Any
) -> torch.Tensor:
    """The attention of prompts in one row, each with the shared keys and its own: `[1, queries, heads, head_dim]`."""
    skip = key.shape[2] - query.shape[2]
    found, start = [], 0
    for mask in packed:
        end = start + mask.shape[3] - skip
        own_key, own_value = (torch.cat([one[:, :, :skip], one[:, :, skip + start : skip + end]], dim=2) for one in (key, value))
        found.append(_parts(module, query[:, :, start:end], own_key, own_value, mask, **options))
        start = end
    return torch.cat(found, dim=1)


def _parts(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    *,
    dropout: float,
    scaling: float | None,
    **kwargs: Any,
) -> torch.Tensor:
    """The attention of `attend`, `[batch, queries, heads, head_dim]`."""
    queries, nodes, keys = query.shape[2], attention_mask.shape[2], key.shape[2]
    if nodes == queries:
        whole: torch.Tensor = sdpa_attention_forward(module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs)[
            0
        ]
        return whole
    on_cpu = query.device.type == "cpu"
    # On a GPU keys that are shared by heads keep the fast kernels from taking a mask.
    if not on_cpu and query.shape[1] > key.shape[1]:
        groups = query.shape[1] // key.shape[1]
        key, value = repeat_kv(key, groups), repeat_kv(value, groups)
    rows = queries - nodes
    before = keys - queries
    step = _CPU_BLOCK if on_cpu else _BLOCK
    part = partial(
        torch.nn.functional.scaled_dot_product_attention,
        dropout_p=dropout,
        scale=scaling,
        enable_gqa=query.shape[1] > key.shape[1],
    )
    parts = []
    for start in range(0, rows, step):
        end = min(start + step, rows)
        mask = _causal(end - start, before + end, query.dtype, query.device)
        parts.append(part(query[:, :, start:end], key[:, :, : before + end], value[:, :, : before + end], attn_mask=mask))
    parts.append(part(query[:, :, rows:], key, value, attn_mask=attention_mask))
    return torch.cat(parts, dim=2).transpose(1, 2).contiguous()


@lru_cache(maxsize=_KEPT)
def _causal(rows: int, keys: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """The additive mask `[rows, keys]` of the last rows of a causal square: 0 where a key is seen."""
    hidden = torch.ones(rows, keys, dtype=torch.bool, device=device).triu(keys - rows + 1)
    return torch.zeros(rows, keys, dtype=dtype, device=device).masked_fill_(hidden, torch.finfo(dtype).min)


AttentionInterface.register(NAME, attend)

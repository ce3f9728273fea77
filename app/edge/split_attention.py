"""Attention over a prompt and the trie behind it, in parts: no mask of all tokens against all tokens is made, and half of it not computed.

A prompt's tokens see those before them, block by block, so that what comes later is not even multiplied. The trie's tokens, which
are few, see the whole prompt and their own ancestors through a small mask. The sums are those of the whole mask.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, partial
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward

from app.core.errors import EdgeError

# Keys and values `[1, heads, tokens, head_dim]` of each layer.
KeysValues = Sequence[tuple[torch.Tensor, torch.Tensor]]

NAME = "foggate_split"
# Attribute of an attention module that holds the keys and values of a prefix for one call. Under another name than those of transformers.
_PREFIX = "foggate_prefix"
# Rows that are computed at a time (docs/experiments.md, "Making the one pass faster"). A GPU wants fewer and larger steps.
_CPU_BLOCK, _BLOCK = 128, 1024
# Masks that are kept: the blocks of a few lengths.
_KEPT = 32
# How the causal part is computed on a GPU: by a kernel that knows the square, or with a mask.
FAST, MASKED = "fast", "masked"
_WAY: ContextVar[str] = ContextVar("foggate_attention_way", default=FAST)
# The masks of prompts that stand in one row.
_PACKED: ContextVar[Sequence[torch.Tensor] | None] = ContextVar("foggate_packed", default=None)


def can_split(model: Any) -> bool:
    """Whether the layers of a model take their attention from transformers' interface, without a cap on it or the like.

    Whether they then compute what they should is not known from that; it is proven (`app/edge/proof.py`).
    """
    config = model.config.get_text_config(decoder=True)
    return bool(getattr(type(model), "_supports_attention_backend", False)) and config._attn_implementation == "sdpa"  # noqa: SLF001


@contextmanager
def split_attention(model: Any, packed: Sequence[torch.Tensor] | None = None, *, prefix: KeysValues | None = None) -> Iterator[None]:
    """Inside this context a model's layers use `attend`. Its configuration is changed meanwhile, for all threads: several may be inside at
    once, without a prefix, and none may run the model outside then.

    Args:
        model: a transformers causal language model.
        packed: for prompts in one row, the mask of each prompt's trie, `[1, 1, nodes, keys]`; None where each has a row.
        prefix: keys and values that every row sees before its own, where no cache brings them: a cache would be filled anew in each call,
            and its layers are told apart by a number, for each of which a compiler makes code of its own.
    """
    config = model.config.get_text_config(decoder=True)
    modules = [module for module in model.modules() if isinstance(getattr(module, "layer_idx", None), int)] if prefix is not None else []
    for module in modules:
        setattr(module, _PREFIX, prefix[module.layer_idx] if prefix is not None else None)
    token = _PACKED.set(packed)
    _INSIDE.enter(config)
    try:
        yield
    finally:
        for module in modules:
            delattr(module, _PREFIX)
        _INSIDE.leave(config)
        _PACKED.reset(token)


class _Inside:
    """Configurations that name `attend`, and in how many contexts each does: only the last one that ends may name what was before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[int, tuple[int, str]] = {}

    def enter(self, config: Any) -> None:
        with self._lock:
            contexts, before = self._held.get(id(config), (0, config._attn_implementation))  # noqa: SLF001
            self._held[id(config)] = contexts + 1, before
            config._attn_implementation = NAME  # noqa: SLF001

    def leave(self, config: Any) -> None:
        with self._lock:
            contexts, before = self._held.pop(id(config))
            if contexts > 1:
                self._held[id(config)] = contexts - 1, before
            else:
                config._attn_implementation = before  # noqa: SLF001


_INSIDE = _Inside()


@contextmanager
def attention_way(way: str) -> Iterator[None]:
    """Inside this context the causal part is computed in this way, `FAST` or `MASKED`, where a GPU computes: for comparisons."""
    token = _WAY.set(way)
    try:
        yield
    finally:
        _WAY.reset(token)


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
    prefix = getattr(module, _PREFIX, None)
    if prefix is not None:
        key, value = (torch.cat([kept.expand(len(own), -1, -1, -1), own], dim=2) for kept, own in zip(prefix, (key, value), strict=True))
    if torch.compiler.is_compiling():
        # The attention is one step for the compiler, which can make nothing better of it. What is put together before and after it is not:
        # the compiler makes that part of the kernels beside it.
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        return torch.cat(torch.ops.foggate.attention(query, key, value, attention_mask, scale), dim=1), None
    packed = _PACKED.get()
    if packed is not None:
        return _each(packed, query, key, value, dropout=dropout, scaling=scaling), None
    if attention_mask.shape[2] == query.shape[2]:
        whole: torch.Tensor = sdpa_attention_forward(module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs)[
            0
        ]
        return whole, None
    # One copy, which leaves each token's heads beside each other.
    return torch.cat(_parts(query, key, value, attention_mask, dropout=dropout, scaling=scaling), dim=1), None


def define_for_compiler() -> None:
    """Tell torch of the attention as a single operation, which compiled layers use."""
    if hasattr(torch.ops.foggate, "attention"):
        return

    @torch.library.custom_op("foggate::attention", mutates_args=())
    def attention(
        query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scale: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        *prompt, trie = _parts(query, key, value, mask, dropout=0.0, scaling=scale)
        return (prompt[0] if len(prompt) == 1 else torch.cat(prompt, dim=1)).contiguous(), trie.contiguous()

    @attention.register_fake
    def _(
        query: torch.Tensor, _key: torch.Tensor, _value: torch.Tensor, mask: torch.Tensor, _scale: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        batch, heads, queries, size = query.shape
        nodes = mask.shape[2]
        return query.new_empty(batch, queries - nodes, heads, size), query.new_empty(batch, nodes, heads, size)


def _each(packed: Sequence[torch.Tensor], query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **options: Any) -> torch.Tensor:
    """The attention of prompts in one row, each with the shared keys and its own: `[1, queries, heads, head_dim]`."""
    skip = key.shape[2] - query.shape[2]
    found: list[torch.Tensor] = []
    start = 0
    for mask in packed:
        end = start + mask.shape[3] - skip
        own_key, own_value = (torch.cat([one[:, :, :skip], one[:, :, skip + start : skip + end]], dim=2) for one in (key, value))
        found += _parts(query[:, :, start:end], own_key, own_value, mask, **options)
        start = end
    return torch.cat(found, dim=1)


def _parts(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, *, dropout: float, scaling: float | None
) -> list[torch.Tensor]:
    """The attention of `attend` in parts `[batch, queries, heads, head_dim]`: the last one is that of the trie."""
    rows, before = query.shape[2] - mask.shape[2], key.shape[2] - query.shape[2]
    options = {"dropout_p": dropout, "scale": scaling}
    parts = _causal_parts if query.device.type == "cpu" or _WAY.get() == MASKED else _fast_parts
    return [part.transpose(1, 2) for part in parts(query, key, value, mask, rows, before, options)]


def _causal_parts(  # noqa: PLR0917  # what an attention computes
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, rows: int, before: int, options: dict[str, Any]
) -> list[torch.Tensor]:
    """The attention of a prompt's tokens in blocks, each with a mask, and that of the trie: tensors `[batch, heads, queries, head_dim]`."""
    on_cpu = query.device.type == "cpu"
    # On a GPU keys that are shared by heads keep the fast kernels from taking a mask.
    if not on_cpu and query.shape[1] > key.shape[1]:
        groups = query.shape[1] // key.shape[1]
        key, value = repeat_kv(key, groups), repeat_kv(value, groups)
    # A recording must hold its masks itself: those of the cache are forgotten some day, while it still reads their memory.
    masks = _causal.__wrapped__ if not on_cpu and torch.cuda.is_current_stream_capturing() else _causal
    step = _CPU_BLOCK if on_cpu else _BLOCK
    part: Any = partial(scaled_dot_product_attention, **options, enable_gqa=query.shape[1] > key.shape[1])
    parts = []
    for start in range(0, rows, step):
        end = min(start + step, rows)
        causal = masks(end - start, before + end, query.dtype, query.device)
        parts.append(part(query[:, :, start:end], key[:, :, : before + end], value[:, :, : before + end], attn_mask=causal))
    return [*parts, part(query[:, :, rows:], key, value, attn_mask=mask)]


def _fast_parts(  # noqa: PLR0917  # as above
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, rows: int, before: int, options: dict[str, Any]
) -> list[torch.Tensor]:
    """The same with a kernel that knows the causal square by itself, and no key copied for each head that shares it."""
    # Imported here: it brings torch's compiler along, which takes seconds, and a CPU never needs it.
    from torch.nn.attention.bias import causal_lower_right

    groups, end = query.shape[1] // key.shape[1], before + rows
    attention: Any = partial(scaled_dot_product_attention, **options)
    # Where there is no such kernel, torch makes the mask.
    causal: Any = causal_lower_right(rows, end)
    prompt = attention(query[:, :, :rows], key[:, :, :end], value[:, :, :end], attn_mask=causal, enable_gqa=groups > 1)
    # The heads that share keys stand behind each other, as if they were further tokens of one head.
    behind = query[:, :, rows:]
    batch, heads, nodes, size = behind.shape
    folded = behind.reshape(batch, heads // groups, groups * nodes, size)
    trie = attention(folded, key, value, attn_mask=mask.repeat(1, 1, groups, 1) if groups > 1 else mask)
    return [prompt, trie.reshape(batch, heads, nodes, size)]


@lru_cache(maxsize=_KEPT)
def _causal(rows: int, keys: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """The additive mask `[rows, keys]` of the last rows of a causal square: 0 where a key is seen."""
    hidden = torch.ones(rows, keys, dtype=torch.bool, device=device).triu(keys - rows + 1)
    return torch.zeros(rows, keys, dtype=dtype, device=device).masked_fill_(hidden, torch.finfo(dtype).min)


AttentionInterface.register(NAME, attend)

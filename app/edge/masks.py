"""Additive attention masks for one pass over prompt and trie, in the form that a model's layers take.

Which token may see which follows from the prompt and the trie; this file adds what the layers restrict further: a sliding window or
chunks, both counted by position, because tokens of the trie stand in other columns than their positions say.
"""

from collections.abc import Callable
from typing import Any

import torch

from app.core.errors import ConfigError

FULL, SLIDING, CHUNKED = "full_attention", "sliding_attention", "chunked_attention"
# Layers that see other tokens through a mask only. All others carry a state from token to token, which no mask can branch.
ATTENTION = frozenset({FULL, SLIDING, CHUNKED})


def layer_kinds(config: Any) -> frozenset[str] | None:
    """Kinds of layers that a configuration names, in the words of transformers; None where it names none, so that all are alike."""
    kinds = getattr(config, "layer_types", None)
    return frozenset(kinds) if kinds else None


def additive(allowed: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A mask of the same shape: 0 where a key is seen, and what makes its weight 0 where it is not."""
    return torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill_(~allowed, torch.finfo(dtype).min)


class Masks:
    """Makes the masks of one model.

    The rule is that of `transformers.masking_utils.create_masks_for_generate`: one mask for each kind of layer where the configuration
    names the kinds, otherwise one mask for all layers.

    Args:
        config: configuration of the text model.
        dtype: dtype that the model computes in.

    Attributes:
        dtype: the same.

    Raises:
        ConfigError: it has layers that read other tokens without a mask.
    """

    def __init__(self, config: Any, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._window: int | None = getattr(config, "sliding_window", None)
        self._chunk: int | None = getattr(config, "attention_chunk_size", None)
        named = layer_kinds(config)
        if named is not None and not named <= ATTENTION:
            raise ConfigError(f"its layers of the kind '{min(named - ATTENTION)}' cannot be read in one pass")
        # Where all layers see everything, each model takes a single mask.
        self._kinds = sorted(named) if named is not None and len(named | {FULL}) > 1 else None
        alike = SLIDING if self._window is not None else CHUNKED if self._chunk is not None else FULL
        self._alike = alike if named is None else FULL

    def __call__(self, allowed: torch.Tensor, queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor | dict[str, torch.Tensor]:
        """The mask, or one for each kind of layer: `[batch, 1, queries, keys]`, 0 where a token is seen.

        Args:
            allowed: which key each query may see as far as prompt and trie go, `[batch, queries, keys]`.
            queries: positions of the queries, `[batch, queries]`.
            keys: positions of the keys, `[batch, keys]`.
        """
        if self._kinds is None:
            return self._mask(self._alike, allowed, queries, keys)
        return {kind: self._mask(kind, allowed, queries, keys) for kind in self._kinds}

    def split(
        self, answer: torch.Tensor, whole: Callable[[], tuple[torch.Tensor, torch.Tensor, torch.Tensor]], last: int
    ) -> torch.Tensor | dict[str, torch.Tensor]:
        """The mask, or one for each kind of layer, for attention in parts (`app/edge/split_attention.py`).

        Args:
            answer: additive mask of the trie's tokens, `[batch or 1, 1, nodes, keys]`.
            whole: gives the arguments of `__call__`, for layers whose window or chunk is shorter than the prompts.
            last: the last position of a query.
        """
        if self._kinds is None:
            return answer if self._reaches(self._alike, last) else self._mask(self._alike, *whole())
        return {kind: answer if self._reaches(kind, last) else self._mask(kind, *whole()) for kind in self._kinds}

    def of_each_kind(self, mask: torch.Tensor) -> torch.Tensor | dict[str, torch.Tensor]:
        """The same mask for all layers, in the form of `__call__`."""
        return mask if self._kinds is None else dict.fromkeys(self._kinds, mask)

    def see_everything(self, last: int) -> bool:
        """Whether every layer sees everything, from a position back to the first one."""
        return all(self._reaches(kind, last) for kind in self._kinds or [self._alike])

    def _reaches(self, kind: str, last: int) -> bool:
        """Whether layers of this kind see everything, from a position back to the first one."""
        limit = {SLIDING: self._window, CHUNKED: self._chunk}.get(kind)
        return limit is None or last < limit

    def _mask(self, kind: str, allowed: torch.Tensor, queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        if kind == SLIDING and self._window is not None:
            allowed = allowed & (queries[:, :, None] - keys[:, None, :] < self._window)
        if kind == CHUNKED and self._chunk is not None:
            allowed = allowed & (queries[:, :, None] // self._chunk == keys[:, None, :] // self._chunk)
        return additive(allowed, self.dtype)[:, None]

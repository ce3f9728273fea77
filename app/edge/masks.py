"""Additive attention masks for one pass over prompt and trie, in the form that a model's layers take.

Which token may see which follows from the prompt and the trie; this file adds what the layers restrict further: a sliding window or
chunks, both counted by position, because tokens of the trie stand in other columns than their positions say.
"""

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


class Masks:
    """Makes the masks of one model.

    The rule is that of `transformers.masking_utils.create_masks_for_generate`: one mask for each kind of layer where the configuration
    names the kinds, otherwise one mask for all layers.

    Args:
        config: configuration of the text model.
        dtype: dtype that the model computes in.
        device: device that it computes on.

    Raises:
        ConfigError: it has layers that read other tokens without a mask.
    """

    def __init__(self, config: Any, dtype: torch.dtype, device: torch.device) -> None:
        self._dtype, self._device = dtype, device
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

    def _mask(self, kind: str, allowed: torch.Tensor, queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        if kind == SLIDING and self._window is not None:
            allowed = allowed & (queries[:, :, None] - keys[:, None, :] < self._window)
        if kind == CHUNKED and self._chunk is not None:
            allowed = allowed & (queries[:, :, None] // self._chunk == keys[:, None, :] // self._chunk)
        mask = torch.zeros(allowed.shape, dtype=self._dtype, device=self._device)
        return mask.masked_fill_(~allowed, torch.finfo(self._dtype).min)[:, None]

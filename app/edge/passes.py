"""Prompts → forward passes of exactly their size, and the logits of those. Owns what is kept between passes: the prefix and last prompts."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache

from app.edge.columns import Columns
from app.edge.kept_prompts import KeptPrompts
from app.edge.layout import Layout
from app.edge.masks import Masks
from app.edge.packed import PackedColumns
from app.edge.pass_threads import PassThreads, divided
from app.edge.rendering import Prompt
from app.edge.split_attention import KeysValues

# Which prompts a pass has read, and for each of them the float32 logits `[places, children]`, on the host.
Read = tuple[list[int], NDArray[np.float32]]


class Passes:
    """Forward passes over one model.

    Args:
        masks: makes the masks of its layers.
        prefix_ids: token ids of the prefix that prompts share.
        device: device that computes.
        splits: whether attention is computed in parts.
        packs: whether prompts that share a pass stand in one row.
        keep: number of prompts whose keys and values are kept.

    Attributes:
        threads: what computes the parts of a pass side by side, where prompts share a pass in one row; None: the calling thread.
        prefix: keys and values of the shared prefix; None where prompts are computed whole.
        prefix_tokens: how many tokens of a prompt that shares the prefix are not computed.
    """

    def __init__(self, masks: Masks, prefix_ids: Sequence[int], device: torch.device, *, splits: bool, packs: bool, keep: int) -> None:
        self.threads: PassThreads | None = None
        self.prefix: KeysValues | None = None
        self._masks, self._prefix_ids, self._device = masks, prefix_ids, device
        self._splits, self._packs = splits, packs
        self._kept = KeptPrompts(keep) if keep else None

    @property
    def prefix_tokens(self) -> int:
        return len(self._prefix_ids) if self.prefix is not None else 0

    def read(self, layout: Layout, prompts: Sequence[Prompt]) -> Iterator[Read]:
        """The logits of each prompt at every place of a layout. Prompts of which a beginning is kept are computed one by one."""
        rest = []
        for i, prompt in enumerate(prompts):
            known = self.prefix_tokens if prompt.shares_prefix else 0
            beginning = None if self._kept is None else self._kept.beginning(prompt.ids, known)
            if beginning is None:
                rest.append(i)
            else:
                yield [i], self._logits(layout, [prompt], *beginning)
        for places in self._together(layout, prompts, rest):
            yield from self._side_by_side(layout, prompts, places)

    def _side_by_side(self, layout: Layout, prompts: Sequence[Prompt], places: list[int]) -> Iterator[Read]:
        """The logits of some prompts, a part of them in each thread, where there are threads."""

        def read(part: list[int]) -> NDArray[np.float32]:
            batch = [prompts[i] for i in part]
            prefix = self.prefix if all(prompt.shares_prefix for prompt in batch) else None
            return self._logits(layout, batch, self.prefix_tokens if prefix is not None else 0, prefix)

        if self.threads is None or len(places) == 1:
            yield places, read(places)
            return
        parts = [[places[i] for i in part] for part in divided([prompts[i].columns for i in places], self.threads.count)]
        yield from zip(parts, self.threads.run(read, parts), strict=True)

    def _logits(self, layout: Layout, prompts: Sequence[Prompt], skip: int, shared: KeysValues | None) -> NDArray[np.float32]:
        logits = layout.gathered(self.forward(layout, prompts, skip, shared, split=self._splits))
        # In one transfer: each is a synchronisation on a GPU.
        read: NDArray[np.float32] = logits.cpu().numpy()
        return read

    def _together(self, layout: Layout, prompts: Sequence[Prompt], places: list[int]) -> list[list[int]]:
        """Which of some prompts share a forward pass: all, but where rows are packed no prompt that a layer cannot see whole."""
        if not self._packs:
            return [places] if places else []
        together = [i for i in places if is_seen(self._masks, layout, prompts[i])]
        return [*([together] if together else []), *([i] for i in places if i not in together)]

    def forward(self, layout: Layout, prompts: Sequence[Prompt], skip: int, shared: KeysValues | None, *, split: bool) -> torch.Tensor:
        """Logits `[batch, places, tokens]` at the places of a layout, from one forward pass.

        Args:
            layout: the trie that is read.
            prompts: what is read.
            skip: number of tokens at the beginning of every prompt that are not computed.
            shared: their keys and values; None where there are none.
            split: whether attention is computed in parts.
        """
        columns: Columns | PackedColumns
        packed: list[torch.Tensor] | None = None
        if split and self._packs and len(prompts) > 1:
            columns = PackedColumns(layout, prompts, skip, self._device)
            packed = columns.packed(self._masks.dtype)
        else:
            columns = Columns(layout, prompts, skip, self._device)
        cache = DynamicCache() if self._kept is not None else None
        if shared is not None:
            # Views of the shared tensors; the cache concatenates into new ones, so the originals are never written.
            rows = len(columns.input_ids)
            cache = DynamicCache([(k.expand(rows, -1, -1, -1), v.expand(rows, -1, -1, -1)) for k, v in shared])
        logits = layout.model(
            columns.read_at(),
            split=split,
            packed=packed,
            input_ids=columns.input_ids,
            attention_mask=columns.masks(self._masks, split=split),
            position_ids=columns.positions,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        if self._kept is not None and cache is not None:
            for i, prompt in enumerate(prompts):
                self._kept.add(prompt.ids, [(columns.of(i, layer.keys), columns.of(i, layer.values)) for layer in cache.layers])
        return columns.at_places(logits)

    def prefill(self, layout: Layout) -> KeysValues:
        """Keys and values of the shared prefix, which must not be empty, in a plain cache, which crops nothing."""
        count = len(self._prefix_ids)
        positions = torch.arange(count, device=self._device)[None]
        causal = torch.ones(1, count, count, dtype=torch.bool, device=self._device).tril()
        cache: Any = DynamicCache()
        layout.model(
            [count - 1],
            input_ids=torch.tensor([list(self._prefix_ids)], device=self._device),
            attention_mask=self._masks(causal, positions, positions),
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        )
        return [(layer.keys, layer.values) for layer in cache.layers]


def is_seen(masks: Masks, layout: Layout, prompt: Prompt) -> bool:
    """Whether every layer sees a prompt whole from all tokens of the trie behind it: no window or chunk is shorter."""
    return masks.see_everything(len(prompt.ids) - 1 + max(layout.trie.depths))

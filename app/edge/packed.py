"""Several prompts in one row of a forward pass, each with the trie behind it: no column is padding, so any lengths may share a pass.

Each prompt stands at its own positions behind the shared prefix and attends to that and to itself only (`app/edge/split_attention.py`), so
the sums are those of a pass of its own.
"""

from collections.abc import Sequence
from itertools import accumulate

import torch

from app.edge.layout import Layout
from app.edge.masks import Masks, additive
from app.edge.rendering import Prompt


class PackedColumns:
    """The columns of several prompts, one behind the other. See `app.edge.columns.Columns`, whose names these are.

    Args:
        layout: the trie behind each prompt.
        prompts: at least one.
        skip: number of tokens at the beginning of every prompt that are not computed.
        device: device that computes.

    Attributes:
        input_ids: `[1, columns]`.
        positions: positions of the same tokens, `[1, columns]`.
    """

    def __init__(self, layout: Layout, prompts: Sequence[Prompt], skip: int, device: torch.device) -> None:
        self._layout, self._skip, self._device = layout, skip, device
        self.lengths = [len(prompt.ids) - skip for prompt in prompts]
        ids = [part for prompt in prompts for part in (torch.tensor(prompt.ids[skip:], device=device), layout.nodes)]
        self.input_ids = torch.cat(ids)[None]
        places = [
            part
            for length in self.lengths
            for part in (torch.arange(skip, skip + length, device=device), skip - 1 + length + layout.depths)
        ]
        self.positions = torch.cat(places)[None]
        self._starts = [*accumulate((length + len(layout.nodes) for length in self.lengths[:-1]), initial=0)]

    def masks(self, masks: Masks, *, split: bool) -> torch.Tensor | dict[str, torch.Tensor]:  # noqa: ARG002  # as that of other columns
        """A mask for the model to hand on. Each prompt has its own, of `packed`."""
        return masks.of_each_kind(torch.zeros(1, 1, 1, self._skip + self.input_ids.shape[1], dtype=masks.dtype, device=self._device))

    def packed(self, dtype: torch.dtype) -> list[torch.Tensor]:
        """For each prompt the additive mask of its trie's tokens, `[1, 1, nodes, keys]`; its keys are the prefix, the prompt and the trie."""
        ancestors = self._layout.ancestors
        before = (torch.ones(len(ancestors), self._skip + length, dtype=torch.bool, device=self._device) for length in self.lengths)
        return [additive(torch.cat([one, ancestors], dim=1)[None], dtype)[:, None] for one in before]

    def read_at(self) -> list[int]:
        """Columns whose logits are computed: the places of one prompt after those of another."""
        # The trie's root is the prompt's last token, one column before the first node.
        return [start + length + node for start, length in zip(self._starts, self.lengths, strict=True) for node in self._layout.read_at]

    def at_places(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits `[prompts, places, tokens]`, of those at the columns of `read_at`."""
        return logits.view(len(self.lengths), len(self._layout.read_at), -1)

    def of(self, number: int, tensor: torch.Tensor) -> torch.Tensor:
        """Of keys or values `[1, heads, columns, head_dim]` those of one prompt, prefix included; a copy."""
        start = self._skip + self._starts[number]
        return torch.cat([tensor[:, :, : self._skip], tensor[:, :, start : start + self.lengths[number]]], dim=2)

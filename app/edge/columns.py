"""The columns of one forward pass: prompts, padding and trie as tensors. Which token stands where, and which may see which.

The columns are: shared prefix (not computed), the rest of each prompt, padding, trie. The padding stands behind the prompts, so that no
token of a prompt can see it; a trie is kept from seeing it by its mask, and stands at the positions behind its own prompt.
"""

from collections.abc import Sequence

import torch

from app.edge.layout import Layout
from app.edge.masks import Masks, additive
from app.edge.rendering import Prompt
from app.edge.trie import ROOT


class Columns:
    """The columns of a batch.

    Args:
        layout: the trie behind each prompt.
        prompts: at least one.
        skip: number of tokens at the beginning of every prompt that are not computed.
        device: device that computes.

    Attributes:
        input_ids: `[batch, width + nodes]`.
        positions: positions of the same tokens, `[batch, width + nodes]`.
        last: the last of all positions.
    """

    def __init__(self, layout: Layout, prompts: Sequence[Prompt], skip: int, device: torch.device) -> None:
        self._layout, self._skip, self._device = layout, skip, device
        self.lengths = [len(prompt.ids) - skip for prompt in prompts]
        self._width = width = max(self.lengths)
        self._even = min(self.lengths) == width
        batch = len(prompts)
        padded = torch.tensor([[*prompt.ids[skip:], *[0] * (width - len(prompt.ids) + skip)] for prompt in prompts], device=device)
        self.input_ids = torch.cat([padded, layout.nodes.expand(batch, -1)], dim=1)
        self._ends = torch.tensor(self.lengths, device=device)[:, None]
        ahead = torch.arange(skip, skip + width, device=device).expand(batch, -1)
        self.positions = torch.cat([ahead, skip - 1 + self._ends + layout.depths], dim=1)
        self.last = skip + width - 1 + max(layout.trie.depths)

    def masks(self, masks: Masks, *, split: bool) -> torch.Tensor | dict[str, torch.Tensor]:
        """What the model takes as masks, with attention in parts or without."""
        return masks.split(self.answer_mask(masks.dtype), self.whole, self.last) if split else masks(*self.whole())

    def of(self, number: int, tensor: torch.Tensor) -> torch.Tensor:
        """Of keys or values `[batch, heads, columns, head_dim]` those of one prompt; a copy, so that the rest of the batch is not held."""
        return tensor[number : number + 1, :, : self._skip + self.lengths[number]].clone()

    def answer_mask(self, dtype: torch.dtype) -> torch.Tensor:
        """The additive mask of the trie's tokens, `[batch, 1, nodes, keys]`; `[1, 1, nodes, keys]` where there is no padding."""
        ends = self._ends[:1] if self._even else self._ends
        return additive(self._seen_by_trie(ends), dtype)[:, None]

    def whole(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Which key each query may see, `[batch, queries, keys]`, the positions of the queries and those of the keys."""
        batch, width, nodes = len(self.lengths), self._width, len(self._layout.trie)
        allowed = torch.zeros(batch, width + nodes, self._skip + width + nodes, dtype=torch.bool, device=self._device)
        allowed[:, :width] = torch.ones(width, self._skip + width + nodes, dtype=torch.bool, device=self._device).tril(self._skip)
        allowed[:, width:] = self._seen_by_trie(self._ends)
        before = torch.arange(self._skip, device=self._device).expand(batch, -1)
        return allowed, self.positions, torch.cat([before, self.positions], dim=1)

    def _seen_by_trie(self, ends: torch.Tensor) -> torch.Tensor:
        nodes = len(self._layout.trie)
        seen = torch.ones(len(ends), nodes, self._skip + self._width + nodes, dtype=torch.bool, device=self._device)
        if not self._even:
            seen[:, :, self._skip : self._skip + self._width] = (torch.arange(self._width, device=self._device) < ends)[:, None]
        seen[:, :, self._skip + self._width :] = self._layout.ancestors
        return seen

    def read_at(self) -> list[int]:
        """Columns whose logits are computed: those of the places that are read; where an end of the prompt is read, of all ends too."""
        nodes = [self._width + node for node in self._layout.read_at if node != ROOT]
        return nodes if len(nodes) == len(self._layout.read_at) else [*nodes, *sorted({end - 1 for end in self.lengths})]

    def at_places(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits `[batch, places, tokens]`, of those at the columns of `read_at`."""
        read_at = self._layout.read_at
        if ROOT not in read_at:
            return logits
        index = {column: at for at, column in enumerate(self.read_at())}
        rows = [[index[end - 1 if node == ROOT else self._width + node] for node in read_at] for end in self.lengths]
        return logits[torch.arange(len(rows), device=self._device)[:, None], torch.tensor(rows, device=self._device)]

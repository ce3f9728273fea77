"""The columns of a pass of a fixed shape: everything that differs between two passes of that shape is read from one tensor.

The columns are those of `app/edge/columns.py`. A row of the tensor holds the ids of a prompt, zeros behind them, and in the last column how
many tokens the prompt has. A row without a prompt holds one token, and its numbers are never read.
"""

from collections.abc import Sequence

import torch

from app.edge.buckets import Bucket
from app.edge.layout import Layout
from app.edge.masks import additive
from app.edge.rendering import Prompt
from app.edge.trie import ROOT


def filled(bucket: Bucket, prompts: Sequence[Prompt], skip: int, *, pinned: bool) -> torch.Tensor:
    """The tensor `[rows, width + 1]` of some prompts, on the host.

    Args:
        bucket: shape of the pass.
        prompts: at most as many as it has rows.
        skip: number of tokens at the beginning of every prompt that are not computed.
        pinned: whether it is to be in memory from which a GPU copies while the host goes on.
    """
    table = torch.zeros(bucket.rows, bucket.width + 1, dtype=torch.int64, pin_memory=pinned)
    rows = table.numpy()
    rows[:, -1] = 1
    for row, prompt in zip(rows, prompts, strict=False):
        length = len(prompt.ids) - skip
        row[:length] = prompt.ids[skip:]
        row[-1] = length
    return table


class Slots:
    """What the model is given for passes of one shape. It makes no tensor whose shape or numbers depend on Python values of a pass.

    Args:
        layout: the trie behind each prompt.
        width: tokens of each prompt that are computed, padding included.
        skip: number of tokens at the beginning of every prompt that are not computed.
        dtype: dtype of the mask.
    """

    def __init__(self, layout: Layout, width: int, skip: int, dtype: torch.dtype) -> None:
        device = layout.nodes.device
        self._layout, self._width, self._skip, self._dtype = layout, width, skip, dtype
        self._columns = torch.arange(width, device=device)
        # The end of a prompt is its last token, which stands before the padding.
        self._nodes = torch.tensor([0 if node == ROOT else width + node for node in layout.read_at], device=device)
        self._at_end = torch.tensor([node == ROOT for node in layout.read_at], device=device)
        self._prefix = torch.ones(1, skip, dtype=torch.bool, device=device)

    def inputs(self, table: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Ids `[rows, columns]`, their positions, the additive mask of the trie's tokens `[rows, 1, nodes, keys]`, and the columns that are
        read, `[rows, places]`.

        Args:
            table: as `filled` makes it, on the device.
        """
        layout, rows = self._layout, len(table)
        ids, ends = table[:, : self._width], table[:, self._width :]
        input_ids = torch.cat([ids, layout.nodes.expand(rows, -1)], dim=1)
        last = ends + (self._skip - 1)
        # Padding stands at the position of the last token: a model may have no position beyond its longest prompt.
        positions = torch.cat([torch.minimum(self._columns + self._skip, last), last + layout.depths], dim=1)
        seen = torch.cat([self._prefix.expand(rows, -1), self._columns < ends], dim=1)[:, None].expand(-1, len(layout.nodes), -1)
        mask = additive(torch.cat([seen, layout.ancestors.expand(rows, -1, -1)], dim=2), self._dtype)[:, None]
        return input_ids, positions, mask, torch.where(self._at_end, ends - 1, self._nodes)

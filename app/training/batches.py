"""Rows of a training → tensors: what the Trainer iterates over, how rows become a batch, and the loss of their answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from app.training.rows import TrainingRows

_IGNORED = -100


class RowDataset(torch.utils.data.Dataset[Any]):
    """What the Trainer iterates over; it puts rows of similar length (`input_ids`) together.

    The lengths that it sees are those of the first epoch. In another order of options a row may be a token longer or shorter, which
    costs a little padding.

    Args:
        rows: the rows of the training.
        skip: number of tokens that are left out at the beginning of each prompt, since the cache holds them.
    """

    def __init__(self, rows: TrainingRows, skip: int = 0) -> None:
        self._rows = rows
        self._skip = skip
        self._epoch = 0

    def begin(self, epoch: int) -> None:
        """Give the rows of an epoch from now on; epochs count from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        example = self._rows.example(index, self._epoch)
        return {
            "input_ids": [*example.prompt[self._skip :], *example.completion],
            "completion": len(example.completion),
            "given": example.given,
        }


@dataclass(frozen=True, slots=True)
class Collator:
    """Rows → a left-padded batch: answers end in the same column, so logits are computed for the last few columns only.

    Attributes:
        pad: token id of the padding.
        prefix: number of columns of the cache that stand before the padding; the mask shows them, and the positions count them.
    """

    pad: int
    prefix: int = 0

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        width = max(len(row["input_ids"]) for row in rows)
        # One column more than the longest answer: each token is predicted from the one before.
        kept = max(row["completion"] for row in rows) + 1
        ids = torch.full((len(rows), width), self.pad)
        mask = torch.zeros(len(rows), width, dtype=torch.long)
        labels = torch.full((len(rows), kept), _IGNORED)
        for index, row in enumerate(rows):
            tokens, answer = row["input_ids"], row["completion"]
            ids[index, width - len(tokens) :] = torch.tensor(tokens)
            mask[index, width - len(tokens) :] = 1
            labels[index, kept - answer :] = torch.tensor(tokens[-answer:])
            labels[index, [kept - answer + place for place in row["given"]]] = _IGNORED
        positions = self.prefix + (mask.cumsum(dim=1) - 1).clamp(min=0)
        mask = torch.cat([torch.ones(len(rows), self.prefix, dtype=torch.long), mask], dim=1)
        return {"input_ids": ids, "attention_mask": mask, "position_ids": positions, "labels": labels, "logits_to_keep": kept}


def completion_loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None) -> torch.Tensor:
    """Cross entropy of the answer tokens in nats, as a mean over all of the optimiser step's answer tokens.

    Args:
        outputs: the model's output with `logits`, [rows, kept, vocabulary].
        labels: token ids, [rows, kept]; tokens that are not learned are -100.
        num_items_in_batch: number of answer tokens in the optimiser step; None counts those of this batch.
    """
    logits = outputs.logits[:, :-1].float()
    total = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=_IGNORED, reduction="sum")
    count = (labels != _IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
    return total / count

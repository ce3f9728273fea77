"""Training that computes the prompt's common beginning once a batch instead of once a row.

All prompts begin with the same system text, which is half of a short question's tokens. Its keys and values are computed
in one row, with gradients, and every row of the batch attends to them: the same loss and gradient as of whole rows.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache, Trainer


def common_prefix(prompts: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The tokens that all prompts begin with; each keeps at least one of its own, from which its answer is read."""
    first, last = min(prompts), max(prompts)
    most = min(len(prompt) for prompt in prompts) - 1
    shared = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), most)
    return first[: min(shared, most)]


class PrefixTrainer(Trainer):  # type: ignore[misc]  # transformers is untyped
    """A Trainer whose batches lack the common prefix.

    Args:
        prefix: its token ids; empty trains on rows as they are.
        kwargs: the Trainer's own.
    """

    def __init__(self, *, prefix: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._prefix = list(prefix)

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The loss of rows that attend to the prefix."""
        if self._prefix:
            inputs = {**inputs, "past_key_values": self._prefill(model, *inputs["input_ids"].shape[:1]), "use_cache": True}
        return super().compute_loss(model, inputs, *args, **kwargs)

    def _prefill(self, model: Any, rows: int) -> DynamicCache:
        cache = DynamicCache()
        ids = torch.tensor([self._prefix], device=model.device)
        model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return DynamicCache([(layer.keys.expand(rows, -1, -1, -1), layer.values.expand(rows, -1, -1, -1)) for layer in cache.layers])

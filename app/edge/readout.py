"""A model whose output layer is reduced to the few tokens that a verdict reads.

What a family does with the logits behind its output layer (scaling, soft-capping) or with the states before it is then done by its own
code, and nothing of it is repeated here.
"""

import copy
import inspect
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch

from app.core.errors import ConfigError
from app.edge.split_attention import KeysValues, split_attention


class ReadOut(torch.nn.Module):
    """Some rows of an output layer, in float32: bf16 logits of a handful of tokens would tie needlessly.

    Args:
        output: output layer of the model.
        tokens: ids of the tokens whose logits are computed, in this order.
    """

    def __init__(self, output: Any, tokens: Sequence[int]) -> None:
        super().__init__()
        bias = getattr(output, "bias", None)
        # Plain attributes, not parameters: they belong to nobody who trains, casts or stores the model.
        self.weight: torch.Tensor = output.weight.detach()[list(tokens)].float()
        self.bias: torch.Tensor | None = None if bias is None else bias.detach()[list(tokens)].float()
        # Columns of each row that are read, `[batch, places]`, where rows differ in them; set for one call.
        self.at: torch.Tensor | None = None

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits `[..., tokens]` of hidden states `[..., size]`."""
        if self.at is not None:
            hidden = torch.take_along_dim(hidden, self.at[..., None], dim=1)
        return torch.nn.functional.linear(hidden.float(), self.weight, self.bias)


class ReadOutModel:
    """A causal language model that computes the logits of some tokens at some places.

    It shares every weight with the model that it is made from, and leaves that as it is.

    Args:
        model: a transformers causal language model.
        tokens: ids of the tokens, each once.

    Raises:
        ConfigError: the model has no output layer that can be found.
    """

    def __init__(self, model: Any, tokens: Sequence[int]) -> None:
        output = model.get_output_embeddings()
        path = next((name for name, module in model.named_modules() if module is output), None)
        if output is None or not path:
            raise ConfigError(f"the output layer of {type(model).__name__} is not where transformers expects it")
        self.tokens = tuple(tokens)
        self._read_out = ReadOut(output, tokens)
        self.inner = _with_output(model, path.split("."), self._read_out)
        self._keeps = "logits_to_keep" in inspect.signature(model.forward).parameters

    def __call__(
        self, at: Sequence[int], *, split: bool = False, packed: Sequence[torch.Tensor] | None = None, **inputs: Any
    ) -> torch.Tensor:
        """Logits `[batch, places, tokens]`.

        Args:
            at: columns of the input whose logits are computed.
            split: whether the masks are those of attention in parts (`app/edge/split_attention.py`).
            packed: masks of prompts that stand in one row, where they do (as above).
            inputs: what the model's own `forward` takes.
        """
        places = torch.tensor(list(at), device=inputs["input_ids"].device)
        with split_attention(self.inner, packed) if split else nullcontext():
            if self._keeps:
                logits: torch.Tensor = self.inner(**inputs, logits_to_keep=places).logits
                return logits
            logits = self.inner(**inputs).logits
            return logits[:, places]

    def at_each(self, at: torch.Tensor, *, prefix: KeysValues | None, **inputs: Any) -> torch.Tensor:
        """Logits `[batch, places, tokens]` with attention in parts. What is read is a tensor, so that a recording of this call reads other
        columns when they change.

        Args:
            at: for each row the columns whose logits are computed, `[batch, places]`.
            prefix: keys and values of the tokens before the input, of a batch of 1, for each layer; None where there are none.
            inputs: what the model's own `forward` takes; no cache.
        """
        self._read_out.at = at
        try:
            with split_attention(self.inner, prefix=prefix):
                logits: torch.Tensor = self.inner(**inputs).logits
        finally:
            self._read_out.at = None
        return logits


def _with_output(model: Any, path: Sequence[str], output: torch.nn.Module) -> Any:
    """A copy of a module, and of those on the path to its output layer, with another output layer; everything else is shared."""
    twin = copy.copy(model)
    first, *rest = path
    twin._modules = {**model._modules, first: _with_output(model._modules[first], rest, output) if rest else output}  # noqa: SLF001
    return twin

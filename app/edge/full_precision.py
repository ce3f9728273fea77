"""A model whose weights are bf16, computing in float32: a proof that compares four digits must not drown in rounding."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_LOW = (torch.bfloat16, torch.float16)
# They read a few rows of a matrix, or none: what they return is cast, not the matrix.
_ROWS = (torch.nn.functional.embedding, torch.embedding, torch.Tensor.__getitem__, torch.Tensor.detach)


class InFloat32(TorchFunctionMode):
    """Inside this context no torch function computes in half precision, in this thread.

    Tensors of half precision that a function is given are cast to float32, one weight at a time, and so is every dtype that it is asked
    for. The weights themselves do not change. Nothing changes in a float32 model.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call a torch function with everything in float32."""
        given = dict(kwargs or {})
        # Attributes of a tensor, such as its shape.
        if getattr(func, "__name__", "") == "__get__":
            return func(*args, **given)
        if func in _ROWS:
            return _cast(func(*args, **given))
        return func(*(_cast(value) for value in args), **{name: _cast(value) for name, value in given.items()})


def _cast(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.float() if value.dtype in _LOW else value
    if isinstance(value, torch.dtype):
        return torch.float32 if value in _LOW else value
    if type(value) in {list, tuple}:
        return type(value)(map(_cast, value))
    return value

"""The layers of a model compiled by torch, so that what lies between two matrix products is one kernel and not ten.

One layer is compiled, and the code serves all layers that are alike, with any number of rows and tokens. Attention stays what it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from app.edge.split_attention import define_for_compiler

# Variants of one layer's code: one row or several, and the kinds of layers that a model has.
_VARIANTS = 64


def layers_of(model: Any) -> list[Any]:
    """The decoder layers of a model: the modules that transformers does not split over devices.

    Args:
        model: a transformers causal language model.
    """
    names = set(getattr(model, "_no_split_modules", None) or ())
    return [module for module in model.modules() if type(module).__name__ in names]


class CompiledLayers:
    """The layers of a model, as they are written and compiled. Outside `used` they are computed as they are written.

    Args:
        model: a transformers causal language model.
        backend: what makes code of a layer, in the words of `torch.compile`.

    Raises:
        ValueError: it has no layers that can be found.
    """

    def __init__(self, model: Any, backend: Any = "inductor") -> None:
        # Imported here: it takes seconds, and `app/edge/lean.py` keeps it from being imported with transformers.
        import torch._dynamo

        define_for_compiler()
        limits: Any = torch._dynamo.config  # noqa: SLF001
        limits.recompile_limit = max(limits.recompile_limit, _VARIANTS)
        self._layers = layers_of(model)
        if not self._layers:
            raise ValueError("transformers does not say which modules are its layers")
        self._compiled = [torch.compile(layer._call_impl, dynamic=True, backend=backend) for layer in self._layers]  # noqa: SLF001

    def __len__(self) -> int:
        return len(self._layers)

    @contextmanager
    def used(self, *, may_compile: bool = False) -> Iterator[None]:
        """Inside this context the layers are compiled ones.

        Args:
            may_compile: whether code is made for shapes that are met for the first time. Otherwise layers are computed as they are written
                then: no question waits for a compiler.
        """
        for layer, compiled in zip(self._layers, self._compiled, strict=True):
            layer._compiled_call_impl = compiled  # noqa: SLF001
        try:
            with torch.compiler.set_stance("default" if may_compile else "eager_on_recompile"):
                yield
        finally:
            for layer in self._layers:
                layer._compiled_call_impl = None  # noqa: SLF001

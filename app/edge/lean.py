"""Import what a text model needs of transformers, and little else: that halves the time to ready and saves 110 MB.

The modules that define its models import torch's compiler, its package for several machines, scipy and torchvision, for functions that a
gateway never calls: importing these takes longer than importing torch. All are optional for transformers, so they are shown to it as
absent, or replaced by stand-ins, while it is imported. Afterwards whoever needs them imports them as ever.
"""

import functools
import gc
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

_COMPILER = "torch._dynamo"
# Parts of transformers that import the compiler and the others, and that every model needs.
_MODELLING = ("transformers.masking_utils", "transformers.modeling_utils", "transformers.modeling_layers")


def import_modelling() -> None:
    """Import torch and the parts of transformers that define and load models. Takes seconds; what is imported already stays as it is."""
    if "transformers.modeling_utils" in sys.modules:
        return
    with collector_paused():
        import transformers  # and with it torch

        # torchvision imports parts of the compiler, for which a stand-in is no parent. What transformers has defined without it cannot be
        # used with it later.
        with (
            _one_machine(),
            _without(transformers, "scipy"),
            _without(transformers, "torchvision", for_good=True),
            _compiler_later(),
        ):
            for name in _MODELLING:
                importlib.import_module(name)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Inside the context no garbage is looked for. Imports make hardly any, and looking for it takes a fifth of their time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # What was imported stays; it needs not be looked at again.
        gc.freeze()
        if was_on:
            gc.enable()


@contextmanager
def _one_machine() -> Iterator[None]:
    """Inside the context transformers learns that it cannot be spread over several processes; it asks once and keeps the answer."""
    from torch import distributed
    from transformers.utils import import_utils

    found = distributed.is_available
    distributed.is_available = lambda: False
    try:
        import_utils.is_torch_distributed_available.cache_clear()
        import_utils.is_torch_distributed_available()
        yield
    finally:
        distributed.is_available = found


@contextmanager
def _without(transformers: Any, package: str, *, for_good: bool = False) -> Iterator[None]:
    """Inside the context transformers does not see an optional package.

    Args:
        transformers: the package transformers.
        package: name of the optional package.
        for_good: whether transformers goes on without it afterwards.
    """
    asked = getattr(transformers.utils.import_utils, f"is_{package}_available")
    if package in sys.modules:
        yield
        return
    # The way of the language to say that a module cannot be imported.
    sys.modules[package] = None  # type: ignore[assignment]
    asked.cache_clear()
    try:
        asked()
        yield
    finally:
        del sys.modules[package]
        if not for_good:
            asked.cache_clear()


@contextmanager
def _compiler_later() -> Iterator[None]:
    """Inside the context torch's compiler is a stand-in that has the marks which functions get when they are defined.

    Whatever else is asked of it is answered by the real one, which then takes its place.
    """
    import torch

    if _COMPILER in sys.modules:
        yield
        return
    folder = Path(torch.__file__).with_name("_dynamo")
    stand_in = _StandIn(_COMPILER)
    # Whoever looks through all modules for a source file asks each for its own.
    stand_in.__file__, stand_in.__path__ = str(folder / "__init__.py"), [str(folder)]
    sys.modules[_COMPILER] = stand_in
    torch._dynamo = stand_in  # noqa: SLF001
    try:
        yield
    finally:
        stand_in.leave()


class _StandIn(ModuleType):
    """The package of torch's compiler before anything is compiled."""

    def __getattr__(self, name: str) -> Any:
        """What the stand-in has not: the attribute of the real package."""
        if name.startswith("__"):
            raise AttributeError(name)
        self.leave()
        return getattr(importlib.import_module(_COMPILER), name)

    def leave(self) -> None:
        """Let the next import find the real package."""
        import torch

        if sys.modules.get(_COMPILER) is self:
            del sys.modules[_COMPILER]
        if vars(torch).get("_dynamo") is self:
            del torch._dynamo  # noqa: SLF001

    @staticmethod
    def disable(fn: Any = None, recursive: bool = True, **given: Any) -> Any:
        """A function that is not to be compiled: the compiler is told when the function is called."""
        if fn is None:
            return lambda one: _StandIn.disable(one, recursive, **given)

        @functools.cache
        def told() -> Callable[..., Any]:
            import torch

            told_of: Callable[..., Any] = torch.compiler.disable(fn, recursive, **given)  # type: ignore[no-untyped-call]
            return told_of

        @functools.wraps(fn)
        def call(*args: Any, **kwargs: Any) -> Any:
            return told()(*args, **kwargs)

        return call

    @staticmethod
    def assume_constant_result(fn: Any) -> Any:
        """A function whose result the compiler may keep: the mark that the compiler looks for."""
        fn._dynamo_marked_constant = True  # noqa: SLF001
        return fn

    @staticmethod
    def allow_in_graph(fn: Any) -> Any:
        """A function that the compiler need not look into; looking into it costs time, and changes nothing."""
        return fn

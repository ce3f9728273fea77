"""Looks into a model while it works: how long its layers take, and how many columns they compute."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch


@dataclass
class Seen:
    """What a model's layers did.

    Attributes:
        calls: number of forward passes.
        seconds: time in which at least one thread was in them. On a GPU the device has finished at the end of each.
        columns: columns that they computed, of all rows, padding among them.
    """

    calls: int = 0
    seconds: float = 0.0
    columns: int = 0


@contextlib.contextmanager
def watched(model: Any) -> Iterator[Seen]:
    """Count the forward passes through the layers of a causal language model while the context lasts.

    The layers are everything but the output layer. A hook of torch is called at their beginning and at their end; an engine that
    computes them in another way leaves `calls` at 0, and then nothing is known. On a GPU the host waits for the device at both ends, so
    that a pass takes a little longer while it is watched.
    """
    layers, seen = model.base_model, Seen()
    finish = _unless_captured(synchronise(model)) if model.device.type == "cuda" else synchronise(model)
    began, inside, changing = 0.0, 0, threading.Lock()

    def begin(_: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        nonlocal began, inside
        given = named.get("input_ids")
        given = named.get("inputs_embeds") if given is None else given
        given = arguments[0] if given is None and arguments else given
        finish()
        with changing:
            if given is not None:
                seen.columns += int(given.shape[0] * given.shape[1])
            if not inside:
                began = time.perf_counter()
            inside += 1

    def end(*_: Any) -> None:
        nonlocal inside
        finish()
        with changing:
            # It is called too where something else stopped the pass before `begin`.
            if not inside:
                return
            inside -= 1
            if not inside:
                seen.seconds += time.perf_counter() - began
            seen.calls += 1

    hooks = [layers.register_forward_pre_hook(begin, with_kwargs=True), layers.register_forward_hook(end, always_call=True)]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _unless_captured(finish: Callable[[], None]) -> Callable[[], None]:
    """Nobody may wait for the device while a CUDA graph is captured: the capture would fail."""
    return lambda: None if torch.cuda.is_current_stream_capturing() else finish()


def synchronise(model: Any) -> Callable[[], None]:
    """What waits until the model's device has done what it was given; nothing on a CPU, which is never behind."""
    return torch.cuda.synchronize if model.device.type == "cuda" else lambda: None

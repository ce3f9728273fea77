"""Threads that compute forward passes side by side, each with a share of the cores.

Two cores share the work of one pass badly: between its matrix products each waits for the other. Two passes of half the questions, one
on each core, wait for nobody (docs/experiments.md, "Two passes side by side").
"""

import queue
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import torch

Part = TypeVar("Part")
Result = TypeVar("Result")
_Tasks = queue.SimpleQueue[Callable[[], None] | None]


class PassThreads:
    """A fixed number of threads, which end when nobody holds this object any more.

    One thread at a time calls `run`. The threads of torch that the creating thread computes with are shared among them; its own number
    stays as it is.

    Args:
        count: number of threads, at least 1; each computes with at least one thread of torch.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._tasks: _Tasks = queue.SimpleQueue()
        total = torch.get_num_threads()
        ready: queue.SimpleQueue[None] = queue.SimpleQueue()
        # Registered first: where a thread cannot be started, those that were end.
        weakref.finalize(self, _end, self._tasks, count)
        for number in range(count):
            own = max(1, total // count + (number < total % count))
            threading.Thread(target=_work, args=(self._tasks, own, ready), name="foggate-pass", daemon=True).start()
        for _ in range(count):
            ready.get()
        # A thread that first uses torch from now on takes the number that was set last, in whichever thread.
        torch.set_num_threads(total)

    def run(self, work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
        """What `work` returns for each part, in their order. It is called in the threads, without gradients.

        Raises:
            BaseException: what `work` raised first, or what stopped this thread (Ctrl-C), in both cases when all parts have ended: they use
                what belongs to the caller, and a process must not end under them.
        """
        news: queue.SimpleQueue[None] = queue.SimpleQueue()
        # By the places of the parts: what `work` returned, and what it raised.
        ended: dict[int, tuple[Any, BaseException | None]] = {}
        begun = 0
        try:
            for at, part in enumerate(parts):
                self._tasks.put(partial(_do, ended, news, at, work, part))
                begun += 1
            while len(ended) < begun:
                news.get()
        finally:
            while len(ended) < begun:
                # The news of a part may have been lost with what stopped this thread.
                with suppress(queue.Empty):
                    news.get(timeout=0.1)
        for _, error in ended.values():
            if error is not None:
                raise error
        return [ended[at][0] for at in range(len(parts))]


def _do(
    ended: dict[int, tuple[Any, BaseException | None]],
    news: "queue.SimpleQueue[None]",
    at: int,
    work: Callable[[Part], Result],
    part: Part,
) -> None:
    try:
        with torch.inference_mode():
            ended[at] = work(part), None
    except BaseException as error:  # noqa: BLE001  # whatever it is belongs to the one who waits
        ended[at] = None, error
    news.put(None)


def _work(tasks: _Tasks, torch_threads: int, ready: "queue.SimpleQueue[None]") -> None:
    # Asked first: what torch does first in a thread sets the number that was set last in any.
    torch.get_num_threads()
    torch.set_num_threads(torch_threads)
    ready.put(None)
    while (task := tasks.get()) is not None:
        task()
        # It would hold those who wait for it until the next one comes.
        del task


def _end(tasks: _Tasks, count: int) -> None:
    for _ in range(count):
        tasks.put(None)


def divided(columns: Sequence[int], count: int) -> list[list[int]]:
    """Indices in at most `count` parts of about the same number of columns, none empty: each goes to the smallest part, the largest first."""
    parts: list[list[int]] = [[] for _ in range(min(count, len(columns)))]
    sizes = [0] * len(parts)
    for index in sorted(range(len(columns)), key=lambda index: -columns[index]):
        smallest = sizes.index(min(sizes))
        parts[smallest].append(index)
        sizes[smallest] += columns[index]
    return parts


def keeps_nothing(model: Any, forward: Callable[[], Result]) -> tuple[Result, bool]:
    """The result of forward passes, and whether they left each module of the model as it was.

    A module that notes something of a pass in itself would mix up two passes at the same time. Attributes, buffers and parameters are looked
    at, and what dictionaries, lists and sets among them hold; of tensors whether they were written to.
    """
    before = [(module, _state(module)) for module in model.modules()]
    result = forward()
    return result, all(_same(state, _state(module)) for module, state in before)


def _same(before: dict[Any, Any], now: dict[Any, Any]) -> bool:
    return before.keys() == now.keys() and all(before[name][0] is now[name][0] and before[name][1] == now[name][1] for name in before)


def _state(module: Any) -> dict[Any, tuple[Any, int]]:
    """Everything that a module holds, by where it is, and how often each tensor was written to."""
    named = {**vars(module), **module._buffers, **module._parameters}  # noqa: SLF001
    held: dict[Any, Any] = dict(named)
    for name, value in named.items():
        if isinstance(value, dict):
            held.update({(name, key): inner for key, inner in value.items()})
        elif isinstance(value, list | tuple | deque):
            held.update({(name, at): inner for at, inner in enumerate(value)})
        elif isinstance(value, set):
            held.update({(name, inner): inner for inner in value})
    return {name: (value, _writes(value)) for name, value in held.items()}


def _writes(value: Any) -> int:
    """How often a tensor was written to; 0 where that is not counted, as of a tensor that was made without gradients for good."""
    return int(value._version) if isinstance(value, torch.Tensor) and not value.is_inference() else 0  # noqa: SLF001

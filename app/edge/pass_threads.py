"""Threads that compute forward passes side by side, each with a share of the cores.

Two cores share the work of one pass badly: between its matrix products each waits for the other. Two passes of half the questions, one
on each core, wait for nobody (docs/experiments.md, "Two passes side by side").
"""

import queue
import threading
import weakref
from collections.abc import Callable, Sequence
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
        ready = threading.Barrier(count + 1)
        for number in range(count):
            own = max(1, total // count + (number < total % count))
            threading.Thread(target=_work, args=(self._tasks, own, ready), name="foggate-pass", daemon=True).start()
        ready.wait()
        # A thread that first uses torch from now on takes the number that was set last, in whichever thread.
        torch.set_num_threads(total)
        weakref.finalize(self, _end, self._tasks, count)

    def run(self, work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
        """What `work` returns for each part, in their order. It is called in the threads, without gradients.

        Raises:
            BaseException: what `work` raised first, when all parts have ended.
        """
        done: queue.SimpleQueue[tuple[int, Any, BaseException | None]] = queue.SimpleQueue()
        for at, part in enumerate(parts):
            self._tasks.put(partial(_do, done, at, work, part))
        results: dict[int, Result] = {}
        failed: BaseException | None = None
        for _ in parts:
            at, result, error = done.get()
            results[at], failed = result, failed or error
        if failed is not None:
            raise failed
        return [results[at] for at in range(len(parts))]


def _do(done: "queue.SimpleQueue[tuple[int, Any, BaseException | None]]", at: int, work: Callable[[Part], Result], part: Part) -> None:
    try:
        with torch.inference_mode():
            done.put((at, work(part), None))
    except BaseException as error:  # noqa: BLE001  # whatever it is belongs to the one who waits
        done.put((at, None, error))


def _work(tasks: _Tasks, torch_threads: int, ready: threading.Barrier) -> None:
    # Asked first: what torch does first in a thread sets the number that was set last in any.
    torch.get_num_threads()
    torch.set_num_threads(torch_threads)
    ready.wait()
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
    """The result of a forward pass, and whether it left each module of the model as it was.

    A module that notes something of a pass in itself would mix up two passes at the same time.
    """
    before = [(module, _state(module)) for module in model.modules()]
    result = forward()
    return result, all(
        state.keys() == now.keys() and all(state[name] is now[name] for name in state)
        for module, state in before
        for now in (_state(module),)
    )


def _state(module: Any) -> dict[str, Any]:
    return {**vars(module), **module._buffers, **module._parameters}  # noqa: SLF001

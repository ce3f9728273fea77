"""Work beside the event loop: text work that may take milliseconds, in one thread for all of it, and long work in a separate thread.

One thread for text and not a pool: such work holds the interpreter's lock most of the time, so that several threads would not do
more of it, and the event loop would have to wait for its turn behind every one of them.
"""

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple

# Below this (characters, or bytes) the work takes a fraction of a millisecond, about as long as changing the thread.
SMALL = 2_000

Result = TypeVar("Result")
Args = TypeVarTuple("Args")


class _TextThread:
    """One daemon thread and what it is to do. A pool of `concurrent.futures` takes twice the CPU time for the same."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._beginning = threading.Lock()
        self._pid: int | None = None

    def do(self, task: Callable[[], None]) -> None:
        """Do something when everything before it is done."""
        # A thread does not live on in a forked process.
        if self._pid != os.getpid():
            with self._beginning:
                if self._pid != os.getpid():
                    threading.Thread(target=self._work, name="foggate-text", daemon=True).start()
                    self._pid = os.getpid()
        self._tasks.put(task)

    def _work(self) -> None:
        while True:
            self._tasks.get()()


_THREAD = _TextThread()


async def in_text_thread(work: Callable[[*Args], Result], *args: *Args) -> Result:
    """The result of `work(*args)`, computed in the text thread; a caller who leaves before its turn removes it from the queue.

    Raises:
        Exception: whatever `work` raises.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[Result] = loop.create_future()

    def run() -> None:
        if not result.cancelled():
            _run(loop, result, work, *args)

    _THREAD.do(run)
    return await result


async def in_daemon_thread(work: Callable[[*Args], Result], *args: *Args) -> Result:
    """The result of `work(*args)`, computed in a thread that keeps neither the event loop nor the process from ending.

    Raises:
        BaseException: whatever `work` raises.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[Result] = loop.create_future()

    threading.Thread(target=_run, args=(loop, result, work, *args), name="foggate-load", daemon=True).start()
    return await result


def _run(loop: asyncio.AbstractEventLoop, result: asyncio.Future[Result], work: Callable[[*Args], Result], *args: *Args) -> None:
    """Do the work in this thread, and give its result, or its error, to the loop that waits for it."""
    try:
        value = work(*args)
    except BaseException as raised:  # noqa: BLE001  # whatever it is belongs to the one who waits
        settle, what = _fail, raised
    else:
        settle, what = _succeed, value  # type: ignore[assignment]  # each goes with its own
    # The loop may have ended: then nobody waits any more.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(settle, result, what)


def _succeed(result: asyncio.Future[Result], value: Result) -> None:
    if not result.done():
        result.set_result(value)


def _fail(result: asyncio.Future[Any], error: BaseException) -> None:
    if not result.done():
        result.set_exception(error)

"""Work beside the event loop: text work that may take milliseconds, in one thread for all of it, and long work in a separate thread.

One thread for text and not a pool: such work holds the interpreter's lock most of the time, so that several threads would not do
more of it, and the event loop would have to wait for its turn behind every one of them.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

# Below this (characters, or bytes) the work takes a fraction of a millisecond, about as long as changing the thread.
SMALL = 2_000

_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="foggate-text")

Result = TypeVar("Result")
Args = TypeVarTuple("Args")


async def in_text_thread(work: Callable[[*Args], Result], *args: *Args) -> Result:
    """The result of `work(*args)`, computed in the text thread; a caller who leaves before its turn removes it from the queue.

    Raises:
        Exception: whatever `work` raises.
    """
    return await asyncio.get_running_loop().run_in_executor(_THREAD, work, *args)


async def in_daemon_thread(work: Callable[[*Args], Result], *args: *Args) -> Result:
    """The result of `work(*args)`, computed in a thread that keeps neither the event loop nor the process from ending.

    Raises:
        BaseException: whatever `work` raises.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[Result] = loop.create_future()

    def hand_over(value: Result | None, error: BaseException | None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type]  # None is a value only where the work returns None

    def run() -> None:
        value, error = None, None
        try:
            value = work(*args)
        except BaseException as raised:  # noqa: BLE001  # whatever it is belongs to the one who waits
            error = raised
        # The loop may have ended: then nobody waits any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(hand_over, value, error)

    threading.Thread(target=run, name="foggate-load", daemon=True).start()
    return await result

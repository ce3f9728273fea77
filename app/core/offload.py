"""Work on text that may take milliseconds, beside the event loop: one thread for all of it.

One thread and not a pool: such work holds the interpreter's lock most of the time, so that several threads would not do
more of it, and the event loop would have to wait for its turn behind every one of them.
"""

import asyncio
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

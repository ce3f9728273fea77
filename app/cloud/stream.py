"""The body of a streamed reply as its caller sees it, and the short queue between the caller and the attempt that fills it.

The attempt runs in a task. So its deadline holds even where the caller stops reading, and a caller that leaves cancels the request.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from app.cloud.call import Beginning
from app.core.errors import CloudUnavailable

# While so much waits for a caller that reads slowly, nothing more is read from the endpoint.
_QUEUED_BYTES = 262_144


class Pipe:
    """The short queue between an attempt and its caller."""

    def __init__(self) -> None:
        self.beginning: Beginning | None = None
        self._pieces: deque[bytes] = deque()
        self._bytes = 0
        self._ended = False
        self._there, self._room = asyncio.Event(), asyncio.Event()

    async def put(self, piece: bytes) -> None:
        """Give the caller a piece; waits while the queue is full."""
        while self._bytes >= _QUEUED_BYTES:
            self._room.clear()
            await self._room.wait()
        self._pieces.append(piece)
        self._bytes += len(piece)
        self._there.set()

    async def ready(self) -> bool:
        """Wait until there is a piece, or no more of them will come; whether there is one."""
        while not self._pieces and not self._ended:
            self._there.clear()
            await self._there.wait()
        return bool(self._pieces)

    def get(self) -> bytes:
        """The next piece, where one is ready."""
        piece = self._pieces.popleft()
        self._bytes -= len(piece)
        self._room.set()
        return piece

    def end(self) -> None:
        """No more pieces will come."""
        self._ended = True
        self._there.set()


class Stream(AsyncIterator[bytes]):
    """The body of a streamed reply, as it comes: an asynchronous iterator that its caller closes (`async with`).

    Iterating raises CloudError when the reply does not come to its end: the connection broke, the endpoint was silent for longer
    than an attempt may take, the deadline passed, or the reply is over `MAX_STREAM_BYTES`. What came until then has been handed
    over. Closing, and cancelling the task that iterates, cancel the request to the endpoint.
    """

    def __init__(self, task: asyncio.Task[None], pipe: Pipe) -> None:
        self._task = task
        self._pipe = pipe
        task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        # Asking for the exception marks it as seen: nobody may be iterating any more.
        if not task.cancelled():
            task.exception()
        self._pipe.end()

    @property
    def beginning(self) -> Beginning:
        """Who replies, after how many attempts, with which headers."""
        assert self._pipe.beginning is not None  # noqa: S101  # the pool hands out no stream that has not begun
        return self._pipe.beginning

    async def begin(self) -> None:
        """Wait until the first piece is there. Raises what the attempts ended with if it never comes."""
        try:
            if not await self._pipe.ready():
                await self._end()
        except BaseException:
            await self.aclose()
            raise

    async def __anext__(self) -> bytes:
        try:
            if await self._pipe.ready():
                return self._pipe.get()
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        await self._end()
        raise StopAsyncIteration

    async def _end(self) -> None:
        """Raise what the task ended with, if that is an error."""
        if self._task.cancelled():
            raise CloudUnavailable("the connection to the cloud was closed")
        await self._task

    async def aclose(self) -> None:
        """Cancel the request to the endpoint, if it is still under way."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

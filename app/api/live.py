"""The stream of live numbers: one reader of the metrics for everybody who watches, and server-sent events for each of them.

Bounded in every direction: in listeners, in the time that one of them may take for an event, in the length of a stream, and in memory
(whoever is slow gets the newest event and misses those before). It ends at once when the gateway begins to stop.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.core.errors import Draining, Overloaded
from app.core.strict_json import dumps
from app.gateway.state import GatewayState
from app.telemetry.live import History, totals_of

MAX_LISTENERS = 16
EVERY_S = 1.0
# How soon a stream notices that the gateway stops.
_LOOK_EVERY_S = 0.1
# A listener that has not taken an event after so long has gone, or might as well have.
_PATIENCE_S = 10.0
# A stream's length. The page asks again then, with its key: one that was revoked meanwhile gets no more.
LIFETIME_S = 300.0
_END_S = 0.2


class Live:
    """What the listeners are told. Nothing is read or kept while nobody listens.

    Args:
        state: the gateway.
        every_s: seconds between two events.

    Attributes:
        over: set when the gateway stops.
        listeners: how many listen at this moment.
    """

    def __init__(self, state: GatewayState, every_s: float = EVERY_S) -> None:
        self._state = state
        self._every_s = every_s
        self._reading: asyncio.Task[None] | None = None
        self._newest = b""
        self._changed = asyncio.Condition()
        self.over = asyncio.Event()
        self.listeners = 0

    def admit(self) -> None:
        """Let one more listen.

        Raises:
            Draining: the gateway is stopping.
            Overloaded: there are as many listeners as may be.
        """
        if self._state.draining:
            raise Draining("the gateway is shutting down", retry_after_s=2)
        if self.listeners >= MAX_LISTENERS:
            raise Overloaded(f"{MAX_LISTENERS} pages watch already", retry_after_s=10)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[AsyncIterator[bytes]]:
        """The events for one listener, as long as they stay; admit them before."""
        self.listeners += 1
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        try:
            yield self._events()
        finally:
            self.listeners -= 1
            if not self.listeners and self._reading is not None:
                self._reading.cancel()
                self._reading, self._newest = None, b""

    async def _events(self) -> AsyncIterator[bytes]:
        until = time.monotonic() + LIFETIME_S
        if self._newest:
            yield b"data: " + self._newest + b"\n\n"
        while time.monotonic() < until and not self.over.is_set():
            async with self._changed:
                await self._changed.wait()
            yield b"data: " + self._newest + b"\n\n"

    async def _read(self) -> None:
        history = History(self._every_s)
        due = time.monotonic()
        while not self._state.draining:
            if time.monotonic() >= due:
                due += self._every_s
                await self._state.refresh_metrics()
                self._newest = dumps({"status": self._state.status} | history.event(totals_of(self._state.metrics, time.monotonic())))
                async with self._changed:
                    self._changed.notify_all()
            await asyncio.sleep(_LOOK_EVERY_S)
        self.over.set()
        async with self._changed:
            self._changed.notify_all()


class LiveResponse(Response):
    """Server-sent events until the listener leaves, the gateway stops, or the stream is as long as one may be.

    Args:
        live: where the events come from.
        headers: further headers.
    """

    media_type = "text/event-stream"

    def __init__(self, live: Live, headers: dict[str, str]) -> None:
        super().__init__(headers={**headers, "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's signature
        """Send events; a listener who does not read them cannot keep this from ending."""
        async with self._live.listening() as events:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            tasks = [asyncio.ensure_future(work) for work in (_sent(events, send), _left(receive), self._live.over.wait())]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            if tasks[1] not in done:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_END_S):
                        await send({"type": "http.response.body", "body": b""})


async def _sent(events: AsyncIterator[bytes], send: Send) -> None:
    # Browsers try again after so many milliseconds.
    head = b"retry: 2000\n\n"
    async for event in events:
        async with asyncio.timeout(_PATIENCE_S):
            await send({"type": "http.response.body", "body": head + event, "more_body": True})
        head = b""


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

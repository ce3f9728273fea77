"""Bounds on connections, below the level of requests: how many one address may hold, how long a request's head may take, and how
many bytes are processed in one turn of the event loop.

uvicorn bounds none of them: a client that sends one header a minute, or opens ten thousand connections, would be served without end,
and a quarter of a megabyte in chunks of one byte holds the loop for half a second.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# Of a chunked body in chunks of one byte this takes some ten milliseconds.
_PIECE_BYTES = 1_024
# How the head of a reply begins that a body follows; `100 Continue` does not, and must be sent at once.
_FINAL_HEAD = tuple(f"HTTP/1.1 {kind}".encode() for kind in (2, 3, 4, 5))


class Turns:
    """Connections with more work than fits into one turn of the event loop: each turn does one step of one of them, one after the other."""

    def __init__(self) -> None:
        self._steps: deque[Callable[[], bool]] = deque()

    def join(self, loop: asyncio.AbstractEventLoop, step: Callable[[], bool]) -> None:
        """Call `step` once a turn until it says that there is no more."""
        self._steps.append(step)
        if len(self._steps) == 1:
            loop.call_soon(self._next, loop)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        more = False
        try:
            more = self._steps[0]()
        finally:
            step = self._steps.popleft()
            if more:
                self._steps.append(step)
            if self._steps:
                loop.call_soon(self._next, loop)


class OnePiece:
    """A transport that sends the head of a reply together with what follows it in the same turn of the loop: one system call, one packet.

    Args:
        transport: the connection's transport, which does everything else.
        loop: the loop that the connection belongs to.
    """

    __slots__ = ("_head", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send bytes; a head waits for its body until the loop turns."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(_FINAL_HEAD):
            self._head = data
            self._loop.call_soon(self._send)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Close the connection when everything is sent."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)


class GuardedProtocol(H11Protocol):
    """uvicorn's HTTP protocol with bounds. One subclass per server holds them, see `guarded_protocol`."""

    open_of: Counter[str]
    turns: Turns
    max_per_client: int
    header_timeout_s: float
    _address = ""
    _head_timer: asyncio.TimerHandle | None = None
    _later: bytearray
    _ends_later = False

    def connection_made(self, transport: Any) -> None:
        """Count the connection, and close it at once if its address has too many."""
        super().connection_made(transport)
        self.transport = OnePiece(transport, self.loop)  # type: ignore[assignment]  # as far as this protocol uses a transport
        self._later = bytearray()
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if isinstance(peer, tuple) else "local"
        self.open_of[self._address] += 1
        if self.open_of[self._address] > self.max_per_client:
            transport.abort()
            return
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the connection no longer."""
        self._head_is_here()
        self.open_of[self._address] -= 1
        if not self.open_of[self._address]:
            del self.open_of[self._address]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Process a large chunk in pieces, in turn with the other connections."""
        if not self._later and len(data) <= _PIECE_BYTES:
            self._take(data)
            return
        if not self._later:
            self.turns.join(self.loop, self._take_piece)
        self._later += data
        # Nothing more is read until this is done, so that the client waits too.
        self.transport.pause_reading()

    def _take_piece(self) -> bool:
        """Process one piece; whether there is more."""
        if self.transport.is_closing():
            return False
        piece = bytes(self._later[:_PIECE_BYTES])
        del self._later[:_PIECE_BYTES]
        try:
            self._take(piece)
        except Exception:
            # As asyncio does with a protocol that fails.
            self.transport.abort()
            raise
        if not self._later and not self.flow.read_paused:
            self.transport.resume_reading()
        if not self._later and self._ends_later:
            super().shutdown()
        return bool(self._later)

    def shutdown(self) -> None:
        """Close the connection as soon as nothing is in flight on it; bytes that have arrived and are not processed yet count as in flight."""
        if self._later:
            self._ends_later = True
        else:
            super().shutdown()

    def _take(self, data: bytes) -> None:
        """Process bytes, and watch how long a head takes."""
        super().data_received(data)
        # Idle with bytes left: a head that is not complete yet.
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._watch_head()
        else:
            self._head_is_here()

    def _watch_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.header_timeout_s, self.transport.abort)

    def _head_is_here(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def guarded_protocol(*, max_per_client: int, header_timeout_s: float) -> type[GuardedProtocol]:
    """The protocol class of one server.

    Args:
        max_per_client: open connections that one address may have; one more is closed at once.
        header_timeout_s: seconds from the connection, or from a request's first byte, to the end of its head.
    """
    bounds = {"open_of": Counter(), "turns": Turns(), "max_per_client": max_per_client, "header_timeout_s": header_timeout_s}
    return type("BoundedProtocol", (GuardedProtocol,), bounds)

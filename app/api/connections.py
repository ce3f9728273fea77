"""Bounds on connections, below any request: how many one address may hold, and how long a request's head may take.

uvicorn bounds neither: a client that sends a header a minute, or opens ten thousand connections, would be kept for ever.
"""

import asyncio
from collections import Counter
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class GuardedProtocol(H11Protocol):
    """uvicorn's HTTP protocol with bounds. One subclass per server holds them, see `guarded_protocol`."""

    open_of: Counter[str]
    max_per_client: int
    header_timeout_s: float
    _address = ""
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Count it, and close it at once if it is one too many."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if isinstance(peer, tuple) else "local"
        self.open_of[self._address] += 1
        if self.open_of[self._address] > self.max_per_client:
            transport.abort()
            return
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it off."""
        self._head_is_here()
        self.open_of[self._address] -= 1
        if not self.open_of[self._address]:
            del self.open_of[self._address]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Watch how long a head takes."""
        super().data_received(data)
        # Idle with bytes behind it: a head that is not whole yet.
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
        max_per_client: open connections of one address; one more is closed at once.
        header_timeout_s: from the connection, or from a request's first byte, to the end of its head.
    """
    bounds = {"open_of": Counter(), "max_per_client": max_per_client, "header_timeout_s": header_timeout_s}
    return type("BoundedProtocol", (GuardedProtocol,), bounds)

"""Connections for httpcore2's pool, made of asyncio's own protocols: with few system calls for each request.

httpcore2's own connections go through anyio, write head and body of a request in two system calls, and ask the kernel about every idle
connection twice a request. Here a request leaves in one piece, when its reply is awaited, and the event loop has told already which
connections were closed. The pool, HTTP and TLS are the libraries'.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore2

# While so much waits to be read, nothing more is taken from the endpoint; and so much of a request is held until its reply is awaited.
_MOST_BYTES = 65_536
# Seconds until the next address of a host is tried beside the one before (RFC 8305, 5).
_NEXT_ADDRESS_S = 0.25


class _Connection(asyncio.Protocol):
    """One connection, as its event loop sees it: what has come and is not read yet, and whether it has ended."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.ended = False
        self._loop = asyncio.get_running_loop()
        self._error: Exception | None = None
        self._held = bytearray()
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called again when TLS begins."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # as asyncio makes them
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Hold what came, and wake who waits for it."""
        self._held += data
        if len(self._held) > _MOST_BYTES and not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Nothing more comes."""
        self.ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more comes or goes."""
        self.ended, self._error = True, exc
        self._wake()
        self.resume_writing()

    def pause_writing(self) -> None:
        """More is waiting to be sent than asyncio likes to hold."""
        self._writable = self._writable or self._loop.create_future()

    def resume_writing(self) -> None:
        """There is room again."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    @property
    def is_readable(self) -> bool:
        """Whether reading would not wait: there is something to read, or nothing will come any more."""
        return self.ended or bool(self._held)

    async def read(self, max_bytes: int) -> bytes:
        """The next bytes; none where the other side has ended the connection. Raises OSError."""
        if not self._held and not self.ended:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if not self._held:
            if self._error is not None:
                raise self._error
            return b""
        taken = bytes(self._held[:max_bytes])
        del self._held[:max_bytes]
        if self._paused and len(self._held) <= _MOST_BYTES and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()
        return taken

    async def drain(self) -> None:
        """Wait while more is to be sent than asyncio likes to hold."""
        if self._writable is not None:
            # Shielded: another task may wait for the same.
            await asyncio.shield(self._writable)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _Stream(httpcore2.AsyncNetworkStream):
    """A connection as httpcore2 uses it: it reads after it has written."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._unsent = bytearray()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  # httpcore2's
        with _errors(httpcore2.ReadError, httpcore2.ReadTimeout):
            async with asyncio.timeout(timeout):
                await self._send()
                return await self._connection.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        self._unsent += buffer
        if len(self._unsent) > _MOST_BYTES:
            with _errors(httpcore2.WriteError, httpcore2.WriteTimeout):
                async with asyncio.timeout(timeout):
                    await self._send()

    async def aclose(self) -> None:
        # What is not sent yet is not sent any more: its caller has gone.
        self._transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        try:
            with _errors(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                async with asyncio.timeout(timeout):
                    secured = await loop.start_tls(self._transport, self._connection, ssl_context, server_hostname=server_hostname)
        except BaseException:
            self._transport.abort()
            raise
        if secured is None:
            raise httpcore2.ConnectError("the connection was closed while TLS began")
        self._connection.connection_made(secured)
        return _Stream(self._connection)

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return self._connection.is_readable
        name = {"client_addr": "sockname", "server_addr": "peername"}.get(info, info)
        return self._transport.get_extra_info(name)

    @property
    def _transport(self) -> asyncio.Transport:
        assert self._connection.transport is not None  # noqa: S101  # there is none before the connection is made
        return self._connection.transport

    async def _send(self) -> None:
        if self._unsent and not self._connection.ended:
            self._transport.write(bytes(self._unsent))
            self._unsent.clear()
            await self._connection.drain()


class Sockets(httpcore2.AsyncNetworkBackend):
    """Makes the connections of a pool."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore2's
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        local = (local_address, 0) if local_address is not None else None
        with _errors(httpcore2.ConnectError, httpcore2.ConnectTimeout):
            async with asyncio.timeout(timeout):
                # asyncio sets TCP_NODELAY. An address has no other one beside it.
                delay_s = None if _is_address(host) else _NEXT_ADDRESS_S
                transport, connection = await loop.create_connection(
                    _Connection, host, port, local_addr=local, happy_eyeballs_delay=delay_s
                )
        for option in socket_options or ():
            transport.get_extra_info("socket").setsockopt(*option)
        return _Stream(connection)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@contextmanager
def _errors(failed: type[Exception], late: type[Exception]) -> Iterator[None]:
    """Raise what httpcore2 expects, with the cause."""
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except OSError as error:
        raise failed(str(error)) from error

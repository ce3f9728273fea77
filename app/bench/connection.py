"""One connection of a client that measures servers, and what all connections of a run count together.

A client must cost less than the servers it measures: the bytes of a request are prepared once, connections are kept, and a reply is read
no further than to its end. It knows no API; a caller makes the bodies, and says which replies are good ones.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from app.bench.reply import MalformedReply, Reply

_OK = range(200, 300)
_SHOWN = 300


@dataclass(frozen=True)
class Request:
    """A request as the bytes that go out.

    Attributes:
        host: name or address of the server.
        port: port of the server.
        data: head and body.
    """

    host: str
    port: int
    data: bytes


def prepare(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Request:
    """Make a request: POST with a JSON body, or GET without one.

    Raises:
        ValueError: the URL is not `http://…`.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"only http:// can be measured, and this is {url}")
    port = parts.port or 80
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    lines = {"Host": f"{host}:{port}", "Accept": "*/*"}
    if body is not None:
        lines |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines |= headers or {}
    head = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items())]
    return Request(parts.hostname, port, "\r\n".join([*head, "", ""]).encode("latin-1") + (body or b""))


class Connection(asyncio.Protocol):
    """One connection. At most one request is under way."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._reply = Reply()
        self._waiter: asyncio.Future[Reply] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # for mypy: create_connection makes no other
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():
            # Nothing was asked, so nothing should have come; such a connection is of no use any more.
            self.close()
            return
        try:
            self._reply.feed(data)
        except (MalformedReply, ValueError) as error:
            self._waiter.set_exception(MalformedReply(str(error)))
            return
        if self._reply.complete:
            self._waiter.set_result(self._reply)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the interface of asyncio
        self.transport = None
        if self._waiter is not None and not self._waiter.done():
            self._reply.end()
            if self._reply.complete:
                self._waiter.set_result(self._reply)
            else:
                self._waiter.set_exception(ConnectionResetError("the server closed the connection before the reply was complete"))

    async def ask(self, data: bytes) -> Reply:
        """Send a request on an open connection and wait for its reply."""
        assert self.transport is not None  # noqa: S101  # for mypy: `Tally.exchange` asks open connections only
        self._reply = Reply()
        self._waiter = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def close(self) -> None:
        """Close it at once."""
        if self.transport is not None:
            self.transport.abort()
            self.transport = None


async def open_connections(request: Request, count: int, timeout: float) -> list[Connection]:  # noqa: ASYNC109  # of each connection
    """Open connections to the server of a request; where it does not accept one, the first request on that one finds out why."""
    return await asyncio.gather(*(_opened(request, timeout) for _ in range(count)))


async def _opened(request: Request, timeout: float) -> Connection:  # noqa: ASYNC109  # as above
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(timeout):
            _, connection = await asyncio.get_running_loop().create_connection(Connection, request.host, request.port)
            return connection
    return Connection()


@dataclass
class Tally:
    """What the connections of a run share: the requests, and what came back.

    Attributes:
        requests: what is sent, in turn.
        timeout: seconds from the beginning of a request until its reply must be complete.
        on_reply: called with the index of the request in `requests`, the status and the body of each reply; must be quick.
        accepts: whether the body of a reply with a status of 2xx is what was asked for; None accepts all.
        latencies: seconds of each good reply, in the order of their arrival.
        statuses: number of replies by HTTP status.
        errors: number of requests without a reply, by the kind of failure.
        first_failure: what the first reply that was not a good one said, or the first error.
    """

    requests: Sequence[Request]
    timeout: float
    on_reply: Callable[[int, int, bytes], None] | None = None
    accepts: Callable[[bytes], bool] | None = None
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    first_failure: str | None = None

    def failed(self, kind: str, said: str) -> None:
        """Count a request that has no reply."""
        self.errors[kind] += 1
        self._say(said or kind)

    async def exchange(self, connection: Connection, number: int, began: float) -> tuple[Connection, bool]:
        """Send the n-th request, wait for its reply, and count it.

        Args:
            connection: a connection; it is opened first where it is not open.
            number: number of the request in the run.
            began: time (`time.perf_counter`) from which the latency and the timeout count.

        Returns:
            The connection for the next request, and whether there was a reply, whatever its status.
        """
        index = number % len(self.requests)
        request = self.requests[index]
        try:
            async with asyncio.timeout(began + self.timeout - time.perf_counter()):
                if connection.transport is None:
                    _, connection = await asyncio.get_running_loop().create_connection(Connection, request.host, request.port)
                reply = await connection.ask(request.data)
        except (OSError, MalformedReply, TimeoutError) as error:
            # A reply that comes after its time would be taken for the next one's.
            connection.close()
            self.failed(type(error).__name__, str(error))
            return connection, False
        took = time.perf_counter() - began
        self.statuses[reply.status] += 1
        if reply.status not in _OK:
            self._say(f"{reply.status}: {_shown(reply.body)}")
        elif self.accepts is not None and not self.accepts(reply.body):
            self._say(f"{reply.status}, and not the answer that was asked for: {_shown(reply.body)}")
        else:
            self.latencies.append(took)
        if self.on_reply is not None:
            self.on_reply(index, reply.status, reply.body)
        if not reply.keep_alive:
            connection.close()
        return connection, True

    def _say(self, said: str) -> None:
        if self.first_failure is None:
            self.first_failure = said


def _shown(body: bytes) -> str:
    return body[:_SHOWN].decode(errors="replace")

"""A closed-loop HTTP client: N connections, each of which sends its next request when it has the whole reply to the one before.

It measures servers, so it must cost less than they do: the bytes of a request are prepared once, connections are kept, and a reply
is read no further than to its end. `app.bench.ceiling` shows how fast the client itself is. It knows no API; a caller makes the bodies.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from app.bench.reply import MalformedReply, Reply

# After a failure a client waits this long, so that a server that is down is not asked in a tight loop.
_PAUSE_S = 0.02
_OK = range(200, 300)


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


@dataclass(frozen=True)
class Load:
    """What a run of the client has seen.

    Attributes:
        clients: number of connections.
        seconds: from the first request to the last reply.
        latencies: seconds of each reply with a status of 2xx, in the order of their arrival.
        statuses: number of replies by HTTP status.
        errors: number of requests without a reply, by the kind of failure.
        first_failure: what the first reply that was not 2xx said, or the first error; None if there was none.
        client_cpu_s: CPU seconds that this process used meanwhile.
    """

    clients: int
    seconds: float
    latencies: tuple[float, ...]
    statuses: Mapping[int, int]
    errors: Mapping[str, int]
    first_failure: str | None
    client_cpu_s: float

    @property
    def rate(self) -> float:
        """Successful replies a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    @property
    def failures(self) -> int:
        """Number of requests without a successful reply."""
        return sum(self.statuses.values()) - len(self.latencies) + sum(self.errors.values())

    @property
    def client_cpu_share(self) -> float:
        """Share of one core that this process used: near 1, the client is the bottleneck."""
        return self.client_cpu_s / self.seconds if self.seconds else 0.0


@dataclass
class _Run:
    """State that the connections of a run share."""

    requests: Sequence[Request]
    count: float
    until: float
    timeout: float
    on_reply: Callable[[int, int, bytes], None] | None
    turn: "itertools.count[int]" = field(default_factory=itertools.count)
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    first_failure: str | None = None

    def failed(self, said: str) -> None:
        if self.first_failure is None:
            self.first_failure = said


class _Connection(asyncio.Protocol):
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
        assert self.transport is not None  # noqa: S101  # for mypy: `_client` asks open connections only
        self._reply = Reply()
        self._waiter = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()
            self.transport = None


async def drive(
    requests: Sequence[Request],
    *,
    clients: int,
    count: int | None = None,
    seconds: float | None = None,
    timeout: float = 60.0,  # noqa: ASYNC109  # of each request, not of this call
    on_reply: Callable[[int, int, bytes], None] | None = None,
) -> Load:
    """Send requests with N clients; each sends its next request when it has the reply to the one before.

    The clients share the requests and take them in turn, again from the first after the last. After `count` requests or `seconds`,
    whichever comes first, no request begins; those under way are finished and counted.

    Args:
        requests: what is sent, at least one.
        clients: number of connections.
        count: number of requests.
        seconds: duration in seconds.
        timeout: seconds within which a connection opens, and within which a reply is complete.
        on_reply: called with the index of the request in `requests`, the status and the body of each reply; must be quick.

    Raises:
        ValueError: neither `count` nor `seconds` is given, or there are no requests.
    """
    if not requests or (count is None and seconds is None):
        raise ValueError("a run needs requests, and a number of them or a duration")
    # Before the clock starts: hundreds of connections that are opened at once take a server longer than their requests.
    connections = await asyncio.gather(*(_opened(requests[0], timeout) for _ in range(clients)))
    run = _Run(
        requests,
        float("inf") if count is None else count,
        float("inf") if seconds is None else time.perf_counter() + seconds,
        timeout,
        on_reply,
    )
    cpu, began = time.process_time(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for connection in connections:
            group.create_task(_client(run, connection))
    took = time.perf_counter() - began
    return Load(clients, took, tuple(run.latencies), dict(run.statuses), dict(run.errors), run.first_failure, time.process_time() - cpu)


async def _opened(request: Request, timeout: float) -> _Connection:  # noqa: ASYNC109  # as in `drive`
    """A connection; one that is not open where the server does not accept it, so that the first request finds out why."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(timeout):
            _, connection = await asyncio.get_running_loop().create_connection(_Connection, request.host, request.port)
            return connection
    return _Connection()


async def _client(run: _Run, connection: _Connection) -> None:
    """Send requests one after the other until the run ends."""
    loop = asyncio.get_running_loop()
    try:
        while time.perf_counter() < run.until and (number := next(run.turn)) < run.count:
            index = number % len(run.requests)
            request = run.requests[index]
            began = time.perf_counter()
            try:
                async with asyncio.timeout(run.timeout):
                    if connection.transport is None:
                        _, connection = await loop.create_connection(_Connection, request.host, request.port)
                    reply = await connection.ask(request.data)
            except (OSError, MalformedReply, TimeoutError) as error:
                # A reply that comes after its time would be taken for the next one's.
                connection.close()
                run.errors[type(error).__name__] += 1
                run.failed(str(error) or type(error).__name__)
                await asyncio.sleep(_PAUSE_S)
                continue
            took = time.perf_counter() - began
            run.statuses[reply.status] += 1
            if reply.status in _OK:
                run.latencies.append(took)
            else:
                run.failed(f"{reply.status}: {reply.body[:300].decode(errors='replace')}")
            if run.on_reply is not None:
                run.on_reply(index, reply.status, reply.body)
            if not reply.keep_alive:
                connection.close()
    finally:
        with suppress(OSError):
            connection.close()

"""A closed-loop HTTP client: N connections, each of which sends its next request when it has the whole reply to the one before.

`app.bench.offered` is the other client, which sends at a fixed rate. `app.bench.ceiling` shows how fast both are themselves.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from app.bench.connection import Connection, Request, Tally, open_connections

# After a failure a client waits this long, so that a server that is down is not asked in a tight loop.
_PAUSE_S = 0.02


@dataclass(frozen=True)
class Load:
    """What a run of a client has seen.

    Attributes:
        clients: number of connections.
        seconds: from the first request to the last reply.
        latencies: seconds of each good reply (a status of 2xx and, where the run says what is good, such a body), in the order of arrival.
        statuses: number of replies by HTTP status.
        errors: number of requests without a reply, by the kind of failure.
        first_failure: what the first reply that was not a good one said, or the first error; None if there was none.
        client_cpu_s: CPU seconds that this process used meanwhile.
    """

    clients: int
    seconds: float
    latencies: tuple[float, ...]
    statuses: Mapping[int, int]
    errors: Mapping[str, int]
    first_failure: str | None
    client_cpu_s: float

    @classmethod
    def of(cls, tally: Tally, *, clients: int, seconds: float, client_cpu_s: float) -> "Load":
        """What was counted, as a result that no longer changes."""
        return cls(clients, seconds, tuple(tally.latencies), dict(tally.statuses), dict(tally.errors), tally.first_failure, client_cpu_s)

    @property
    def rate(self) -> float:
        """Good replies a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    @property
    def failures(self) -> int:
        """Number of requests without a good reply."""
        return sum(self.statuses.values()) - len(self.latencies) + sum(self.errors.values())

    @property
    def client_cpu_share(self) -> float:
        """Share of one core that this process used: near 1, the client is the bottleneck."""
        return self.client_cpu_s / self.seconds if self.seconds else 0.0


@dataclass
class _Run:
    """When the connections of a run stop."""

    tally: Tally
    count: float
    until: float
    turn: "itertools.count[int]" = field(default_factory=itertools.count)


async def drive(
    requests: Sequence[Request],
    *,
    clients: int,
    count: int | None = None,
    seconds: float | None = None,
    timeout: float = 60.0,  # noqa: ASYNC109  # of each request, not of this call
    on_reply: Callable[[int, int, bytes], None] | None = None,
    accepts: Callable[[bytes], bool] | None = None,
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
        accepts: whether the body of a reply with a status of 2xx is what was asked for; otherwise it is a failure.

    Raises:
        ValueError: neither `count` nor `seconds` is given, or there are no requests.
    """
    if not requests or (count is None and seconds is None):
        raise ValueError("a run needs requests, and a number of them or a duration")
    # Before the clock starts: hundreds of connections that are opened at once take a server longer than their requests.
    connections = await open_connections(requests[0], clients, timeout)
    run = _Run(
        Tally(requests, timeout, on_reply, accepts),
        float("inf") if count is None else count,
        float("inf") if seconds is None else time.perf_counter() + seconds,
    )
    cpu, began = time.process_time(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for connection in connections:
            group.create_task(_client(run, connection))
    took = time.perf_counter() - began
    return Load.of(run.tally, clients=clients, seconds=took, client_cpu_s=time.process_time() - cpu)


async def _client(run: _Run, connection: Connection) -> None:
    """Send requests one after the other until the run ends."""
    try:
        while time.perf_counter() < run.until and (number := next(run.turn)) < run.count:
            connection, replied = await run.tally.exchange(connection, number, time.perf_counter())
            if not replied:
                await asyncio.sleep(_PAUSE_S)
    finally:
        with suppress(OSError):
            connection.close()

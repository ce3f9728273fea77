"""An open-loop HTTP client: requests are sent at a fixed rate, whether or not the server keeps up.

When each request is to be sent is planned before the run. A request whose time has come while all connections wait for replies is sent by
the first one that becomes free, and its latency counts from the planned time: what a slow server makes callers wait is not left out, as a
client that waits for replies leaves it out ("coordinated omission", G. Tene, "How NOT to measure latency", 2015).
"""

import asyncio
import itertools
import random
import selectors
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from app.bench.client import Load
from app.bench.connection import Connection, Request, Tally, open_connections
from app.bench.numbers import p50_and_p99, rounded

# A run is planned as a whole in memory.
MOST_REQUESTS = 1_000_000
# Between the opening of the connections and the first request, so that it too finds a connection that waits for it.
_LEAD_S = 0.05
# `select` takes file numbers below 1,024, and this process has other files.
MOST_CONNECTIONS = 512


@dataclass(frozen=True)
class OfferedLoad:
    """What a run at a fixed rate has seen.

    Attributes:
        rate: requests a second that were planned.
        planned: number of requests that were planned.
        load: what came back; its latencies count from the planned times.
        late: seconds by which the client itself sent after the planned time although a connection was free, for each such request.
        waited: number of requests whose time came while no connection was free.
    """

    rate: float
    planned: int
    load: Load
    late: tuple[float, ...]
    waited: int


@dataclass(frozen=True)
class Total:
    """Several runs at one rate together. Times are in seconds; what cannot be known is None.

    Attributes:
        rate: requests a second that were offered.
        runs: number of runs.
        planned: requests that were planned in all of them.
        answered_share: share of those that got a good reply within the timeout.
        failures: requests without a good reply.
        first_failure: what the first of them said.
        p50_s, p99_s: percentiles of the latency of good replies of all runs, from the planned times on.
        waited_share: share of the requests whose time came while no connection was free: the server was behind.
        late_p99_s: 99th percentile of how much later than planned the client sent although a connection was free.
        client_cpu_share: largest share of a core that the client used.
    """

    rate: float
    runs: int
    planned: int
    answered_share: float
    failures: int
    first_failure: str | None
    p50_s: float | None
    p99_s: float | None
    waited_share: float
    late_p99_s: float | None
    client_cpu_share: float

    @classmethod
    def of(cls, runs: Sequence[OfferedLoad]) -> "Total":
        """Pool at least one run; all have the same rate."""
        loads = [run.load for run in runs]
        planned = sum(run.planned for run in runs)
        p50, p99 = p50_and_p99([seconds for load in loads for seconds in load.latencies])
        return cls(
            rate=runs[0].rate,
            runs=len(runs),
            planned=planned,
            answered_share=sum(len(load.latencies) for load in loads) / planned,
            failures=sum(load.failures for load in loads),
            first_failure=next((load.first_failure for load in loads if load.first_failure), None),
            p50_s=p50,
            p99_s=p99,
            waited_share=sum(run.waited for run in runs) / planned,
            late_p99_s=p50_and_p99([seconds for run in runs for seconds in run.late])[1],
            client_cpu_share=max(load.client_cpu_share for load in loads),
        )

    def row(self) -> dict[str, Any]:
        """As a JSON object."""
        return {name: rounded(value) if isinstance(value, float) else value for name, value in asdict(self).items()}


@dataclass
class _Run:
    """What the connections of a run share."""

    tally: Tally
    times: Sequence[float]
    began: float = 0.0
    turn: "itertools.count[int]" = field(default_factory=itertools.count)
    late: list[float] = field(default_factory=list)
    waited: int = 0


def send_times(rate: float, seconds: float, *, even: bool = False, seed: int = 0) -> list[float]:
    """When to send each request, in seconds from the beginning, in ascending order: `round(rate · seconds)` times.

    Args:
        rate: requests a second.
        seconds: duration in seconds.
        even: whether the times are equally far apart; otherwise they are those of a Poisson process with that number of arrivals, which
            are uniformly distributed.
        seed: seed of the random numbers.

    Raises:
        ValueError: rate or duration are not positive, or there would be no request or more than `MOST_REQUESTS`.
    """
    if not (rate > 0 and seconds > 0):
        raise ValueError(f"a rate and a duration are positive, and these are {rate:g} a second and {seconds:g} s")
    count = round(rate * seconds)
    if not 0 < count <= MOST_REQUESTS:
        raise ValueError(f"{rate:g} a second for {seconds:g} s are {count:,} requests, and a run has 1 to {MOST_REQUESTS:,}")
    if even:
        return [number / rate for number in range(count)]
    draw = random.Random(seed)  # noqa: S311  # the same times for all servers
    return sorted(draw.random() * seconds for _ in range(count))


async def offer(
    requests: Sequence[Request],
    times: Sequence[float],
    *,
    rate: float,
    connections: int,
    timeout: float = 10.0,  # noqa: ASYNC109  # of each request, not of this call
    on_reply: Callable[[int, int, bytes], None] | None = None,
    accepts: Callable[[bytes], bool] | None = None,
) -> OfferedLoad:
    """Send requests at planned times. The run ends with the last reply, at the latest `timeout` seconds after the last planned time.

    Run it in a `precise_loop`, whose timers do not add to the latencies.

    Args:
        requests: what is sent, in turn, at least one.
        times: when to send each request, as `send_times` gives them.
        rate: requests a second, for the report.
        connections: number of connections, at most `MOST_CONNECTIONS`. All are open before the first request. One request is under way on each.
        timeout: seconds from the planned time within which a reply is complete. A request that could not be sent by then is not sent.
        on_reply: called with the index of the request in `requests`, the status and the body of each reply; must be quick.
        accepts: whether the body of a reply with a status of 2xx is what was asked for; otherwise it is a failure.

    Raises:
        ValueError: there are no requests or no times, or too many connections.
    """
    if not requests or not times:
        raise ValueError("a run needs requests and times")
    if not 0 < connections <= MOST_CONNECTIONS:
        raise ValueError(f"a run at a fixed rate has 1 to {MOST_CONNECTIONS} connections, and not {connections}")
    opened = await open_connections(requests[0], connections, timeout)
    run = _Run(Tally(requests, timeout, on_reply, accepts), times)
    cpu = time.process_time()
    run.began = time.perf_counter() + _LEAD_S
    async with asyncio.TaskGroup() as group:
        for connection in opened:
            group.create_task(_sender(run, connection))
    took = time.perf_counter() - run.began
    load = Load.of(run.tally, clients=connections, seconds=took, client_cpu_s=time.process_time() - cpu)
    return OfferedLoad(rate, len(times), load, tuple(run.late), run.waited)


async def _sender(run: _Run, connection: Connection) -> None:
    """Take the next request of the plan, wait for its time, send it, and wait for its reply, until none is left.

    A connection without a request under way has always taken one. So a time that has passed when its request is taken passed while all
    connections were in use.
    """
    try:
        while (number := next(run.turn)) < len(run.times):
            planned = run.began + run.times[number]
            early = planned - time.perf_counter()
            if early > 0:
                await asyncio.sleep(early)
                run.late.append(max(0.0, time.perf_counter() - planned))
            else:
                run.waited += 1
            if time.perf_counter() >= planned + run.tally.timeout:
                run.tally.failed("NotSent", f"not sent within {run.tally.timeout:g} s, because all connections were in use")
                continue
            connection, _ = await run.tally.exchange(connection, number, planned)
    finally:
        with suppress(OSError):
            connection.close()


def precise_loop() -> asyncio.AbstractEventLoop:
    """An event loop whose timers are as fine as those of the system.

    asyncio's usual one on Linux waits with `epoll`, which rounds every wait up to a whole millisecond; `select` does not.
    """
    return asyncio.SelectorEventLoop(selectors.SelectSelector())

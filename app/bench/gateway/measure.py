"""`foggate bench gateway`: measures all ways in turn, round after round, so that a machine that changes its speed changes it for all."""

import contextlib
import json
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from app.bench.client import Load, drive
from app.bench.connection import prepare
from app.bench.gateway.offered_summary import OfferedSample
from app.bench.gateway.summary import Sample, Used
from app.bench.gateway.ways import Way
from app.bench.offered import OfferedLoad, offer, send_times
from app.bench.processes import Server

Result = TypeVar("Result")

# Of each request.
_TIMEOUT_S = 30.0
# Of each request at a fixed rate: what is answered later counts as not answered.
OFFERED_TIMEOUT_S = 10.0
OFFERED_CONNECTIONS = 256
# Servers compile and connect on their first requests.
_WARM_UP = 32


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes:
        connections: numbers of connections.
        rounds: rounds; each measures every way with every number of connections, and at every rate, once.
        seconds: seconds of one measurement.
        max_seconds: seconds after which no further measurement begins.
        rates: rates in requests a second at which requests are offered.
        rate_seconds: seconds of one measurement at a rate.
    """

    connections: Sequence[int]
    rounds: int
    seconds: float
    max_seconds: float
    rates: Sequence[float] = field(default_factory=tuple)
    rate_seconds: float = 5.0


@dataclass(frozen=True)
class Bench:
    """What is measured with: the servers, and where client and mock cloud run.

    Attributes:
        ways: the ways.
        mock: the mock cloud, which all ways but the edge route and the least servers end at.
        shared_core: whether the client and the mock cloud share a core.
        until: time (`time.monotonic`) after which no further measurement begins.
        progress: told the name of the step, how many measurements are done, and how many there are.
    """

    ways: Sequence[Way]
    mock: Server
    shared_core: bool
    until: float
    progress: Callable[[str, int, int], None]


async def measure(plan: Plan, bench: Bench) -> tuple[list[Sample], bool]:
    """Measure with closed loops. Returns the samples, and whether all measurements were made in time."""
    samples: list[Sample] = []
    for way in bench.ways:
        await drive(way.requests, clients=4, count=_WARM_UP, timeout=_TIMEOUT_S)
    of = plan.rounds * len(plan.connections) * len(bench.ways)
    for turn in range(plan.rounds):
        for connections in plan.connections:
            for way in _turned(bench.ways, turn):
                if time.monotonic() > bench.until:
                    return samples, False
                bench.progress("measuring", len(samples), of)
                calls = await _cloud_calls(bench.mock)
                run = drive(way.requests, clients=connections, seconds=plan.seconds, timeout=_TIMEOUT_S, accepts=way.accepts)
                load, used = await _watched(way, bench, run, lambda load: load)
                calls = await _cloud_calls(bench.mock) - calls
                samples.append(
                    Sample(
                        way=way.name,
                        connections=connections,
                        seconds=load.seconds,
                        latencies=load.latencies,
                        failures=load.failures,
                        first_failure=load.first_failure,
                        used=used,
                        cloud_calls=calls,
                    )
                )
    return samples, True


async def measure_offered(plan: Plan, bench: Bench) -> tuple[list[OfferedSample], bool]:
    """Measure at fixed rates. Every way gets its requests at the same times. Run it in a loop of `app.bench.offered.precise_loop`.

    Returns:
        The samples, and whether all measurements were made in time.
    """
    samples: list[OfferedSample] = []
    for way in bench.ways:
        # Every connection that will be used has been accepted once, and the cloud's too.
        await drive(way.requests, clients=_WARM_UP, count=2 * _WARM_UP, timeout=_TIMEOUT_S)
    of = plan.rounds * len(plan.rates) * len(bench.ways)
    for turn in range(plan.rounds):
        for rate in plan.rates:
            times = send_times(rate, plan.rate_seconds, seed=turn)
            for way in _turned(bench.ways, turn):
                if time.monotonic() > bench.until:
                    return samples, False
                bench.progress("measuring at a fixed rate", len(samples), of)
                run = offer(
                    way.requests,
                    times,
                    rate=rate,
                    connections=OFFERED_CONNECTIONS,
                    timeout=OFFERED_TIMEOUT_S,
                    accepts=way.accepts,
                )
                found, used = await _watched(way, bench, run, _load_of)
                samples.append(OfferedSample(way.name, found, used))
    return samples, True


def _load_of(found: OfferedLoad) -> Load:
    return found.load


def _turned(ways: Sequence[Way], turn: int) -> list[Way]:
    """The ways in the order of a round: each round begins with another one."""
    first = turn % len(ways)
    return [*ways[first:], *ways[:first]]


async def _watched(way: Way, bench: Bench, run: Coroutine[Any, Any, Result], load_of: Callable[[Result], Load]) -> tuple[Result, Used]:
    """Run a client, and look at what its server, the mock cloud and this process used meanwhile."""
    before, mock_before, waited_before = way.server.usage(), bench.mock.usage(), _waited_s(way.server.pid)
    found = await run
    after, mock_after, waited_after = way.server.usage(), bench.mock.usage(), _waited_s(way.server.pid)
    load = load_of(found)
    mock_share = 0.0 if mock_before is None or mock_after is None else (mock_after.cpu_s - mock_before.cpu_s) / load.seconds
    shares = (load.client_cpu_share, mock_share)
    used = Used(
        # A server that has ended is not there any more, and what it used is not known.
        cpu_s=None if before is None or after is None else after.cpu_s - before.cpu_s,
        rss_mb=None if after is None else after.rss_bytes / 1e6,
        load_share=sum(shares) if bench.shared_core else max(shares),
        starved_share=None if waited_before is None or waited_after is None else (waited_after - waited_before) / load.seconds,
    )
    return found, used


def _waited_s(process: int) -> float | None:
    """Seconds that the main thread of a process, which runs its event loop, was ready to run and waited for a core; None without `/proc`."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        # Time on a core and time in the queue for one, in nanoseconds (Documentation/scheduler/sched-stats.rst of Linux).
        return int(Path(f"/proc/{process}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    return None


async def _cloud_calls(mock: Server) -> int:
    """Number of chats that the mock cloud has been asked so far."""
    found: list[int] = []
    await drive(
        [prepare(f"{mock.url}/stats")],
        clients=1,
        count=1,
        on_reply=lambda _index, _status, body: found.append(json.loads(body)["requests"]),
    )
    return found[0] if found else 0

"""`foggate bench gateway`: measures all ways in turn, round after round, so that a machine that changes its speed changes it for all."""

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.bench.client import drive
from app.bench.gateway.summary import Sample
from app.bench.gateway.ways import Way
from app.bench.processes import Server

# Of each request.
_TIMEOUT_S = 30.0
# Servers compile and connect on their first requests.
_WARM_UP = 32


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes:
        connections: numbers of connections.
        rounds: rounds; each measures every way with every number of connections once.
        seconds: seconds of one measurement.
        max_seconds: seconds after which no further measurement begins.
    """

    connections: Sequence[int]
    rounds: int
    seconds: float
    max_seconds: float


async def measure(
    plan: Plan, ways: Sequence[Way], mock: Server, *, shared_core: bool, progress: Callable[[str, int, int], None]
) -> tuple[list[Sample], bool]:
    """Measure.

    Args:
        plan: what is measured.
        ways: the ways.
        mock: the mock cloud, which all ways but the edge route end at.
        shared_core: whether the client and the mock cloud share a core.
        progress: told the name of the step, how many measurements are done, and how many there are.

    Returns:
        The samples, and whether all measurements were made in the time of the plan.
    """
    until = time.monotonic() + plan.max_seconds
    samples: list[Sample] = []
    for way in ways:
        await drive(way.requests, clients=4, count=_WARM_UP, timeout=_TIMEOUT_S)
    of = plan.rounds * len(plan.connections) * len(ways)
    for turn in range(plan.rounds):
        for connections in plan.connections:
            first = turn % len(ways)
            for way in [*ways[first:], *ways[:first]]:
                if time.monotonic() > until:
                    return samples, False
                progress("measuring", len(samples), of)
                samples.append(await _sample(way, connections, plan.seconds, mock, shared_core=shared_core))
    return samples, True


async def _sample(way: Way, connections: int, seconds: float, mock: Server, *, shared_core: bool) -> Sample:
    before, mock_before, waited_before = way.server.usage(), mock.usage(), _waited_s(way.server.pid)
    load = await drive(way.requests, clients=connections, seconds=seconds, timeout=_TIMEOUT_S)
    after, mock_after, waited_after = way.server.usage(), mock.usage(), _waited_s(way.server.pid)
    mock_share = 0.0 if mock_before is None or mock_after is None else (mock_after.cpu_s - mock_before.cpu_s) / load.seconds
    client_share = load.client_cpu_share
    return Sample(
        way=way.name,
        connections=connections,
        seconds=load.seconds,
        latencies=load.latencies,
        failures=load.failures,
        first_failure=load.first_failure,
        cpu_s=None if before is None or after is None else after.cpu_s - before.cpu_s,
        rss_mb=None if after is None else after.rss_bytes / 1e6,
        load_share=client_share + mock_share if shared_core else max(client_share, mock_share),
        starved_share=None if waited_before is None or waited_after is None else (waited_after - waited_before) / load.seconds,
    )


def _waited_s(process: int) -> float | None:
    """Seconds that the main thread of a process, which runs its event loop, was ready to run and waited for a core; None without `/proc`."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        # Time on a core and time in the queue for one, in nanoseconds (Documentation/scheduler/sched-stats.rst of Linux).
        return int(Path(f"/proc/{process}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    return None


def pin(ways: Sequence[Way], mock: Server) -> bool | None:
    """Give the servers that are measured one core, and the client and the mock cloud the others, so that "one core" means one.

    Only one server is measured at a time, so all of them share that core; the others are idle meanwhile.

    Returns:
        Whether the client and the mock cloud share a core; None where nothing was pinned, because there is only one core or the system
        (macOS) cannot.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        return None
    *others, measured = cores
    for way in ways:
        if way.server.pid != mock.pid:
            _pin_all(way.server.pid, {measured})
    _pin_all(mock.pid, {others[0]})
    _pin_all(os.getpid(), {others[-1]})
    return len(others) == 1


def unpin(cores: "set[int]") -> None:
    """Let this process use these cores again."""
    _pin_all(os.getpid(), cores)


def _pin_all(process: int, cores: "set[int]") -> None:
    """Every thread of a process; threads and children that it starts later inherit it."""
    for thread in Path(f"/proc/{process}/task").iterdir():
        # Threads may end while this looks at them.
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), cores)

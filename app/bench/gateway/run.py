"""One run of `foggate bench gateway`: starts the servers, measures, ends them, and gives the report as a JSON object."""

import datetime as dt
import importlib.metadata
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import __version__
from app.bench.ceiling import ceiling, least_server
from app.bench.client import drive
from app.bench.gateway.cores import Layout, layout, place, usual_cores
from app.bench.gateway.goals import COMPARED_AT, goals_of
from app.bench.gateway.litellm import VERSION
from app.bench.gateway.measure import OFFERED_CONNECTIONS, OFFERED_TIMEOUT_S, Bench, Plan, measure, measure_offered
from app.bench.gateway.offered_summary import offered_rows_of
from app.bench.gateway.summary import rows_of
from app.bench.gateway.ways import LABELS, LITELLM, client_way, edge_way, gateway_settings, mock_cloud, running, waiting_gateway
from app.bench.machine import machine
from app.bench.offered import precise_loop
from app.bench.processes import Server
from app.core import interrupts

# The profile is of one measurement that is so many times as long as the others.
_PROFILED = 5


@dataclass(frozen=True)
class Around:
    """What the gateway is measured with.

    Attributes:
        delay_ms: milliseconds that the mock cloud waits before a reply.
        edge_ms: milliseconds that the gateway's edge engine waits for a batch.
        peers: names of the other servers to measure.
        environments: folder of the environments into which they are installed.
        pinned: whether the servers that are measured get one core, and client and mock cloud the others.
        profiled: whether the gateway's edge route is measured once more to see where its processor time goes.
    """

    delay_ms: float
    edge_ms: float
    peers: Sequence[str]
    environments: Path
    pinned: bool
    profiled: bool = False


def bench(plan: Plan, around: Around, *, say: Callable[[str], None], progress: Callable[[str, int, int], None]) -> dict[str, Any]:
    """Measure the gateway and its peers in front of a mock cloud.

    Args:
        plan: what is measured.
        around: what it is measured with.
        say: told what takes long.
        progress: told the name of the step, how much of it is done, and how much there is.

    Returns:
        A JSON object.

    Raises:
        ServerFailed: the gateway or the mock cloud cannot be started.
    """
    began = dt.datetime.now(dt.UTC)
    found = machine()
    most = max(*plan.connections, OFFERED_CONNECTIONS if plan.rates else 0)
    with tempfile.TemporaryDirectory(prefix="foggate-bench-") as name, usual_cores():
        logs = Path(name)
        with (
            mock_cloud(logs, delay_ms=around.delay_ms) as mock,
            least_server() as least,
            running(mock, logs, edge_ms=around.edge_ms, most=most, peers=around.peers, environments=around.environments, say=say) as (
                ways,
                absent,
            ),
        ):
            cores = layout() if around.pinned else None
            if cores is not None:
                _place(cores, [*(way.server for way in ways), least], mock)
            is_shared = cores is not None and cores.is_shared
            client = interrupts.run(ceiling(least, clients=COMPARED_AT))
            until = time.monotonic() + plan.max_seconds
            samples, complete = interrupts.run(measure(plan, Bench(ways, mock, is_shared, until, progress)))
            offered: list[Any] = []
            if plan.rates and complete:
                whole = Bench([client_way(least), *ways], mock, is_shared, until, progress)
                offered, complete = interrupts.run(measure_offered(plan, whole), loop=precise_loop)
            started = {way.name: round(way.server.started_s, 2) for way in ways}
            profile = (
                _profile(logs, mock, around, most=most, seconds=_PROFILED * plan.seconds, cores=cores, say=say) if around.profiled else None
            )
    rows = rows_of(samples)
    return {
        "bench": "gateway",
        "created": began.isoformat(timespec="seconds"),
        "machine": found,
        "pinned": cores is not None,
        "versions": {
            "foggate": __version__,
            **{name: importlib.metadata.version(name) for name in ("uvicorn", "fastapi", "httpx2")},
            **({"litellm": VERSION} if LITELLM in around.peers else {}),
        },
        "delay_ms": around.delay_ms,
        "edge_ms": around.edge_ms,
        "connections": list(plan.connections),
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "complete": complete,
        "client_ceiling": round(client.rate),
        "ways": {way: {"label": LABELS[way], "ready_s": took} for way, took in started.items()},
        "absent": absent,
        "rows": [row.as_json() for row in rows],
        "goals": [goal.as_json() for goal in goals_of(rows)],
        "offered": {
            "seconds": plan.rate_seconds,
            "connections": OFFERED_CONNECTIONS,
            "timeout_s": OFFERED_TIMEOUT_S,
            "arrivals": "poisson",
            "rows": [row.as_json() for row in offered_rows_of(offered)],
        }
        if plan.rates
        else None,
        "profile": profile,
    }


def _place(cores: Layout, measured: Sequence[Server], mock: Server) -> None:
    """Give every process its core. The mock cloud is measured too, directly, and stays with the client."""
    for server in measured:
        place(server.pid, cores.mock if server.pid == mock.pid else cores.measured)
    place(os.getpid(), cores.client)


def _profile(
    logs: Path, mock: Server, around: Around, *, most: int, seconds: float, cores: Layout | None, say: Callable[[str], None]
) -> dict[str, Any] | None:
    """Where the processor time of the edge route goes, in a gateway of its own; None where it left no profile."""
    say("profiling the edge route")
    written = logs / "profile.json"
    with waiting_gateway(logs, gateway_settings(mock.url, most=most), edge_ms=around.edge_ms, profile=written) as server:
        if cores is not None:
            place(server.pid, cores.measured)
        way = edge_way(server)
        load = interrupts.run(drive(way.requests, clients=COMPARED_AT, seconds=seconds, accepts=way.accepts))
    if not written.exists() or not load.latencies:
        return None
    found: dict[str, Any] = json.loads(written.read_text(encoding="utf-8"))
    return found | {"replies": len(load.latencies), "rate": round(load.rate, 1), "connections": COMPARED_AT}

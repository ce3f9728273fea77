"""One run of `foggate bench gateway`: starts the servers, measures, ends them, and gives the report as a JSON object."""

import asyncio
import datetime as dt
import importlib.metadata
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app import __version__
from app.bench.ceiling import ceiling
from app.bench.gateway.litellm import VERSION
from app.bench.gateway.measure import Plan, measure, pin, unpin
from app.bench.gateway.summary import goals_of, rows_of
from app.bench.gateway.ways import LABELS, mock_cloud, running
from app.bench.machine import machine

_CEILING_CLIENTS = 64


def bench(
    plan: Plan,
    *,
    delay_ms: float,
    edge_ms: float,
    peers: Sequence[str],
    environments: Path,
    pinned: bool,
    say: Callable[[str], None],
    progress: Callable[[str, int, int], None],
    run: Callable[[Any], Any] = asyncio.run,
) -> dict[str, Any]:
    """Measure the gateway and its peers in front of a mock cloud.

    Args:
        plan: what is measured.
        delay_ms: milliseconds that the mock cloud waits before a reply.
        edge_ms: milliseconds that the gateway's edge engine waits for a batch.
        peers: names of the other proxies to measure.
        environments: folder of the environments into which they are installed.
        pinned: whether the servers that are measured get one core, and client and mock cloud the others.
        say: told what takes long.
        progress: told the name of the step, how much of it is done, and how much there is.
        run: runs a coroutine to its end.

    Returns:
        A JSON object.

    Raises:
        ServerFailed: the gateway or the mock cloud cannot be started.
    """
    began = dt.datetime.now(dt.UTC)
    found = machine()
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    most = max(plan.connections)
    with tempfile.TemporaryDirectory(prefix="foggate-bench-") as name:
        logs = Path(name)
        with (
            mock_cloud(logs, delay_ms=delay_ms) as mock,
            running(mock, logs, edge_ms=edge_ms, most=most, peers=peers, environments=environments, say=say) as (ways, absent),
        ):
            try:
                shared = pin(ways, mock) if pinned else None
                client = run(ceiling(clients=_CEILING_CLIENTS))
                samples, complete = run(measure(plan, ways, mock, shared_core=bool(shared), progress=progress))
            finally:
                if cores:
                    unpin(cores)
            started = {way.name: round(way.server.started_s, 2) for way in ways}
    rows = rows_of(samples)
    return {
        "bench": "gateway",
        "created": began.isoformat(timespec="seconds"),
        "machine": found,
        "pinned": shared is not None,
        "versions": {
            "foggate": __version__,
            **{name: importlib.metadata.version(name) for name in ("uvicorn", "fastapi", "httpx2")},
            **({"litellm": VERSION} if "litellm" in peers else {}),
        },
        "delay_ms": delay_ms,
        "edge_ms": edge_ms,
        "connections": list(plan.connections),
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "complete": complete,
        "client_ceiling": round(client.rate),
        "ways": {way: {"label": LABELS[way], "ready_s": took} for way, took in started.items()},
        "absent": absent,
        "rows": [row.as_json() for row in rows],
        "goals": [goal.as_json() for goal in goals_of(rows)],
    }

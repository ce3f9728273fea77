"""FogGate and its peers over HTTP: all servers run, and in each round every way of every server answers the same questions."""

import contextlib
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.bench.client import Load, Request, drive, prepare
from app.bench.environments import InstallFailed
from app.bench.numbers import Spread, percentile, rounded
from app.bench.peers.foggate import NAME
from app.bench.peers.protocol import Asked, Peer, PeerUnavailable, Place, Way
from app.bench.processes import Server, ServerFailed, serving
from app.core import interrupts
from app.core.errors import ConfigError

# What may go wrong when the reply of a server is read that is not what its endpoint should give.
_UNREADABLE = (ValueError, KeyError, IndexError, TypeError)


@dataclass(frozen=True)
class Traffic:
    """What is sent.

    Attributes:
        clients: connections, each with one request under way.
        rounds: rounds.
        timeout: seconds within which a reply must come.
        start_s: seconds within which a server must be ready.
    """

    clients: int = 16
    rounds: int = 3
    timeout: float = 120.0
    start_s: float = 300.0


@dataclass
class _Row:
    """A way of a server, and what it has done so far."""

    server: Server
    peer: Peer
    way: Way
    loads: list[Load] = field(default_factory=list)
    replies: int = 0
    letters: int = 0
    tokens: list[int] = field(default_factory=list)
    cpu_s: float = 0.0

    def requests(self, asked: Sequence[Asked]) -> list[Request]:
        """The requests for some questions."""
        return [prepare(self.server.url + self.way.path, json.dumps(self.way.body(each)).encode()) for each in asked]

    def heard(self, _: int, status: int, body: bytes) -> None:
        """Read a reply, after its time has been taken."""
        if status // 100 == 2:  # noqa: PLR2004  # 2xx
            self.replies += 1
            with contextlib.suppress(*_UNREADABLE):
                self.letters += self.way.letter(body) is not None
                written = json.loads(body).get("usage", {}).get("completion_tokens")
                if isinstance(written, int):
                    self.tokens.append(written)


def measure_over_http(
    peers: Sequence[Peer],
    asked: Callable[[int], Sequence[Asked]],
    place: Place,
    traffic: Traffic,
    progress: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Measure servers side by side.

    Args:
        peers: the servers; the first is FogGate, which the others are compared with.
        asked: gives the n-th wording of the questions, which begin differently in each: no two runs have the same prompts, so that a
            server which keeps prompts, or answers, gains from the system prompt only, as it does in use.
        place: where peers are installed.
        traffic: what is sent.
        progress: told what is being done.

    Returns:
        A JSON object for each way of each server, or for a server that cannot be measured one with the `reason`.
    """
    rows: list[_Row] = []
    failed: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        for peer in peers:
            progress(f"starting {peer.name}")
            try:
                rows += _started(peer, place, traffic, stack)
            except (PeerUnavailable, InstallFailed, ServerFailed, ConfigError) as error:
                failed.append({"server": peer.name, "about": peer.about, "way": None, "reason": str(error)})
        wordings = itertools.count()
        for row in rows:
            progress(f"warming up {row.peer.name}, {row.way.name}")
            requests = row.requests(asked(next(wordings)))
            interrupts.run(drive(requests, clients=traffic.clients, count=min(len(requests), traffic.clients), timeout=traffic.start_s))
        for number in range(traffic.rounds):
            turn = number % len(rows) if rows else 0
            for row in rows[turn:] + rows[:turn]:
                progress(f"round {number + 1}: {row.peer.name}, {row.way.name}")
                requests, before = row.requests(asked(next(wordings))), row.server.usage()
                load = interrupts.run(
                    drive(requests, clients=traffic.clients, count=len(requests), timeout=traffic.timeout, on_reply=row.heard)
                )
                after = row.server.usage()
                row.loads.append(load)
                row.cpu_s += after.cpu_s - before.cpu_s if before is not None and after is not None else 0.0
        return [_summary(row, rows) for row in rows] + failed


def _started(peer: Peer, place: Place, traffic: Traffic, stack: contextlib.ExitStack) -> list[_Row]:
    start = peer.install(place)
    server = stack.enter_context(
        serving(
            peer.name,
            start.command,
            ready=start.ready,
            log=place.scratch / f"{peer.name}.log",
            environment=dict(start.environment),
            within_s=traffic.start_s,
            # Some servers write into the folder that they are started in; and nothing of the current folder is imported.
            folder=None if peer.name == NAME else _folder(place.scratch / peer.name),
        )
    )
    return [_Row(server, peer, way) for way in start.ways]


def _folder(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


def _summary(row: _Row, rows: Sequence[_Row]) -> dict[str, Any]:
    rates = [load.rate for load in row.loads]
    ours = next((one for one in rows if one.peer.name == NAME), None)
    latencies = [latency for load in row.loads for latency in load.latencies]
    usage = row.server.usage()
    answered = len(latencies)
    summary: dict[str, Any] = {
        "server": row.peer.name,
        "about": row.peer.about,
        "way": row.way.name,
        "reason": None,
        "joint": row.way.joint,
        "ready_s": rounded(row.server.started_s),
        "questions": row.replies,
        "questions_per_s": Spread.of(rates).row(),
        "p50_s": rounded(percentile(latencies, 50)) if latencies else None,
        "p99_s": rounded(percentile(latencies, 99)) if latencies else None,
        "failures": sum(load.failures for load in row.loads),
        "first_failure": next((load.first_failure for load in row.loads if load.first_failure), None),
        "with_a_letter": round(row.letters / row.replies, 4) if row.replies else None,
        "written_tokens": rounded(sum(row.tokens) / len(row.tokens)) if row.tokens else None,
        "cpu_s_per_question": rounded(row.cpu_s / answered) if answered and row.cpu_s else None,
        "rss_bytes": usage.rss_bytes if usage is not None else None,
        "client_cpu_share": rounded(max(load.client_cpu_share for load in row.loads)),
        "foggate_times": None,
    }
    if ours is not None and ours is not row and min(rates) > 0:
        summary["foggate_times"] = Spread.of([load.rate / rate for load, rate in zip(ours.loads, rates, strict=True)]).row()
    return summary

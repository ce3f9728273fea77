"""FogGate and its peers over HTTP: all servers run, and in each round every way of every server answers the same questions.

First with a closed loop, and then, where rates are given, at fixed rates.
"""

import contextlib
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.bench.client import Load, drive
from app.bench.connection import Request, prepare
from app.bench.edge.batch_request import BatchRuns
from app.bench.edge.presets import Preset
from app.bench.environments import InstallFailed
from app.bench.numbers import Spread, p50_and_p99, percentile, rounded
from app.bench.offered import OfferedLoad, Total, offer, precise_loop, send_times
from app.bench.peers.foggate import NAME
from app.bench.peers.protocol import UNREADABLE, Asked, Peer, PeerUnavailable, Place, Way
from app.bench.processes import Server, ServerFailed, serving
from app.core import interrupts
from app.core.errors import ConfigError


@dataclass(frozen=True)
class Traffic:
    """What is sent.

    Attributes:
        clients: connections, each with one request under way.
        rounds: rounds.
        timeout: seconds within which a reply must come.
        start_s: seconds within which a server must be ready.
        rates: rates in requests a second at which questions are offered.
        rate_seconds: seconds of one measurement at a rate.
        rate_timeout: seconds from the planned time of a question within which its reply must come.
        rate_connections: connections at a rate, each with one request under way.
        batch_questions: questions in one request, to servers that take them; 0 asks none.
        batch_timeout: seconds within which the reply to such a request must come.
        one_connection: questions that a single connection asks one after the other; 0 asks none.
        warm_up_s: seconds of uncounted traffic before the rounds, and at each rate before its rounds: on a GPU the first passes of each
            size take longer than later ones.
    """

    clients: int = 16
    rounds: int = 3
    timeout: float = 120.0
    start_s: float = 300.0
    rates: Sequence[float] = ()
    rate_seconds: float = 5.0
    rate_timeout: float = 10.0
    rate_connections: int = 256
    batch_questions: int = 0
    batch_timeout: float = 600.0
    one_connection: int = 0
    warm_up_s: float = 0.0

    @classmethod
    def of(cls, preset: Preset, *, batch_questions: int) -> "Traffic":
        """The traffic of a preset."""
        return cls(
            preset.clients,
            preset.http_rounds,
            rates=preset.rates,
            rate_seconds=preset.rate_seconds,
            batch_questions=batch_questions,
            one_connection=preset.one_connection,
            warm_up_s=preset.warm_up_s,
        )


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
    cpu_s: list[float | None] = field(default_factory=list)
    others_share: float = 0.0
    batch: BatchRuns | None = None
    alone: Load | None = None
    offered: list[dict[str, Any]] = field(default_factory=list)

    def requests(self, asked: Sequence[Asked]) -> list[Request]:
        """The requests for some questions."""
        return [prepare(self.server.url + self.way.path, json.dumps(self.way.body(each)).encode()) for each in asked]

    def heard(self, _: int, status: int, body: bytes) -> None:
        """Read a reply, after its time has been taken."""
        if status // 100 == 2:  # noqa: PLR2004  # 2xx
            self.replies += 1
            with contextlib.suppress(*UNREADABLE):
                self.letters += self.way.letter(body) is not None
                written = json.loads(body).get("usage", {}).get("completion_tokens")
                if isinstance(written, int):
                    self.tokens.append(written)


class _Questions:
    """Questions of which none comes twice.

    Args:
        asked: gives the n-th wording of the questions.
    """

    def __init__(self, asked: Callable[[int], Sequence[Asked]]) -> None:
        self._wordings = map(asked, itertools.count())

    def fresh(self, count: int | None = None) -> list[Asked]:
        """The questions in the next wording; or so many questions, in as many further wordings as that takes."""
        found = list(next(self._wordings))
        while count is not None and len(found) < count:
            found += next(self._wordings)
        return found[:count]


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
        questions = _Questions(asked)
        for row in rows:
            progress(f"warming up {row.peer.name}, {row.way.name}")
            requests = row.requests(questions.fresh())
            interrupts.run(drive(requests, clients=traffic.clients, count=min(len(requests), traffic.clients), timeout=traffic.start_s))
            if traffic.warm_up_s:
                interrupts.run(drive(requests, clients=traffic.clients, seconds=traffic.warm_up_s, timeout=traffic.timeout))
        for number in range(traffic.rounds):
            turn = number % len(rows) if rows else 0
            for row in rows[turn:] + rows[:turn]:
                progress(f"round {number + 1}: {row.peer.name}, {row.way.name}")
                requests, before = row.requests(questions.fresh()), _cpu_s(rows)
                load = interrupts.run(
                    drive(requests, clients=traffic.clients, count=len(requests), timeout=traffic.timeout, on_reply=row.heard)
                )
                used = {name: _difference(cpu_s, before[name]) for name, cpu_s in _cpu_s(rows).items()}
                row.loads.append(load)
                row.cpu_s.append(used.pop(row.peer.name))
                row.others_share = max(row.others_share, sum(cpu_s or 0.0 for cpu_s in used.values()) / load.seconds)
        for row in rows if traffic.one_connection else ():
            progress(f"one connection: {row.peer.name}, {row.way.name}")
            requests = row.requests(questions.fresh(traffic.one_connection))
            row.alone = interrupts.run(drive(requests, clients=1, count=len(requests), timeout=traffic.timeout))
        batches = [row.batch for row in rows if row.batch is not None] if traffic.batch_questions else []
        for number, batch in itertools.product(range(traffic.rounds), batches):
            progress(f"round {number + 1}: {traffic.batch_questions} questions in one request to {batch.server.name}")
            batch.measure(questions.fresh(traffic.batch_questions), traffic.batch_timeout)
        for rate in traffic.rates:
            _offer_all(rows, rate, questions, traffic, progress)
        return [_summary(row, rows) for row in rows] + failed


def _cpu_s(rows: Sequence[_Row]) -> dict[str, float | None]:
    """CPU seconds of each server so far."""
    usages = {row.peer.name: row.server.usage() for row in rows}
    return {name: None if usage is None else usage.cpu_s for name, usage in usages.items()}


def _difference(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before


def _offer_all(rows: Sequence[_Row], rate: float, questions: _Questions, traffic: Traffic, progress: Callable[[str], None]) -> None:
    """Offer questions at one rate to every way of every server, in interleaved rounds, and note what came back."""
    runs: list[list[OfferedLoad]] = [[] for _ in rows]

    def once(row: _Row, times: Sequence[float]) -> OfferedLoad:
        requests = row.requests(questions.fresh(len(times)))
        run = offer(requests, times, rate=rate, connections=traffic.rate_connections, timeout=traffic.rate_timeout)
        return interrupts.run(run, loop=precise_loop)

    for row in rows if rate * traffic.warm_up_s >= 1 else ():
        progress(f"{rate:g} a second, warming up: {row.peer.name}, {row.way.name}")
        once(row, send_times(rate, traffic.warm_up_s, seed=traffic.rounds))
    for number in range(traffic.rounds):
        times = send_times(rate, traffic.rate_seconds, seed=number)
        for place in [(number + shift) % len(rows) for shift in range(len(rows))]:
            row = rows[place]
            progress(f"{rate:g} a second, round {number + 1}: {row.peer.name}, {row.way.name}")
            runs[place].append(once(row, times))
    for row, found in zip(rows, runs, strict=True):
        row.offered.append(Total.of(found).row())


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
    first, *others = [_Row(server, peer, way) for way in start.ways]
    first.batch = None if start.batch is None else BatchRuns(server, start.batch)
    return [first, *others]


def _folder(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


def _alone(load: Load) -> dict[str, Any]:
    """What one connection has seen, as a JSON object."""
    p50, p99 = p50_and_p99(load.latencies)
    return {
        "questions": len(load.latencies) + load.failures,
        "p50_s": None if p50 is None else rounded(p50),
        "p99_s": None if p99 is None else rounded(p99),
        "failures": load.failures,
        "first_failure": load.first_failure,
    }


def _summary(row: _Row, rows: Sequence[_Row]) -> dict[str, Any]:
    rates = [load.rate for load in row.loads]
    ours = next((one for one in rows if one.peer.name == NAME), None)
    latencies = [latency for load in row.loads for latency in load.latencies]
    usage = row.server.usage()
    answered = len(latencies)
    p50, p99 = p50_and_p99(latencies)
    cpu_s = [used for used in row.cpu_s if used is not None]
    summary: dict[str, Any] = {
        "server": row.peer.name,
        "about": row.peer.about,
        "way": row.way.name,
        "reason": None,
        "joint": row.way.joint,
        "ready_s": rounded(row.server.started_s),
        "questions": row.replies,
        "questions_per_s": Spread.of(rates).row(),
        "p50_s": None if p50 is None else rounded(p50),
        "p95_s": rounded(percentile(latencies, 95)) if latencies else None,
        "p99_s": None if p99 is None else rounded(p99),
        "failures": sum(load.failures for load in row.loads),
        "first_failure": next((load.first_failure for load in row.loads if load.first_failure), None),
        "with_a_letter": round(row.letters / row.replies, 4) if row.replies else None,
        "written_tokens": rounded(sum(row.tokens) / len(row.tokens)) if row.tokens else None,
        "cpu_s_per_question": rounded(sum(cpu_s) / answered) if answered and cpu_s and len(cpu_s) == len(row.cpu_s) else None,
        "rss_bytes": usage.rss_bytes if usage is not None else None,
        "client_cpu_share": rounded(max(load.client_cpu_share for load in row.loads)),
        "others_cpu_share": rounded(row.others_share),
        "batch_request": row.batch.row() if row.batch is not None and row.batch.asked else None,
        "one_connection": None if row.alone is None else _alone(row.alone),
        "offered": row.offered,
        "foggate_times": None,
    }
    if ours is not None and ours is not row and min(rates) > 0:
        summary["foggate_times"] = Spread.of([load.rate / rate for load, rate in zip(ours.loads, rates, strict=True)]).row()
    return summary

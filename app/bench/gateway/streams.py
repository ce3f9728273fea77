"""`foggate bench streams`: many streams through the gateway at once, of which some callers hang up, round after round: what stays behind?

The cloud must see as many cancels as callers hung up, and memory, open files and open connections must be those of before.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.bench.client import drive
from app.bench.connection import Request, prepare
from app.bench.gateway.ways import chats, gateway_settings, mock_cloud, waiting_gateway
from app.bench.machine import machine
from app.bench.processes import Server, ServerFailed

# As `make soak` allows: the allocator keeps what it may need again.
TOLERANCE = 0.05
# Fewer rounds have no quarters.
FEWEST_ROUNDS = 4
_WORDS, _ENDLESS = 20, 50_000
_ROUND_S, _SETTLE_S, _POLL_S = 120.0, 30.0, 0.1
_MOST_BYTES = 65_536
# What the process may hold in addition: a connection that is being closed.
_FILES = 2


@dataclass(frozen=True)
class StreamPlan:
    """What is run.

    Attributes:
        streams: streams that are open at once.
        hang_ups: how many of their callers hang up in the middle.
        rounds: number of rounds, at least `FEWEST_ROUNDS`.
        gap_ms: milliseconds between two events of a stream.
    """

    streams: int
    hang_ups: int
    rounds: int
    gap_ms: float = 20.0


@dataclass(frozen=True)
class Round:
    """What a round has seen.

    Attributes:
        whole: streams that came to their end.
        left: streams whose caller hung up.
        failed: streams that ended in another way, by what happened.
        cancels: calls of which the cloud saw that their caller was gone.
        replies: streams that the cloud sent to their end.
        seconds: duration in seconds.
        rss_mb: resident memory of the gateway when all of it was over, in MB (10^6 bytes).
    """

    whole: int
    left: int
    failed: dict[str, int]
    cancels: int
    replies: int
    seconds: float
    rss_mb: float


@dataclass(frozen=True)
class Held:
    """What the gateway holds while nothing is under way.

    Attributes:
        cloud_connections: its open connections to the cloud.
        files: its open files, sockets included.
    """

    cloud_connections: int
    files: int


def bench_streams(
    plan: StreamPlan, *, progress: Callable[[str, int, int], None], run: Callable[[Any], Any] = asyncio.run
) -> dict[str, Any]:
    """Run it.

    Args:
        plan: what is run.
        progress: told the name of the step, how many rounds are done, and how many there are.
        run: runs a coroutine to its end.

    Returns:
        A JSON object; `wrong` says in sentences what must not be, and is empty where nothing is.

    Raises:
        ServerFailed: a server cannot be started, or the system does not tell what a process holds.
    """
    found = machine()
    with tempfile.TemporaryDirectory(prefix="foggate-bench-") as name:
        logs = Path(name)
        with (
            mock_cloud(logs, delay_ms=20.0, gap_ms=plan.gap_ms) as mock,
            waiting_gateway(logs, gateway_settings(mock.url, most=plan.streams), edge_ms=0.5) as gateway,
        ):
            if gateway.usage() is None:
                raise ServerFailed("this system does not tell what a process holds (there is no /proc)")
            rounds, before, after = run(_rounds(plan, gateway, mock, progress))
    return report_of(plan, rounds, before, after) | {"machine": found}


def report_of(plan: StreamPlan, rounds: Sequence[Round], before: Held, after: Held) -> dict[str, Any]:
    """The report as a JSON object, with what is wrong in sentences."""
    quarter = len(rounds) // 4
    memory = [one.rss_mb for one in rounds]
    # The first quarter warms up: buffers and pools grow to what so many streams need.
    early, late = statistics.median(memory[quarter : 2 * quarter]), statistics.median(memory[-quarter:])
    growth = late / early - 1
    wrong = []
    for number, one in enumerate(rounds, 1):
        if one.cancels != plan.hang_ups:
            wrong.append(f"round {number}: the cloud saw {one.cancels} cancels, and {plan.hang_ups} callers hung up")
        if (one.whole, one.left) != (plan.streams - plan.hang_ups, plan.hang_ups):
            wrong.append(f"round {number}: {one.whole} streams came to their end, {one.left} were left, others: {one.failed}")
    if growth > TOLERANCE:
        wrong.append(f"memory grew by {growth:.1%} from {early:.1f} MB to {late:.1f} MB")
    if after.cloud_connections > before.cloud_connections:
        wrong.append(f"{after.cloud_connections} connections to the cloud are open, and before there were {before.cloud_connections}")
    if after.files > before.files + _FILES:
        wrong.append(f"{after.files} files are open, and before there were {before.files}")
    return {
        "bench": "streams",
        **asdict(plan),
        "tolerance": TOLERANCE,
        "rss_mb": {"early": round(early, 2), "late": round(late, 2), "growth": round(growth, 4)},
        "before": asdict(before),
        "after": asdict(after),
        "results": [asdict(one) for one in rounds],
        "wrong": wrong,
    }


async def _rounds(
    plan: StreamPlan, gateway: Server, mock: Server, progress: Callable[[str, int, int], None]
) -> tuple[list[Round], Held, Held]:
    before = await _held(gateway, mock, at_most=1)
    done: list[Round] = []
    for number in range(plan.rounds):
        progress("rounds", number, plan.rounds)
        done.append(await _round(plan, gateway, mock))
    progress("rounds", plan.rounds, plan.rounds)
    return done, before, await _held(gateway, mock, at_most=before.cloud_connections)


async def _round(plan: StreamPlan, gateway: Server, mock: Server) -> Round:
    began, seen = time.monotonic(), await _seen(mock)
    async with asyncio.timeout(_ROUND_S):
        ends = await asyncio.gather(*(_stream(gateway.url, number, leaves=number < plan.hang_ups) for number in range(plan.streams)))
    now = await _seen(mock)
    while now["under_way"] and time.monotonic() < began + _ROUND_S:
        await asyncio.sleep(_POLL_S)
        now = await _seen(mock)
    counts, usage = Counter(ends), gateway.usage()
    return Round(
        whole=counts.pop("whole", 0),
        left=counts.pop("left", 0),
        failed=dict(counts),
        cancels=now["cancels"] - seen["cancels"],
        replies=now["replies"] - seen["replies"],
        seconds=round(time.monotonic() - began, 2),
        rss_mb=usage.rss_bytes / 1e6 if usage else 0.0,
    )


async def _stream(url: str, number: int, *, leaves: bool) -> str:
    """Read a stream to its end, or hang up after some events; returns `whole`, `left`, or what happened instead."""
    request = _request(url, endless=leaves)
    try:
        reader, writer = await asyncio.open_connection(request.host, request.port)
    except OSError as error:
        return f"no connection: {error.strerror or error}"
    events, last = 0, b""
    try:
        writer.write(request.data)
        while piece := await reader.read(_MOST_BYTES):
            if not last and not piece.startswith(b"HTTP/1.1 200"):
                return f"refused: {piece[9:12].decode(errors='replace')}"
            events += piece.count(b"data: ")
            last = (last + piece)[-64:]
            if leaves and events > number % 5:
                return "left"
            if b"[DONE]" in last and last.endswith(b"0\r\n\r\n"):
                return "whole"
    except OSError as error:
        return f"broken: {error.strerror or error}"
    else:
        return "cut off"
    finally:
        # Half of those who hang up say so in an orderly way, the others reset the connection.
        if leaves and number % 2:
            writer.transport.abort()
        else:
            writer.close()


def _request(url: str, *, endless: bool) -> Request:
    words = _ENDLESS if endless else _WORDS
    body = {
        "model": "foggate",
        "stream": True,
        "max_tokens": words,
        "messages": [{"role": "user", "content": "Write a long poem about the sea."}],
    }
    return prepare(f"{url}/v1/chat/completions", json.dumps(body).encode())


async def _held(gateway: Server, mock: Server, *, at_most: int) -> Held:
    """What the gateway holds, once its connections to the cloud are no more than `at_most`, or after some time."""
    until = time.monotonic() + _SETTLE_S
    while True:
        # The pool of connections closes those that were idle for some seconds when it is used again.
        await drive(chats(gateway.url, "foggate")[:1], clients=1, count=1)
        # The connection of this very question is not the gateway's.
        held = Held((await _seen(mock))["connections"] - 1, _open_files(gateway.pid))
        if held.cloud_connections <= at_most or time.monotonic() > until:
            return held
        await asyncio.sleep(1)


def _open_files(process: int) -> int:
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


async def _seen(mock: Server) -> dict[str, int]:
    found: list[dict[str, int]] = []
    await drive([prepare(f"{mock.url}/stats")], clients=1, count=1, on_reply=lambda _index, _status, body: found.append(json.loads(body)))
    if not found:
        raise ServerFailed("the mock cloud does not answer")
    return found[0]

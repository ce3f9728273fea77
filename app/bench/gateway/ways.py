"""The ways to the mock cloud that are measured side by side, each with its server process and the requests that it gets."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.bench import ceiling
from app.bench.connection import Request, prepare
from app.bench.environments import InstallFailed
from app.bench.gateway.litellm import ready_environment, serving_litellm
from app.bench.gateway.mock import MODEL, TEXT
from app.bench.gateway.offered_summary import CLIENT
from app.bench.gateway.summary import BARE, DIRECT, EDGE
from app.bench.processes import Server, ServerFailed, serving

LITELLM, LEAST = "litellm", "least"
LABELS = {
    DIRECT: "mock cloud, directly",
    EDGE: "gateway, edge route",
    "cloud": "gateway, cloud route",
    "pass": "gateway, pass-through",
    LITELLM: "LiteLLM proxy",
    LEAST: "least proxy",
    BARE: "uvicorn alone",
    CLIENT: "the client alone",
}
_IN_A_CHAT = (TEXT.encode(),)
# Loopback never goes through a proxy that the environment names.
NO_PROXY = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
# This very package, wherever this process found it: the servers do not run in its folder.
_OURS = {**NO_PROXY, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[3]), *filter(None, [os.environ.get("PYTHONPATH")])])}
# More than any number of connections, so that questions that are asked at the same time are never the same one: the gateway would ask once.
_TEXTS = 2048
_OPTIONS = ["The moon's gravity", "The rotation of the earth alone", "The wind over the open sea", "The salt in the water"]


@dataclass(frozen=True)
class Way:
    """One way.

    Attributes:
        name: name of the way, a key of `LABELS`.
        server: server that the requests go to and whose CPU time and memory are read.
        requests: requests that clients send in turn.
        marks: what is in every reply that is the answer that was asked for. A gateway answers with a status of 2xx where its cloud failed
            too (degraded), and such answers must not count.
    """

    name: str
    server: Server
    requests: Sequence[Request]
    marks: Sequence[bytes]

    def accepts(self, body: bytes) -> bool:
        """Whether the body of a reply is what was asked for."""
        return all(mark in body for mark in self.marks)


def gateway_settings(cloud: str, *, most: int) -> dict[str, str]:
    """The settings of the gateway that is measured, without their prefix: bounds wide enough that nothing is refused, all else as by default.

    Args:
        cloud: address of the mock cloud.
        most: largest number of connections.
    """
    return {
        "CLOUD__BASE_URL": f"{cloud}/v1",
        "CLOUD__MODEL": MODEL,
        "CLOUD__TIMEOUT_S": "30",
        "CLOUD__MAX_IN_FLIGHT": str(2 * most),
        "CLOUD__PASS_THROUGH__MAX_IN_FLIGHT": str(2 * most),
        "DEADLINE_MS": "30000",
        "EDGE__MAX_QUEUE_SIZE": str(2 * most),
        "LIMITS__MAX_CONNECTIONS_PER_CLIENT": str(2 * most + 16),
        "POLICY__TAU": "0.5",
        "SERVER__DRAIN_WAIT_S": "0",
    }


def chats(url: str, model: str) -> list[Request]:
    """Chats that are no multiple-choice question."""
    texts = (
        f"Write three lines about the sea in the style of poet number {number}. Mention wind, salt and light." for number in range(_TEXTS)
    )
    bodies = ({"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 64} for text in texts)
    return [prepare(f"{url}/v1/chat/completions", json.dumps(body).encode()) for body in bodies]


def questions(url: str, route: str) -> list[Request]:
    """Multiple-choice questions that are all different, for one route."""
    texts = (f"Question {number}: what causes most of the tides that are seen along the coasts?" for number in range(_TEXTS))
    return [prepare(f"{url}/v1/answer", json.dumps({"question": text, "options": _OPTIONS, "route": route}).encode()) for text in texts]


@contextlib.contextmanager
def mock_cloud(logs: Path, *, delay_ms: float, gap_ms: float = 20.0) -> Iterator[Server]:
    """Run the mock cloud. Raises ServerFailed."""
    options = ["--delay-ms", str(delay_ms), "--gap-ms", str(gap_ms)]
    with _ours("the mock cloud", "mock", logs, *options, ready="/stats") as server:
        yield server


@contextlib.contextmanager
def waiting_gateway(logs: Path, settings: Mapping[str, str], *, edge_ms: float, profile: Path | None = None) -> Iterator[Server]:
    """Run a gateway whose edge engine waits.

    Args:
        logs: folder for its output.
        settings: its settings, without their prefix.
        edge_ms: milliseconds that the engine waits for a batch.
        profile: file for its profile (`app.bench.gateway.sampling`), which is written when it ends; None makes none.

    Raises:
        ServerFailed: it cannot be started.
    """
    given = [part for name, value in settings.items() for part in ("--setting", f"{name}={value}")]
    given += [] if profile is None else ["--profile", str(profile)]
    with _ours("the gateway", "served", logs, "--edge-ms", str(edge_ms), *given, ready="/health/ready") as server:
        yield server


@contextlib.contextmanager
def least_proxy(cloud: str, logs: Path) -> Iterator[Server]:
    """Run the least proxy in front of a cloud. Raises ServerFailed."""
    with _ours("the least proxy", "least", logs, "--cloud", cloud, ready="/openapi.json") as server:
        yield server


@contextlib.contextmanager
def running(
    mock: Server, logs: Path, *, edge_ms: float, most: int, peers: Sequence[str], environments: Path, say: Callable[[str], None]
) -> Iterator[tuple[list[Way], dict[str, str]]]:
    """Run a server for every way.

    Args:
        mock: the mock cloud.
        logs: folder for the output of the servers.
        edge_ms: milliseconds that the edge engine waits.
        most: largest number of connections.
        peers: names of the other proxies.
        environments: folder of the environments into which they are installed.
        say: told what takes long.

    Yields:
        The ways, and for each peer that cannot be installed or started the reason.

    Raises:
        ServerFailed: the gateway cannot be started.
    """
    absent: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(waiting_gateway(logs, gateway_settings(mock.url, most=most), edge_ms=edge_ms))
        ways = [
            Way(DIRECT, mock, chats(mock.url, MODEL), _IN_A_CHAT),
            edge_way(ours),
            Way("cloud", ours, questions(ours.url, "cloud"), (b'"route":"cloud"', b'"degraded":false')),
            Way("pass", ours, chats(ours.url, "foggate"), _IN_A_CHAT),
        ]
        for peer in peers:
            try:
                if peer == LITELLM:
                    python = ready_environment(environments, say)
                    server = stack.enter_context(serving_litellm(python, mock.url, logs, environment=NO_PROXY))
                elif peer == LEAST:
                    server = stack.enter_context(least_proxy(mock.url, logs))
                else:
                    server = stack.enter_context(_ours("uvicorn alone", "bare", logs, ready="/"))
            except (InstallFailed, ServerFailed) as error:
                absent[peer] = str(error)
            else:
                ways.append(
                    replace(edge_way(server), name=BARE) if peer == BARE else Way(peer, server, chats(server.url, MODEL), _IN_A_CHAT)
                )
        yield ways, absent


def edge_way(server: Server) -> Way:
    """The edge route of a gateway, or what stands for one."""
    return Way(EDGE, server, questions(server.url, "edge"), (b'"route":"edge"', b'"degraded":false'))


def client_way(server: Server) -> Way:
    """The clients against the least server that can be written (`app.bench.ceiling`): what they reach, and what they add, themselves."""
    return Way(CLIENT, server, [ceiling.request_of(server)], (ceiling.BODY,))


@contextlib.contextmanager
def _ours(name: str, module: str, logs: Path, *options: str, ready: str) -> Iterator[Server]:
    """Run a server of this package. Raises ServerFailed."""

    def command(port: int) -> list[str]:
        return [sys.executable, "-P", "-m", f"app.bench.gateway.{module}", "--port", str(port), *options]

    with serving(name, command, ready=ready, log=logs / f"{module}.log", environment=_OURS, folder=logs) as server:
        yield server

"""How fast the clients themselves are: they are driven against the least server that can be written, in a process of its own.

Run as `python -m app.bench.ceiling`, this file is that server: it reads nothing of a request and answers every one with the same bytes.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from app.bench.client import Load, drive
from app.bench.connection import Request, prepare
from app.bench.processes import Server, serving

BODY = b'{"answer":"A"}'
_REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
_ROOT = str(Path(__file__).parents[2])
_WARM_UP = 32


class _Same(asyncio.Protocol):
    """Answers whatever arrives. A request of the bench is small enough to arrive at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # for mypy
        self._transport = transport

    def data_received(self, data: bytes) -> None:  # noqa: ARG002  # every request has the same reply
        self._transport.write(_REPLY)


@contextlib.contextmanager
def least_server() -> Iterator[Server]:
    """Run the least server. Raises ServerFailed."""

    def command(port: int) -> list[str]:
        return [sys.executable, "-P", "-m", "app.bench.ceiling", "--port", str(port)]

    path = os.pathsep.join([_ROOT, *filter(None, [os.environ.get("PYTHONPATH")])])
    with (
        tempfile.TemporaryDirectory(prefix="foggate-bench-") as name,
        serving(
            "the least server", command, ready="/", log=Path(name) / "least.log", environment={"PYTHONPATH": path}, folder=Path(name)
        ) as server,
    ):
        yield server


def request_of(server: Server) -> Request:
    """A request to the least server with a body of the size of a question."""
    return prepare(server.url, json.dumps({"question": "?" * 600}).encode())


async def ceiling(server: Server, *, clients: int, seconds: float = 1.0) -> Load:
    """Drive the closed-loop client against the least server for some seconds."""
    request = request_of(server)
    await drive([request], clients=clients, count=max(clients, _WARM_UP))
    return await drive([request], clients=clients, seconds=seconds, accepts=BODY.__eq__)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Same, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


def main() -> None:
    """Serve on loopback until a signal ends it."""
    parser = argparse.ArgumentParser(description="The least server that can be written. For foggate bench.")
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(_serve(parser.parse_args().port))


if __name__ == "__main__":
    main()

"""How fast the client itself is: it is driven against the least server that can be written, in a process of its own.

Run as `python -m app.bench.ceiling`, this file is that server: it reads nothing of a request and answers every one with the same bytes.
"""

import asyncio
import json
import subprocess
import sys

from app.bench.client import Load, drive, prepare
from app.core.interrupts import ends_with_us

_BODY = b'{"answer":"A"}'
_REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)


class _Same(asyncio.Protocol):
    """Answers whatever arrives. A request of the bench is small enough to arrive at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # for mypy
        self._transport = transport

    def data_received(self, data: bytes) -> None:  # noqa: ARG002  # every request has the same reply
        self._transport.write(_REPLY)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Same, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  # the port, for the process that started this one
    await server.serve_forever()


async def ceiling(*, clients: int, seconds: float = 1.0) -> Load:
    """Drive the client against the least server for some seconds, with a body of the size of a question."""
    command = [sys.executable, "-m", "app.bench.ceiling"]
    # The loop does nothing else yet, so that it may wait for the start of a process.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, ends_with_us(server):  # noqa: ASYNC220
        try:
            assert server.stdout is not None  # noqa: S101  # for mypy: a pipe was asked for
            port = int(await asyncio.to_thread(server.stdout.readline))
            request = prepare(f"http://127.0.0.1:{port}/", json.dumps({"question": "?" * 600}).encode())
            await drive([request], clients=clients, count=clients)
            return await drive([request], clients=clients, seconds=seconds)
        finally:
            server.kill()


if __name__ == "__main__":
    asyncio.run(_serve())

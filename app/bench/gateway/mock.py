"""A cloud that costs next to nothing: it answers every chat after a fixed delay with the same bytes, whole or streamed.

`python -m app.bench.gateway.mock` runs it until a signal ends it. The mock cloud of `foggate demo-cloud` reads questions and knows
answers, which costs as much as a gateway; this one must never be what is measured. Of a request it reads the length, whether a stream is
asked for, and of how many words (`max_tokens`). `GET /stats` tells what it has seen.
"""

import argparse
import asyncio
import json
import re
from dataclasses import asdict, dataclass

MODEL = "bench-mock"
# An answer to a multiple-choice question, which the gateway can read.
TEXT = "Final answer: A"
_USUAL_WORDS = 20

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_WORDS = re.compile(rb'"max_tokens"[ \t\r\n]*:[ \t\r\n]*(\d{1,5})')
_STREAMED = re.compile(rb'"stream"[ \t\r\n]*:[ \t\r\n]*true')
_USAGE = {"prompt_tokens": 60, "completion_tokens": 4, "total_tokens": 64}
_HEAD = {"id": "chatcmpl-bench", "created": 0, "model": MODEL}


def _response(status: str, content: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (status.encode(), len(content), content)


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def _event(delta: dict[str, str], finish: str | None = None) -> bytes:
    body = {**_HEAD, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return _chunk(b"data: " + json.dumps(body).encode() + b"\n\n")


_COMPLETION = {
    **_HEAD,
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
    "usage": _USAGE,
}
_WHOLE = _response("200 OK", json.dumps(_COMPLETION).encode())
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_WORD = _event({"content": "word "})
_STREAM_END = b"".join(
    [
        _event({}, "stop"),
        _chunk(b"data: " + json.dumps({**_HEAD, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE}).encode() + b"\n\n"),
        _chunk(b"data: [DONE]\n\n"),
        b"0\r\n\r\n",
    ]
)
_NOT_FOUND = _response("404 Not Found", b'{"error": {"message": "this server knows /v1/chat/completions and /stats"}}')


@dataclass
class Seen:
    """What the mock cloud has seen since it began.

    Attributes:
        requests: chats that were asked.
        replies: replies that were sent to their end, streamed ones included.
        cancels: chats whose caller closed the connection before the end of the reply.
        under_way: chats that wait for their reply or for the rest of it.
        connections: open connections, the one that asks for this included.
    """

    requests: int = 0
    replies: int = 0
    cancels: int = 0
    under_way: int = 0
    connections: int = 0


class MockCloud:
    """What all connections share.

    Args:
        delay_s: seconds before a reply, or before the first event of a stream.
        gap_s: seconds between two events of a stream.
    """

    def __init__(self, *, delay_s: float, gap_s: float) -> None:
        self.seen = Seen()
        self.delay_s = delay_s
        self.gap_s = gap_s

    def connection(self) -> asyncio.Protocol:
        """The protocol of one connection."""
        return _Connection(self)


class _Connection(asyncio.Protocol):
    """One connection: a request at a time, in the order in which they come."""

    _transport: asyncio.Transport

    def __init__(self, cloud: MockCloud) -> None:
        self._cloud = cloud
        self._loop = asyncio.get_running_loop()
        self._held = b""
        self._under_way: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # for mypy: a TCP server makes no other
        self._transport = transport
        self._cloud.seen.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # how it was lost does not matter
        seen = self._cloud.seen
        seen.connections -= 1
        if self._under_way is not None:
            self._under_way.cancel()
            seen.under_way -= 1
            seen.cancels += 1

    def data_received(self, data: bytes) -> None:
        self._held += data
        if self._under_way is None:
            self._next()

    def _next(self) -> None:
        """Take the next request, if all of it is here."""
        end = self._held.find(b"\r\n\r\n") + 4
        if end < 4:  # noqa: PLR2004  # not found
            return
        head = self._held[:end]
        length = _LENGTH.search(head)
        end += int(length[1]) if length else 0
        if len(self._held) < end:
            return
        body, self._held = self._held[len(head) : end], self._held[end:]
        if head.startswith(b"POST /v1/chat/completions "):
            self._ask(body)
            return
        is_stats = head.startswith(b"GET /stats ")
        self._transport.write(_response("200 OK", json.dumps(asdict(self._cloud.seen)).encode()) if is_stats else _NOT_FOUND)
        self._next()

    def _ask(self, body: bytes) -> None:
        self._cloud.seen.requests += 1
        self._cloud.seen.under_way += 1
        if _STREAMED.search(body) is None:
            self._under_way = self._loop.call_later(self._cloud.delay_s, self._reply)
            return
        words = _WORDS.search(body)
        self._under_way = self._loop.call_later(self._cloud.delay_s, self._begin_stream, int(words[1]) if words else _USUAL_WORDS)

    def _reply(self) -> None:
        self._transport.write(_WHOLE)
        self._end()

    def _begin_stream(self, words: int) -> None:
        self._transport.write(_STREAM_HEAD)
        self._send_event(words)

    def _send_event(self, left: int) -> None:
        if left:
            self._transport.write(_WORD)
            self._under_way = self._loop.call_later(self._cloud.gap_s, self._send_event, left - 1)
        else:
            self._transport.write(_STREAM_END)
            self._end()

    def _end(self) -> None:
        self._under_way = None
        self._cloud.seen.under_way -= 1
        self._cloud.seen.replies += 1
        self._next()


async def _run(cloud: MockCloud, port: int) -> None:
    server = await asyncio.get_running_loop().create_server(cloud.connection, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


def main() -> None:
    """Run the server on loopback."""
    parser = argparse.ArgumentParser(description="A cloud that answers every chat after a fixed delay. For foggate bench.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay-ms", type=float, default=20.0)
    parser.add_argument("--gap-ms", type=float, default=20.0)
    given = parser.parse_args()
    asyncio.run(_run(MockCloud(delay_s=given.delay_ms / 1000, gap_s=given.gap_ms / 1000), given.port))


if __name__ == "__main__":
    main()

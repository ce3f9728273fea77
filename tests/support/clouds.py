"""Clouds for tests. Clients: one endpoint unless told otherwise, a breaker that stays closed, any number of retries. Servers: a
real one that says what a test wants to hear."""

import asyncio
import contextlib
import json
import math
from typing import NamedTuple

from app.cloud.breaker import Breaker
from app.cloud.client import CloudClient
from app.cloud.endpoint import Endpoint
from app.cloud.formats import AnswerFormat, FormatChoice
from app.cloud.pool import CloudPool
from app.cloud.request import RequestSettings
from app.cloud.retry_budget import RetryBudget
from app.telemetry.metrics import Metrics


def breaker(**kwargs):
    return Breaker(**{"window_s": 10, "min_calls": 10**9, "failure_rate": 0.5, "open_s": 10, "probes": 3, **kwargs})


def endpoint(url, name="default", *, model="m", api_key=None, extra_headers=None, rules=None, form=AnswerFormat.TEXT):
    return Endpoint(name, url + "/v1", model, rules or breaker(), api_key, extra_headers or {}, form=FormatChoice(form, name=name))


def cloud_pool(*places, metrics=None, api_key=None, extra_headers=None, share=math.inf, **kwargs):
    """`places` are URLs or endpoints, in the order of their priority."""
    endpoints = [endpoint(place, api_key=api_key, extra_headers=extra_headers) if isinstance(place, str) else place for place in places]
    return CloudPool(endpoints, metrics or Metrics(), retry_budget=RetryBudget(share), seed=0, **kwargs)


def cloud_client(*places, request=None, extra_body=None, **kwargs):
    """A client of a `cloud_pool`."""
    return CloudClient(cloud_pool(*places, **kwargs), request or RequestSettings(extra_body=extra_body or {}))


def completion(text="Final answer: A", *, usage=None, model="large"):
    """A chat completion as a dictionary; 100 prompt tokens and 20 completion tokens unless told otherwise."""
    said = {"prompt_tokens": 100, "completion_tokens": 20} if usage is None else usage
    return {"model": model, "choices": [{"message": {"content": text}}], "usage": said}


class Scripted:
    """What a server of `scripted` says; `calls` counts what it was asked. A reply is a status and a body."""

    def __init__(self, *replies):
        self.replies = list(replies)
        self.calls = 0
        self.url = ""

    def next(self):
        """The replies in their order, the last one again and again."""
        self.calls += 1
        status, body = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content


@contextlib.asynccontextmanager
async def listening(handle):
    """A server whose connections this coroutine handles; yields its URL, and leaves no connection behind."""
    handlers, writers = set(), set()

    async def tracked(reader, writer):
        handlers.add(asyncio.current_task())
        writers.add(writer)
        # A client may leave at any moment; what a handler still reads then is at its end.
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await handle(reader, writer)
        writer.close()

    server = await asyncio.start_server(tracked, "127.0.0.1", 0)
    async with server:
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            for writer in writers:
                writer.close()
            await asyncio.gather(*handlers)


class Asked(NamedTuple):
    """A request as a server saw it: header names in lower case."""

    target: str
    headers: dict
    body: dict


class Listener:
    """A server of `answering`; `asked` holds the requests in their order."""

    def __init__(self):
        self.asked = []
        self.url = ""

    @property
    def calls(self):
        return len(self.asked)


@contextlib.asynccontextmanager
async def answering(reply):
    """A server on kept connections; `reply(body)` is a body, or a status and a body, or these with a content type."""
    listener = Listener()

    async def handle(reader, writer):
        while True:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = json.loads(await reader.readexactly(int(headers["content-length"])))
            listener.asked.append(Asked(first.split()[1], headers, body))
            said = reply(body)
            status, said, kind = (*said, "application/json")[:3] if isinstance(said, tuple) else (200, said, "application/json")
            content = said if isinstance(said, bytes) else json.dumps(said).encode()
            writer.write(f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content)
            await writer.drain()

    async with listening(handle) as listener.url:
        yield listener


@contextlib.asynccontextmanager
async def scripted(*replies):
    """A server on kept connections that gives these replies; without any it takes requests and never answers."""
    script = Scripted(*replies)

    async def handle(reader, writer):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
            if script.replies:
                writer.write(script.next())
                await writer.drain()
            else:
                script.calls += 1

    async with listening(handle) as script.url:
        yield script


HANG, CUT = "hang", "cut"


class Dripping:
    """A server of `dripping`; `asked` holds the bodies of the requests, `left` counts clients that left while it hung."""

    def __init__(self):
        self.asked = []
        self.left = 0
        self.url = ""

    @property
    def calls(self):
        return len(self.asked)


@contextlib.asynccontextmanager
async def dripping(*parts, gap_s=0.0):
    """A server that streams these bytes to every client, a chunk a part.

    `HANG` waits until the client leaves, `CUT` closes the connection, and an event is waited for.
    """
    server = Dripping()

    async def handle(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        server.asked.append(json.loads(await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: up-1\r\ntransfer-encoding: chunked\r\n\r\n")
        for part in parts:
            if part == HANG:
                await reader.read()
                server.left += 1
            if isinstance(part, asyncio.Event):
                await part.wait()
                continue
            if part in {HANG, CUT}:
                return
            writer.write(b"%x\r\n%b\r\n" % (len(part), part))
            await writer.drain()
            await asyncio.sleep(gap_s)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async with listening(handle) as server.url:
        yield server


def event(text="A", *, usage=None, **more):
    """The bytes of one event of a streamed completion."""
    choices = [] if text is None else [{"index": 0, "delta": {"content": text}, "finish_reason": None}]
    return b"data: " + json.dumps({"model": "large", "choices": choices, "usage": usage, **more}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"

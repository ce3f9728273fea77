"""The connections to the cloud: a request is one piece, and a connection that was closed meanwhile is not used again."""

import asyncio
import contextlib

import httpx2
import pytest

from app.cloud.failures import failure_of
from app.cloud.transport import DirectTransport

REPLY = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@contextlib.asynccontextmanager
async def endpoint(talk):
    """A server that talks on each connection as `talk` does; yields its URL and a client."""
    talks = set()

    async def connected(reader, writer):
        talks.add(asyncio.current_task())
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            await talk(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    transport = DirectTransport(httpx2.create_ssl_context(), httpx2.Limits(max_connections=4))
    try:
        async with httpx2.AsyncClient(transport=transport, trust_env=False, timeout=None) as http:
            yield f"http://{host}:{port}/", http
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.gather(*talks)


async def test_head_and_body_of_a_request_come_in_one_piece_and_the_connection_is_kept():
    pieces, connections = [], []

    async def talk(reader, writer):
        connections.append(1)
        while piece := await reader.read(65_536):
            pieces.append(piece)
            writer.write(REPLY)
        writer.close()

    async with endpoint(talk) as (url, http):
        for number in range(3):
            assert (await http.post(url, json={"number": number})).text == "ok"
    assert [piece.endswith(b'{"number":%d}' % number) for number, piece in enumerate(pieces)] == [True] * 3
    assert len(connections) == 1


async def test_a_connection_that_the_endpoint_has_closed_is_not_used_again():
    ended = asyncio.Event()
    connections = []

    async def talk(reader, writer):
        connections.append(1)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(REPLY)
        await writer.drain()
        writer.close()
        ended.set()

    async with endpoint(talk) as (url, http):
        for _ in range(3):
            ended.clear()
            assert (await http.get(url)).text == "ok"
            await ended.wait()
            # The loop sees the end of the connection in one of its next turns.
            await asyncio.sleep(0.05)
    assert len(connections) == 3


async def test_a_caller_who_leaves_ends_the_connection():
    came, gone = asyncio.Event(), asyncio.Event()

    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        came.set()
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        gone.set()
        writer.close()

    async with endpoint(talk) as (url, http):
        call = asyncio.ensure_future(http.get(url))
        await came.wait()
        call.cancel()
        async with asyncio.timeout(10):
            await gone.wait()


async def test_a_reply_that_is_read_slowly_is_taken_no_faster():
    sent = 0

    async def talk(reader, writer):
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 30000000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while sent < 30_000_000:
                writer.write(b"x" * 1_000_000)
                await writer.drain()
                sent += 1_000_000
        writer.close()

    async with endpoint(talk) as (url, http), http.stream("GET", url) as reply:
        pieces = reply.aiter_bytes()
        await anext(pieces)
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.2)
        assert sent < 20_000_000, "what the kernel and the two ends hold"
        await pieces.aclose()


@pytest.mark.parametrize(("reply", "kind"), [(b"", httpx2.RemoteProtocolError), (b"nonsense\r\n\r\n", httpx2.RemoteProtocolError)])
async def test_what_goes_wrong_is_an_error_of_the_http_library(reply, kind):
    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        writer.close()

    async with endpoint(talk) as (url, http):
        with pytest.raises(kind):
            await http.get(url)


async def test_a_refused_connection_names_its_cause():
    async with endpoint(lambda *_: None) as (url, http):
        pass
    transport = DirectTransport(httpx2.create_ssl_context(), httpx2.Limits(max_connections=4))
    async with httpx2.AsyncClient(transport=transport, trust_env=False) as http:
        with pytest.raises(httpx2.ConnectError) as failed:
            await http.get(url)
    assert failure_of(failed.value).error.message == "the cloud did not answer (the connection is refused)"

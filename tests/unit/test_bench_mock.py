"""The mock cloud of the gateway bench, over real connections; and the waiting engine."""

import asyncio
import contextlib
import json

from app.bench.gateway.engine import WaitingEngine
from app.bench.gateway.mock import MockCloud
from app.core.question import Question
from app.core.verdict import Signal


@contextlib.asynccontextmanager
async def mock(*, delay_s=0.0, gap_s=0.0):
    """A mock cloud and a connection to it."""
    cloud = MockCloud(delay_s=delay_s, gap_s=gap_s)
    server = await asyncio.get_running_loop().create_server(cloud.connection, "127.0.0.1", 0)
    async with server, asyncio.timeout(30):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        yield cloud, reader, writer
        writer.close()


def post(path="/v1/chat/completions", **fields):
    body = json.dumps({"model": "m", "messages": [], **fields}).encode()
    return b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (path.encode(), len(body), body)


async def whole(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    return head.split()[1], json.loads(await reader.readexactly(length))


async def test_chats_are_answered_one_after_the_other_however_their_bytes_arrive():
    async with mock() as (cloud, reader, writer):
        sent = post() + post(temperature=0) + b"GET /stats HTTP/1.1\r\n\r\n" + post("/v1/embeddings")
        for start in range(0, len(sent), 7):
            writer.write(sent[start : start + 7])
            await asyncio.sleep(0)
        replies = [await whole(reader) for _ in range(4)]
        assert [status for status, _ in replies] == [b"200", b"200", b"200", b"404"]
        assert replies[0][1]["choices"][0]["message"]["content"] == "Final answer: A"
        assert replies[2][1] == {"requests": 2, "replies": 2, "cancels": 0, "under_way": 0, "connections": 1}
        assert cloud.seen.replies == 2


async def test_a_stream_has_as_many_words_as_were_asked_for():
    async with mock() as (cloud, reader, writer):
        writer.write(post(stream=True, max_tokens=3))
        sent = await reader.readuntil(b"0\r\n\r\n")
        assert sent.count(b"word ") == 3
        assert sent.count(b"data: ") == 6
        assert b'"usage"' in sent
        assert sent.index(b'"stop"') < sent.index(b'"usage"') < sent.index(b"[DONE]")
        assert cloud.seen.replies == 1


async def test_a_caller_who_leaves_is_a_cancel_in_a_stream_and_before_a_reply():
    async with mock(delay_s=60) as (cloud, _, writer):
        writer.write(post())
        while not cloud.seen.under_way:
            await asyncio.sleep(0)
        writer.close()
        while cloud.seen.under_way:
            await asyncio.sleep(0)
        assert (cloud.seen.cancels, cloud.seen.replies, cloud.seen.connections) == (1, 0, 0)
    async with mock(gap_s=60) as (cloud, reader, writer):
        writer.write(post(stream=True))
        await reader.readuntil(b"word ")
        writer.transport.abort()
        while cloud.seen.under_way:
            await asyncio.sleep(0)
        assert (cloud.seen.cancels, cloud.seen.replies, cloud.seen.connections) == (1, 0, 0)


def test_the_waiting_engine_is_sure_of_the_first_of_any_number_of_options():
    engine = WaitingEngine(0.0)
    prompts = [engine.prepare(Question("?" * 400, tuple("abcdefghij"[:count]))) for count in (2, 4, 10)]
    assert len(prompts[0].ids) > 100
    for prompt, verdict in zip(prompts, engine.verdicts(prompts), strict=True):
        assert verdict.is_sound(prompt.options)
        assert verdict.answer(Signal.VERBALIZED) == "A"
        assert (verdict.confidence, verdict.answer_probabilities["A"]) == (1.0, 0.9)

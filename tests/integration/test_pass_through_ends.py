"""Where chats end up that are passed on to the cloud: streams that die, and questions that only the cloud can read."""

import asyncio
import contextlib
import json
import socket

from tests.integration.test_api import gateway
from tests.integration.test_openai_chat import SURE, said
from tests.integration.test_pass_through import POEM, REPLY, behind, passed
from tests.integration.test_security import key_file
from tests.support.clouds import DONE, answering, dripping, event, listening

WHOLE = (event("Ro"), event("ses."), b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n', DONE)


async def test_wherever_the_cloud_dies_in_a_stream_the_last_event_is_an_error_unless_the_reply_had_ended():
    """Each of these closes the connection in order, as servers and proxies do that end a failure."""
    ends = len(b"".join(WHOLE[:3]))
    stream = b"".join(WHOLE)
    cuts = [*range(len(WHOLE[0]), ends, 23), ends - 3, ends - 1, ends, ends + 5, len(stream) - 2, len(stream)]
    for cut in cuts:
        async with dripping(stream[:cut]) as cloud, behind(cloud) as (http, _):
            reply = await http.post("/v1/chat/completions", json={**POEM, "stream": True})
            # The third event may lack the blank line at its end.
            ended = cut >= ends - 2
            assert (passed(http, "streamed"), passed(http, "broken")) == (int(ended), int(not ended)), cut
        *events, last = [part for part in reply.content.split(b"\n\n") if part]
        payloads = [json.loads(one.removeprefix(b"data: ")) for one in (*events, last) if one != b"data: [DONE]"]
        assert ("error" in payloads[-1]) is not ended, cut
        assert not ended or payloads[-1]["choices"][0]["finish_reason"] == "stop"


async def test_a_question_that_is_too_long_for_the_edge_model_goes_there_and_is_charged_once(tmp_path):
    able, plain = key_file(tmp_path / "k", {"permissions": frozenset({"answer", "pass_through"}), "questions_per_minute": 9}, {})
    long = SURE.replace("sure", "long")
    async with answering(lambda _: REPLY) as cloud, behind(cloud, security={"keys": tmp_path / "k"}) as (http, _):
        for path, asked, param in (("chat/completions", {"messages": said(long)}, "messages"), ("responses", {"input": long}, "input")):
            reply = await http.post(f"/v1/{path}", json={"model": "foggate", **asked}, headers=able)
            assert (reply.status_code, reply.headers["x-foggate-reason"]) == (200, "passed_on"), reply.text
            refused = await http.post(f"/v1/{path}", json={"model": "foggate", **asked}, headers=plain)
            assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
            assert "9999 tokens" in refused.json()["error"]["message"]
        assert (reply.headers["ratelimit-remaining"], cloud.calls) == ("7", 2)


class Pouring:
    """A cloud that streams 15 megabytes as fast as they are taken; `sent` counts the bytes that were."""

    WHOLE, PIECE = 15_000_000, event("x" * 50_000)

    def __init__(self):
        self.sent = 0

    async def handle(self, reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while self.sent < self.WHOLE:
                writer.write(self.PIECE)
                await writer.drain()
                self.sent += len(self.PIECE)
            writer.write(DONE)
            await writer.drain()


async def test_a_caller_who_reads_slowly_slows_the_cloud_down_and_gets_everything():
    cloud = Pouring()
    with socket.socket() as connection:
        connection.setblocking(False)
        # The two kernels' buffers hold as little as they can.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        async with listening(cloud.handle) as url, gateway(cloud={"base_url": url + "/v1"}) as (http, _):
            await asyncio.get_running_loop().sock_connect(connection, (http.base_url.host, http.base_url.port))
            reader, writer = await asyncio.open_connection(sock=connection, limit=65_536)
            body = json.dumps({**POEM, "stream": True}).encode()
            writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n")
            writer.write(b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            await reader.readuntil(b"data: ")
            before = -1
            while before != cloud.sent:
                before = cloud.sent
                await asyncio.sleep(0.3)
            assert cloud.sent < 12_000_000, "what the kernel and the three programs hold"
            rest = 0
            last = b""
            while piece := await reader.read(65_536):
                rest, last = rest + len(piece), (last + piece)[-64:]
            writer.close()
    assert rest > cloud.WHOLE
    assert DONE in last
    assert passed(http, "streamed") == 1

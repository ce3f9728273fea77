"""Chats that are no multiple-choice question: to the cloud and back as they came. Real HTTP on both sides, and OpenAI's client."""

import asyncio
import contextlib
import json

import httpx2
import openai
import pytest

from app.config.bind_safety import passes_on_without_keys
from app.config.settings import Settings
from tests.integration.test_api import gateway
from tests.integration.test_openai_chat import SURE, client_of, said
from tests.integration.test_security import ALL, key_file
from tests.support.clouds import CUT, DONE, HANG, answering, dripping, event, listening
from tests.support.loopback import loopback_client

POEM = {"model": "foggate", "messages": said("Write a poem.")}
JSON = {"content-type": "application/json"}
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
REPLY = {"id": "c-1", "model": "large", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Roses."}}], "usage": USAGE}


def behind(server, *, security=None, **cloud):
    """A gateway whose cloud is this server."""
    return gateway(cloud={"base_url": server.url + "/v1", "model": "large", **cloud}, **({"security": security} if security else {}))


def tokens(http):
    found = http.state.metrics.registry.get_sample_value
    return [found("foggate_cloud_tokens_total", {"endpoint": "default", "type": kind}) or 0 for kind in ("prompt", "completion")]


def passed(http, outcome):
    return http.state.metrics.registry.get_sample_value("foggate_passed_on_total", {"outcome": outcome}) or 0


@contextlib.asynccontextmanager
async def raw_cloud(content, status=200, more=b""):
    """A server that keeps the bodies as they come; `content` is its reply."""
    bodies = []

    async def handle(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        bodies.append((head, await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))))
        writer.write(
            b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n" % (status, more, len(content)) + content
        )
        await writer.drain()

    async with listening(handle) as url:
        handle.url, handle.bodies = url, bodies
        yield handle


async def test_a_chat_goes_to_the_cloud_as_it_came_but_for_the_name_of_the_model():
    body = '{ "messages" : [{"role":"user","content":"\\u041f\\u0440 Ünï \\ud800 poem"}], "temperature":1.10, "x":{"model":"y"},\n"model" :"foggate" , "seed":12345678901234567890 }'
    odd = json.dumps({**REPLY, "model": "other"}).replace(", ", " ,\n").encode()
    async with raw_cloud(odd) as cloud, behind(cloud) as (http, _):
        reply = await http.post(
            "/v1/chat/completions", content=body.encode(), headers={**JSON, "authorization": "Bearer mine", "cookie": "a=b"}
        )
        assert (reply.status_code, reply.content) == (200, odd)
        assert tokens(http) == [100, 20]
        assert passed(http, "whole") == 1
    ((head, sent),) = cloud.bodies
    assert sent.decode() == body.replace('"foggate"', '"large"')
    assert b"mine" not in head
    assert b"cookie" not in head
    headers = {name: value for name, value in reply.headers.items() if name.startswith("x-foggate-")}
    assert headers == {"x-foggate-route": "cloud", "x-foggate-reason": "passed_on", "x-foggate-model": "other"}


async def test_tools_pictures_and_empty_replies_are_none_of_our_business():
    call = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
    empty = {"model": "large", "choices": [{"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}]}
    replies = [{**REPLY, "choices": [{"index": 0, "message": call, "finish_reason": "tool_calls"}]}, empty, {**REPLY, "choices": []}]
    picture = [
        {
            "role": "user",
            "content": [{"type": "text", "text": SURE}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}],
        }
    ]
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
    async with answering(lambda _: replies.pop(0)) as cloud, behind(cloud) as (http, _), client_of(http) as client:
        reply = await client.chat.completions.create(model="foggate", messages=said(SURE), tools=tools)
        assert reply.choices[0].message.tool_calls[0].function.name == "f"
        assert cloud.asked[0].body["tools"] == tools
        assert (await client.chat.completions.create(model="cloud", messages=picture)).choices[0].message.content == ""
        assert cloud.asked[1].body["messages"] == picture
        assert (await client.chat.completions.create(model="foggate", messages=said("x"), n=3)).choices == []


async def test_a_question_with_a_parameter_that_only_a_cloud_honours_goes_there():
    async with answering(lambda _: REPLY) as cloud, behind(cloud) as (http, _):
        for more in ({"n": 2}, {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "array"}}}}):
            reply = await http.post("/v1/chat/completions", json={**POEM, "messages": said(SURE), **more})
            assert reply.headers["x-foggate-reason"] == "passed_on"
            edge = await http.post("/v1/chat/completions", json={**POEM, "messages": said(SURE), "model": "edge", **more})
            assert (edge.status_code, edge.json()["error"]["param"]) == (400, next(iter(more)))
        assert cloud.calls == 2


async def test_a_stream_comes_through_and_its_usage_is_counted_whether_or_not_it_was_asked_for():
    parts = (event("Ro"), b": ping\n\n", event("ses.")[:9], event("ses.")[9:], event(None, usage=USAGE), DONE)
    for wants in (False, True):
        async with dripping(*parts) as cloud, behind(cloud) as (http, _):
            more = {"stream_options": {"include_usage": True, "include_obfuscation": False}} if wants else {"stream_options": {}}
            reply = await http.post("/v1/chat/completions", json={**POEM, "stream": True, **more})
            assert reply.content == b"".join(part for part in parts if wants or part != event(None, usage=USAGE))
            assert reply.headers["content-type"].startswith("text/event-stream")
            assert reply.headers["x-foggate-model"] == "large"
            assert cloud.asked[0]["stream_options"] == {**more["stream_options"], "include_usage": True}
            assert tokens(http) == [100, 20]
            assert passed(http, "streamed") == 1


async def read_all(client, texts):
    async for chunk in await client.chat.completions.create(**POEM, stream=True):
        texts.append(chunk.choices[0].delta.content)


async def test_the_official_client_streams_and_reads_an_error_where_the_cloud_dies_in_the_middle():
    async with dripping(event("Ro"), event("ses.")[:30], CUT) as cloud, behind(cloud) as (http, _), client_of(http) as client:
        texts = []
        with pytest.raises(openai.APIError, match="broke off") as error:
            await read_all(client, texts)
        assert texts == ["Ro"]
        assert (error.value.code, error.value.type) == ("cloud_unavailable", "server_error")
        assert passed(http, "broken") == 1
    async with (
        dripping(event("Ro"), HANG) as cloud,
        behind(cloud, pass_through={"idle_s": 0.5}) as (http, _),
        client_of(http) as client,
    ):
        with pytest.raises(openai.APIError, match="in time"):
            await read_all(client, [])


async def test_what_the_cloud_refuses_is_passed_on_with_its_status():
    refusal = {"error": {"message": "temperature is too hot", "type": "invalid_request_error", "param": "temperature", "code": None}}
    cases = [
        (400, refusal, 400, refusal, {}),
        (422, {"detail": "no"}, 422, "cloud_rejected", {}),
        (404, b"<html>", 404, "cloud_rejected", {}),
        (429, refusal, 429, refusal, {"retry-after": "7", "retry-after-ms": "7000"}),
        (500, refusal, 500, refusal, {}),
        (401, refusal, 502, "cloud_misconfigured", {"x-should-retry": "false"}),
        (400, {"error": {"message": "bad key sk-very-secret"}}, 502, "cloud_rejected", {}),
    ]
    for status, body, wanted, shown, headers in cases:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        wait = b"retry-after: 7\r\n" if status == 429 else b""
        async with (
            raw_cloud(content, status, wait) as cloud,
            behind(cloud, max_attempts=1, api_key="sk-very-secret") as (http, _),
        ):
            for stream in (False, True):
                reply = await http.post("/v1/chat/completions", json={**POEM, "stream": stream})
                assert reply.status_code == wanted, (status, reply.text)
                if isinstance(shown, dict):
                    assert reply.json() == shown
                else:
                    assert reply.json()["error"]["code"] == shown
                assert "sk-very-secret" not in reply.text
                assert headers.items() <= dict(reply.headers).items()


async def test_only_a_key_with_the_permission_passes_chats_on(tmp_path):
    plain, able, few = key_file(
        tmp_path / "k",
        {},
        {"permissions": frozenset({"answer", "pass_through"})},
        {**ALL, "cloud_calls_per_day": 1, "questions_per_minute": 50},
    )
    async with (
        answering(lambda _: REPLY) as cloud,
        gateway(cloud={"base_url": cloud.url + "/v1"}, security={"keys": tmp_path / "k"}) as (http, _),
    ):
        refused = await http.post("/v1/chat/completions", json=POEM, headers=plain)
        error = refused.json()["error"]
        assert (refused.status_code, error["code"], error["type"]) == (403, "forbidden", "permission_error")
        assert "pass_through" in error["message"]
        beyond = await http.post("/v1/chat/completions", json={**POEM, "messages": said(SURE), "n": 2}, headers=plain)
        assert (beyond.status_code, beyond.json()["error"]["param"]) == (400, "n")
        assert cloud.calls == 0
        assert (await http.post("/v1/chat/completions", json=POEM, headers=able)).status_code == 200
        first, second = [await http.post("/v1/chat/completions", json=POEM, headers=few) for _ in range(2)]
        assert (first.status_code, second.status_code, second.json()["error"]["code"]) == (200, 502, "budget_exhausted")
        assert second.headers["x-should-retry"] == "false"
        assert (second.headers["ratelimit-remaining"], cloud.calls) == ("48", 2)


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ({}, True),
        ({"server": {"host": "0.0.0.0"}, "security": {"insecure": True}}, False),
        ({"security": {"allowed_hosts": ["fog.example"]}}, False),
        ({"cloud": {"pass_through": {"without_keys": False}}}, False),
        ({"server": {"host": "0.0.0.0"}, "cloud": {"pass_through": {"without_keys": True}}}, True),
    ],
)
def test_a_gateway_becomes_no_open_proxy_by_accident(settings, allowed):
    assert passes_on_without_keys(Settings(**settings)) is allowed


async def test_without_keys_beyond_this_machine_and_where_it_is_switched_off_nothing_is_passed_on():
    async with answering(lambda _: REPLY) as cloud:
        for pass_through, status, code in (({"without_keys": False}, 403, "forbidden"), ({"enabled": False}, 404, "not_passed_on")):
            async with behind(cloud, pass_through=pass_through) as (http, _):
                refused = await http.post("/v1/chat/completions", json=POEM)
                assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert cloud.calls == 0


async def test_only_so_many_are_under_way_and_a_caller_who_leaves_makes_room():
    async with dripping(event("A"), HANG) as cloud, behind(cloud, pass_through={"max_in_flight": 1}) as (http, _):
        async with http.stream("POST", "/v1/chat/completions", json={**POEM, "stream": True}) as reply:
            assert reply.status_code == 200
            full = await http.post("/v1/chat/completions", json=POEM)
            assert (full.status_code, full.json()["error"]["code"], full.headers["retry-after-ms"]) == (429, "overloaded", "1000")
        async with asyncio.timeout(30):
            while cloud.left < 1:
                await asyncio.sleep(0.01)
            while http.state.passing._in_flight:
                await asyncio.sleep(0.01)


class Held:
    """A cloud whose streams stop after their first event until they are released, or their client leaves."""

    def __init__(self):
        self.begun = self.left = 0
        self.release = asyncio.Event()

    async def handle(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
        first = event("x" * 1_000)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + first)
        await writer.drain()
        self.begun += 1
        gone, released = asyncio.ensure_future(reader.read(1)), asyncio.ensure_future(self.release.wait())
        await asyncio.wait({gone, released}, return_when=asyncio.FIRST_COMPLETED)
        if gone.done() and not self.release.is_set():
            self.left += 1
        gone.cancel()
        released.cancel()
        writer.write(event("end") + DONE)
        await writer.drain()


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def test_of_a_hundred_streams_thirty_hang_up_and_the_cloud_sees_thirty_cancels():
    held = Held()
    async with (
        listening(held.handle) as url,
        gateway(cloud={"base_url": url + "/v1", "max_in_flight": 100, "pass_through": {"max_in_flight": 100}}) as (http, _),
        loopback_client(base_url=http.base_url, timeout=60, limits=httpx2.Limits(max_connections=100)) as many,
    ):
        staying = 0

        async def read(number):
            nonlocal staying
            async with many.stream("POST", "/v1/chat/completions", json={**POEM, "stream": True}) as reply:
                pieces = reply.aiter_bytes()
                await anext(pieces)
                if number < 30:
                    return b""
                staying += 1
                return b"".join([piece async for piece in pieces])

        reading = [asyncio.ensure_future(read(number)) for number in range(100)]
        await until(lambda: held.begun == 100 and held.left == 30 and staying == 70)
        assert passed(http, "streamed") == 0
        held.release.set()
        rest = await asyncio.gather(*reading)
        assert held.left == 30
        assert [piece.endswith(DONE) for piece in rest] == [False] * 30 + [True] * 70
        assert passed(http, "streamed") == 70
        await until(lambda: http.state.passing._in_flight == 0 and http.state.passing._pool.in_flight == 0)

"""What replies say about their routing: details for who asks for them, on every kind of reply, and what an answer cost."""

import asyncio
import json

import pytest

from tests.integration.test_api import gateway
from tests.integration.test_openai_chat import SURE, WHO, said
from tests.integration.test_pass_through import POEM, REPLY, USAGE, behind
from tests.integration.test_security import key_file
from tests.support.clouds import DONE, answering, completion, dripping, event, listening, scripted

DEBUG = {"x-foggate-debug": "true"}
DETAILS = ("x-foggate-not-recognised", "x-foggate-not-honoured")
PRICES = {"large": {"input": 2, "output": 10}, "small": {"input": 1, "output": 1}}
# Of 100 prompt tokens and 20 completion tokens at these prices.
COST = "0.000400"


def body_of(path, asked, **more):
    return {"model": "foggate", **({"messages": said(asked)} if path == "/v1/chat/completions" else {"input": asked}), **more}


def foggate_of(reply):
    """The field `foggate`, of a whole reply or of the last event that has one."""
    if reply.headers["content-type"].startswith("application/json"):
        return reply.json()["foggate"]
    events = [json.loads(line[6:]) for line in reply.text.split("\n") if line.startswith("data: {")]
    return [found for one in events if (found := one.get("foggate") or one.get("response", {}).get("foggate"))][-1]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
async def test_details_come_on_every_kind_of_reply_to_who_asks_for_them(path, stream, tmp_path):
    plain, able = key_file(tmp_path / "k", {}, {"permissions": frozenset({"answer", "pass_through", "force_route"})})
    kind = {"type": "json_schema", "name": "n", "schema": {}}
    form = {"text": {"format": kind}} if path == "/v1/responses" else {"response_format": {"type": "json_schema", "json_schema": kind}}
    cases = {
        "answered": (able, SURE, {}, 200, (None, None)),
        "passed on": (able, "Write a poem.", {}, 200, ("no_options", None)),
        "passed on for a parameter": (able, SURE, form, 200, (None, next(iter(form)))),
        "not allowed": (plain, "Write a poem.", {}, 403, ("no_options", None)),
        "not the edge's": (able, "Write a poem.", {"model": "edge"}, 400, ("no_options", None)),
    }
    whole = stream is False
    async with (
        answering(lambda _: REPLY) if whole else dripping(event("Ro"), event(None, usage=USAGE), DONE) as cloud,
        behind(cloud, security={"keys": tmp_path / "k"}) as (http, _),
    ):
        for name, (key, text, more, status, details) in cases.items():
            asked = body_of(path, text, stream=stream, **more)
            reply = await http.post(path, json=asked, headers=key | DEBUG)
            assert reply.status_code == status, (name, reply.text)
            assert tuple(reply.headers.get(one) for one in DETAILS) == details, name
            quiet = await http.post(path, json=asked, headers=key)
            assert quiet.status_code == status
            assert not set(DETAILS) & set(quiet.headers), name
            if name == "answered":
                assert foggate_of(reply)["recognised"]["options"] == ["red", "green", "blue"]
                assert foggate_of(reply)["outcome"]["answer"] == "B"
                assert "outcome" not in foggate_of(quiet)


async def test_an_answer_and_a_whole_reply_say_what_they_cost():
    async with (
        answering(lambda _: completion("Final answer: A")) as cloud,
        gateway(cloud={"base_url": cloud.url + "/v1", "model": "large"}, prices=PRICES) as (http, _),
    ):
        for path in ("/v1/chat/completions", "/v1/responses"):
            for text in (WHO, "Write a poem."):
                reply = await http.post(path, json=body_of(path, text))
                assert (reply.headers["x-foggate-route"], reply.headers["x-foggate-cost"]) == ("cloud", COST), (path, text)
            assert (await http.post(path, json=body_of(path, WHO))).json()["foggate"]["cost"] == pytest.approx(float(COST))
            assert "x-foggate-cost" not in (await http.post(path, json=body_of(path, SURE))).headers, "the cloud was not asked"
    async with answering(lambda _: completion("Final answer: A")) as cloud, behind(cloud) as (http, _):
        reply = await http.post("/v1/chat/completions", json=body_of("/v1/chat/completions", WHO))
        assert "x-foggate-cost" not in reply.headers, "there are no prices"
        assert reply.json()["foggate"]["cost"] is None


async def test_a_reply_that_could_not_be_used_is_in_the_cost_of_what_came_instead():
    replies = ((200, completion("Prose.")), (200, completion("Final answer: A", model="small")))
    async with scripted(*replies[:1]) as first, scripted(*replies[1:]) as second:
        endpoints = {"second": {"base_url": second.url + "/v1"}}
        async with gateway(cloud={"base_url": first.url + "/v1", "model": "large", "endpoints": endpoints}, prices=PRICES) as (http, _):
            both = await http.post("/v1/chat/completions", json={**POEM, "messages": said(WHO)})
            assert (both.headers["x-foggate-model"], both.headers["x-foggate-cost"]) == ("small", "0.000520")
        async with gateway(cloud={"base_url": first.url + "/v1", "model": "large"}, prices=PRICES) as (http, _):
            degraded = await http.post("/v1/chat/completions", json={**POEM, "messages": said(WHO)})
            assert (degraded.headers["x-foggate-route"], degraded.headers["x-foggate-cost"]) == ("edge-degraded", COST)


async def test_an_answer_that_another_caller_paid_for_costs_nothing():
    async with answering(lambda _: completion("Final answer: A")) as cloud:
        settings = {"base_url": cloud.url + "/v1", "model": "large", "cache_entries": 10}
        async with gateway(cloud=settings, prices=PRICES) as (http, _):
            costs = [
                (await http.post("/v1/chat/completions", json={**POEM, "messages": said(WHO)})).headers["x-foggate-cost"] for _ in "12"
            ]
    assert costs == [COST, "0.000000"]


@pytest.mark.parametrize(("text", "route"), [("Final answer: A", "cloud"), ("Prose.", "edge-degraded")])
async def test_of_two_callers_who_share_a_call_the_first_one_pays(text, route):
    async def handle(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
        while not shared():
            await asyncio.sleep(0.01)
        content = json.dumps(completion(text)).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(content) + content)
        await writer.drain()

    async with listening(handle) as url, gateway(cloud={"base_url": url + "/v1", "model": "large"}, prices=PRICES) as (http, _):

        def shared():
            return http.state.metrics.registry.get_sample_value("foggate_cloud_shared_total", {"how": "in_flight"})

        asked = {**POEM, "messages": said(WHO)}
        replies = await asyncio.gather(*(http.post("/v1/chat/completions", json=asked) for _ in "12"))
    assert [reply.headers["x-foggate-route"] for reply in replies] == [route] * 2
    assert sorted(reply.headers["x-foggate-cost"] for reply in replies) == ["0.000000", COST]

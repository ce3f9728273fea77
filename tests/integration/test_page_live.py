"""The stream of live numbers: equal to /metrics, bounded in listeners and memory, and no reason for a shutdown to wait."""

import asyncio
import contextlib
import json
import time

import pytest

from app.api.app import create_app
from app.api.live import MAX_LISTENERS, Live, LiveResponse
from app.api.server import listen, server_of
from app.config.settings import Settings
from app.edge.build import with_engine
from tests.integration.test_api import ASK, UNSURE, gateway
from tests.support.fakes import FakeEngine

EVENTS = "/ui/events"


async def events(http, count):
    """The first events of a stream."""
    found = []
    async with http.stream("GET", EVENTS) as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert reply.headers["cache-control"] == "no-store"
        async for line in reply.aiter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
            if len(found) == count:
                return found
    return found


async def test_the_numbers_are_those_of_metrics_and_move():
    async with gateway(faults={}) as (http, _):
        for question in (ASK, ASK, UNSURE):
            assert (await http.post("/v1/answer", json=question)).status_code == 200
        assert (await http.post("/v1/answer", json={"question": "", "options": ["a", "b"]})).status_code == 422
        sampled = http.state.metrics.registry.get_sample_value
        (event,) = await events(http, 1)
        total = event["since_start"]
        assert total["edge"] == sampled("foggate_requests_total", {"route": "edge", "reason": "confident"}) == 2
        assert total["cloud"] == sampled("foggate_requests_total", {"route": "cloud", "reason": "low_confidence"}) == 1
        assert total["errors"] == sampled("foggate_rejected_total", {"reason": "invalid_question"}) == 1
        assert event["endpoints"] == [{"name": "default", "breaker": "closed", "attempts": {"200": 1}}]
        assert (event["status"], event["tau"]) == ("ready", {"default": 0.5})
        moved, *_ = await asyncio.gather(events(http, 3), *(http.post("/v1/answer", json=ASK) for _ in range(20)))
        moved = moved[-1]
        assert moved["now"]["edge"] == moved["since_start"]["edge"] - total["edge"] > 0
        assert moved["now"]["per_second"] > 0


async def test_listeners_are_bounded_and_their_places_become_free():
    async with gateway(cloud=False) as (http, _), contextlib.AsyncExitStack() as stack:
        for _ in range(MAX_LISTENERS):
            reply = await stack.enter_async_context(http.stream("GET", EVENTS))
            assert reply.status_code == 200
        refused = await http.get(EVENTS)
        assert (refused.status_code, refused.json()["error"]["type"]) == (429, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        await stack.aclose()
        async with asyncio.timeout(20):
            while (await http.get("/health/ready")).status_code == 200:
                async with http.stream("GET", EVENTS) as reply:
                    if reply.status_code == 200:
                        break
                await asyncio.sleep(0.05)


async def test_nothing_is_read_while_nobody_listens():
    async with gateway(cloud=False) as (http, _):
        state, read = http.state, 0

        async def refresh():
            nonlocal read
            read += 1

        state.refresh_metrics = refresh
        live = Live(state, every_s=0.1)
        await asyncio.sleep(0.2)
        assert read == 0
        async with live.listening() as stream:
            for _ in range(3):
                await anext(stream)
        assert (live.listeners, read >= 3) == (0, True)
        seen = read
        await asyncio.sleep(0.3)
        assert read == seen


async def test_a_listener_who_takes_nothing_cannot_keep_the_gateway_from_ending():
    async with gateway(cloud=False) as (http, _):
        state, blocked = http.state, asyncio.Event()
        live = Live(state, every_s=0.1)

        async def send(message):
            if message["type"] == "http.response.body":
                blocked.set()
                await asyncio.Event().wait()

        streaming = asyncio.create_task(LiveResponse(live, {})({"type": "http"}, asyncio.Event().wait, send))
        await blocked.wait()
        state.draining = True
        await asyncio.wait_for(streaming, 5)
        assert live.listeners == 0


async def test_a_draining_gateway_ends_the_streams_and_takes_no_new_ones():
    async with gateway(cloud=False) as (http, _), http.stream("GET", EVENTS) as reply:
        lines = reply.aiter_lines()
        while not (await anext(lines)).startswith("data: "):
            pass
        http.state.draining = True
        async with asyncio.timeout(5):
            async for _ in lines:
                pass
        refused = await http.get(EVENTS)
        assert (refused.status_code, refused.json()["error"]["type"]) == (503, "draining")


@pytest.mark.parametrize("reads", [True, False])
async def test_a_shutdown_does_not_wait_for_those_who_watch(reads):
    settings = Settings(server={"drain_wait_s": 0})
    app = create_app(settings, edge=with_engine(lambda _: FakeEngine()))
    server = server_of(app, settings)
    with listen("127.0.0.1", 0) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.getsockname()[1], limit=1024)
        writer.write(b"GET /ui/events HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert b"200" in await reader.readline()
        watching = asyncio.create_task(reader.read(-1)) if reads else None
        await asyncio.sleep(0.2)
        began = time.monotonic()
        server.should_exit = True
        await asyncio.wait_for(serving, 20)
        # Without an end of the stream it would be the longest that a request can take: 25 s.
        assert time.monotonic() - began < 5
        if watching is not None:
            assert (await watching).endswith(b"0\r\n\r\n")
        writer.close()

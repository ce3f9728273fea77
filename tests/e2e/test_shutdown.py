"""How a gateway process ends while it still has work: a long batch, a model that is still being loaded."""

import asyncio
import json
import signal

import httpx2
import pytest

from tests.support.loopback import loopback_client

ASK = {"question": "I am sure of this", "options": ["a", "b", "c"]}
# A batch of 400 takes 40 s, one question 0.4 s.
SLOW = {
    "FOGGATE_DEADLINE_MS": "2000",
    "FOGGATE_SERVER__DRAIN_WAIT_S": "0",
    "FOGGATE_EDGE__MAX_BATCH_SIZE": "1",
    "FOGGATE_LIMITS__BATCH_CONCURRENCY": "4",
    "FOGGATE_LIMITS__MAX_QUESTIONS": "400",
    "FOGGATE_LIMITS__BODY_TIMEOUT_S": "1",
}


@pytest.mark.parametrize("form", ["application/json", "application/x-ndjson"])
async def test_draining_ends_the_rest_of_a_batch_with_its_own_error_lines(start, form):
    gateway = start("gateway", "--batch-ms", "100", module="tests.support.dummy_gateway", **SLOW)
    async with loopback_client(base_url=await gateway.url(), timeout=120) as http:
        questions = [{**ASK, "id": str(number)} for number in range(400)]
        batch = asyncio.ensure_future(http.post("/v1/answers", json={"questions": questions}, headers={"accept": form}))
        while b"foggate_requests_total{" not in (await http.get("/metrics")).content:
            await asyncio.sleep(0.05)
        gateway.process.send_signal(signal.SIGTERM)
        reply = await batch
    assert reply.status_code == 200
    results = [json.loads(line) for line in reply.text.splitlines()] if "ndjson" in form else reply.json()["results"]
    assert sorted(int(result["id"]) for result in results) == list(range(400)), "each has exactly one result"
    kinds = {result["error"]["type"] if "error" in result else result["route"] for result in results}
    assert kinds == {"edge", "draining"}
    assert await asyncio.to_thread(gateway.process.wait, 60) == 0


@pytest.mark.parametrize(("signal_number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_a_load_is_given_up_at_once(start, signal_number, code):
    """The load takes ten minutes; who sends SIGTERM does not wait for it."""
    gateway = start("gateway", "--load-s", "600", "--at-once", module="tests.support.dummy_gateway", FOGGATE_SERVER__DRAIN_WAIT_S="300")
    async with loopback_client(base_url=await gateway.url()) as http:
        while True:
            try:
                live = await http.get("/health/live")
                break
            except httpx2.ConnectError:
                await asyncio.sleep(0.05)
        assert live.status_code == 200
        assert (await http.get("/health/ready")).json() == {"status": "loading"}
    gateway.process.send_signal(signal_number)
    assert await asyncio.to_thread(gateway.process.wait, 60) == code


async def test_a_warm_up_that_hangs_is_given_up_at_once(start):
    gateway = start("gateway", "--batch-ms", "600000", "--at-once", module="tests.support.dummy_gateway")
    async with loopback_client(base_url=await gateway.url()) as http:
        while (await http.get("/metrics")).text.count("foggate_edge_queue_depth 0.0") == 0:
            await asyncio.sleep(0.05)
    gateway.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(gateway.process.wait, 20) == 0

"""A cloud that hangs is found out however short the deadlines are, and callers in a hurry open no breaker. Default time-outs."""

import asyncio

import pytest

from app.cloud.breaker import State
from app.cloud.build import build_cloud
from app.cloud.single_flight import SingleFlightCloud
from app.config.settings import Settings
from app.core.deadline import Deadline
from app.core.errors import CloudError, CloudTimeout
from app.core.question import Question
from app.telemetry.metrics import Metrics
from tests.integration.test_api import UNSURE, gateway
from tests.support.clouds import breaker, cloud_client, completion, endpoint, listening, scripted
from tests.support.loopback import loopback_client


async def reason(http, number, **more):
    reply = await http.post("/v1/answer", json={**UNSURE, "question": f"Who knows {number}", **more}, timeout=120)
    return reply.json().get("reason", reply.status_code)


async def until_the_circuit_is_open(http, **more):
    """Waves of twelve callers; however often a slow machine leaves an attempt too little time, the breaker opens at last."""
    asked = 0
    while True:
        found = await asyncio.gather(*(reason(http, asked + number, **more) for number in range(12)))
        asked += 12
        if set(found) == {"circuit_open"}:
            return


async def calls(http):
    async with loopback_client() as other:
        return (await other.get(http.cloud_url + "/stats")).json()["calls"]


def state(http):
    return http.state.metrics.registry.get_sample_value("foggate_cloud_breaker_state", {"endpoint": "default"})


async def test_what_an_attempt_can_last_is_bounded_by_the_deadline_of_a_gateway_and_not_of_an_offline_run():
    settings = Settings(cloud={"base_url": "http://127.0.0.1:9/v1"}, deadline_ms=3000)
    for offline, possible_s in ((False, 3.0), (True, settings.cloud.timeout_s)):
        cloud = build_cloud(settings, Metrics(), offline=offline)
        assert cloud.pool.possible_s == possible_s
        await cloud.close()


@pytest.mark.parametrize("deadline_ms", [200, 500, 1000, 3000])
async def test_a_hung_cloud_opens_the_breaker_by_the_deadline_of_the_gateway(deadline_ms):
    async with gateway(faults={"hang": 1.0}, deadline_ms=deadline_ms) as (http, _):
        await until_the_circuit_is_open(http)


@pytest.mark.parametrize("deadline_ms", [500, 1000, 2400])
async def test_a_hung_cloud_opens_the_breaker_by_the_deadlines_of_its_callers(deadline_ms):
    async with gateway(faults={"hang": 1.0}) as (http, _):
        await until_the_circuit_is_open(http, deadline_ms=deadline_ms)


async def test_a_cloud_that_answered_and_then_hangs_is_found_out_by_callers_who_cannot_wait_long():
    faults = {"hang": 0.0}
    async with gateway(faults=faults) as (http, _):
        assert await reason(http, "first") != "circuit_open"
        faults["hang"] = 1.0
        await until_the_circuit_is_open(http, deadline_ms=1000)


async def test_fast_answers_are_remembered_when_a_patient_caller_asked_lately():
    rules = breaker(min_calls=1)
    async with scripted((200, completion())) as server:
        cloud = cloud_client(endpoint(server.url, rules=rules))
        await cloud.answer(Question("Who knows?", ("a", "b")), Deadline.after(60))
        server.replies.clear()
        for _ in range(10):  # fewer seconds than the patience of the first caller is remembered
            if rules.state is State.CLOSED:
                with pytest.raises(CloudTimeout):
                    await cloud.answer(Question("Who knows?", ("a", "b")), Deadline.after(1))
        await cloud.close()
    assert rules.state is State.OPEN


async def test_a_cloud_that_begins_a_reply_and_never_ends_it_hangs():
    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{")
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with listening(handle) as url, gateway(cloud={"base_url": url + "/v1"}) as (http, _):
        await until_the_circuit_is_open(http, deadline_ms=1000)


async def test_callers_in_a_hurry_beside_patient_ones_leave_a_healthy_cloud_its_callers():
    """The cloud needs a second. Thirty callers at a time allow 50 ms or 400 ms and get nothing; who can wait is served."""
    async with gateway(latency_ms=1000, cloud={"breaker": {"window_s": 3600}}) as (http, _):
        for wave in range(3):
            patient = [asyncio.ensure_future(reason(http, f"patient {wave} {number}", deadline_ms=60_000)) for number in range(2)]
            while await calls(http) < 2:
                await asyncio.sleep(0.01)
            while not any(task.done() for task in patient):
                hurried = (reason(http, f"{wave} {number} in a hurry", deadline_ms=(50, 400)[number % 2]) for number in range(30))
                await asyncio.gather(*hurried)
                assert state(http) == State.CLOSED
            assert await asyncio.gather(*patient) == ["low_confidence"] * 2


async def test_callers_in_a_great_hurry_alone_open_no_breaker():
    async with gateway(latency_ms=1000, cloud={"breaker": {"window_s": 3600}}) as (http, _):
        for wave in range(3):
            await asyncio.gather(*(reason(http, f"{wave} {number}", deadline_ms=50) for number in range(20)))
        assert state(http) == State.CLOSED


async def test_a_half_open_breaker_is_neither_kept_open_by_a_hung_probe_nor_opened_by_one_in_a_hurry():
    clock = [0.0]
    rules = breaker(min_calls=1, open_s=5, probes=2, clock=lambda: clock[0])
    rules.failed(rules.admit())

    async def ask(cloud, number, seconds):
        try:
            return await cloud.answer(Question(f"Who knows {number}", ("a", "b")), Deadline.after(seconds))
        except CloudError as error:
            return type(error)

    async with scripted() as server:
        cloud = SingleFlightCloud(cloud_client(endpoint(server.url, rules=rules)), Metrics(), longest_s=10)
        clock[0] += 5
        for number in range(20):
            await ask(cloud, number, 0.05)
        assert rules.state is State.HALF_OPEN, "they say nothing of it"
        number = 20
        while rules.state is State.HALF_OPEN:
            number += 1
            await ask(cloud, number, 0.5)
        assert rules.state is State.OPEN
        await cloud.close()


async def test_an_endpoint_that_begins_a_5xx_has_failed_however_little_time_its_callers_gave_it():
    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 X\r\ncontent-length: 100\r\n\r\n.")
        await reader.read()

    rules = breaker(min_calls=1)
    async with listening(handle) as url:
        cloud = cloud_client(endpoint(url, rules=rules))
        while rules.state is State.CLOSED:  # the head may need longer on a slow machine
            with pytest.raises(CloudError):
                await cloud.answer(Question("Who knows?", ("a", "b")), Deadline.after(0.1))
        await cloud.close()
    assert rules.state is State.OPEN

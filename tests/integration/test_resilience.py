"""The cloud on its bad days: fail-over, breaker, retry budget, bounds. Real mock clouds over HTTP."""

import asyncio
import shutil
import ssl
import subprocess

import httpx2
import pytest

from app.cloud.breaker import State
from app.core.deadline import Deadline
from app.core.errors import CircuitOpen, CloudError, CloudMisconfigured, CloudRejected, CloudTimeout, CloudUnavailable, CloudUnparsable
from app.core.question import Question
from app.demo.bank import SHIPPED_BANK, Bank, load_rows
from app.demo.server import create_demo
from tests.support.clouds import breaker, cloud_client, endpoint
from tests.support.loopback import loopback_client
from tests.support.servers import serving

ROWS = load_rows([SHIPPED_BANK])
QUESTIONS = [Question(row["question"], tuple(row["options"])) for row in ROWS]


def demo(**kwargs):
    return create_demo(Bank(ROWS, accuracy=1.0), **kwargs)


async def calls(url):
    async with loopback_client() as http:
        return (await http.get(url + "/stats")).json()["calls"]


async def outcomes(cloud, count, seconds=20.0):
    """What each of that many questions got, one after the other."""
    found = []
    for number in range(count):
        try:
            found.append(await cloud.answer(QUESTIONS[number % len(QUESTIONS)], Deadline.after(seconds)))
        except CloudError as error:
            found.append(type(error))
    return found


@pytest.mark.parametrize("fault", ["429", "500", "cut", "hang"])
async def test_a_second_endpoint_answers_at_once_when_the_first_fails(fault):
    async with serving(demo(faults={fault: 1.0}, retry_after_s=3600)) as bad, serving(demo()) as good:
        cloud = cloud_client(endpoint(bad, "first"), endpoint(good, "second", model="n"), timeout_s=0.3)
        reply = await cloud.answer(QUESTIONS[0], Deadline.after(20))
        await cloud.close()
        assert (reply.answer, reply.attempts) == (ROWS[0]["answer"], 2)
        assert (await calls(bad), await calls(good)) == (1, 1)


async def test_an_endpoint_that_refuses_the_key_is_passed_over_and_the_last_refusal_is_said():
    async with serving(demo()) as good:
        wrong = endpoint(good + "/nothing-here", "first")
        cloud = cloud_client(wrong, endpoint(good, "second"))
        assert (await cloud.answer(QUESTIONS[0], Deadline.after(20))).attempts == 2
        await cloud.close()
        alone = cloud_client(wrong)
        with pytest.raises(CloudRejected):
            await alone.answer(QUESTIONS[0], Deadline.after(20))
        await alone.close()


async def test_a_failing_endpoint_is_left_alone_and_asked_again_by_probes():
    clock = [0.0]
    rules = breaker(min_calls=4, open_s=5, probes=2, clock=lambda: clock[0])
    faults = {"500": 1.0}
    async with serving(demo(faults=faults)) as url:
        cloud = cloud_client(endpoint(url, rules=rules), max_attempts=1)
        assert await outcomes(cloud, 6) == [CloudUnavailable] * 4 + [CircuitOpen] * 2
        assert await calls(url) == 4
        clock[0] += 5
        assert await outcomes(cloud, 2) == [CloudUnavailable, CircuitOpen]
        assert await calls(url) == 5
        faults.clear()
        clock[0] += 5
        assert [type(found).__name__ for found in await outcomes(cloud, 4)] == ["CloudReply"] * 4
        assert rules.state is State.CLOSED
        await cloud.close()


async def test_with_the_first_endpoint_open_the_second_one_gets_the_questions_at_their_first_attempt():
    async with serving(demo(faults={"500": 1.0})) as bad, serving(demo()) as good:
        cloud = cloud_client(endpoint(bad, "first", rules=breaker(min_calls=3)), endpoint(good, "second"))
        replies = await outcomes(cloud, 10)
        await cloud.close()
        assert [reply.attempts for reply in replies] == [2] * 3 + [1] * 7
        assert await calls(bad) == 3


async def test_refusals_and_babble_are_no_reason_to_leave_an_endpoint_alone():
    rules = breaker(min_calls=2)
    async with serving(demo(faults={"prose": 0.5, "429": 0.5}, retry_after_s=0)) as url:
        cloud = cloud_client(endpoint(url, rules=rules), max_attempts=1)
        assert set(await outcomes(cloud, 12)) == {CloudUnparsable, CloudUnavailable}
        assert rules.state is State.CLOSED
        await cloud.close()


async def test_callers_in_a_hurry_cannot_open_the_breaker_for_everybody():
    rules = breaker(min_calls=2)
    async with serving(demo(latency_ms=300)) as url:
        cloud = cloud_client(endpoint(url, rules=rules), timeout_s=8)
        assert await outcomes(cloud, 4, seconds=0.02) == [CloudTimeout] * 4
        assert rules.state is State.CLOSED
        assert type((await outcomes(cloud, 1))[0]).__name__ == "CloudReply"
        await cloud.close()


async def test_callers_who_give_up_on_a_hanging_endpoint_open_its_breaker_unless_they_left_early():
    rules = breaker(min_calls=2)
    async with serving(demo(faults={"hang": 1.0})) as url:

        async def left_after(seconds, timeout_s):
            cloud = cloud_client(endpoint(url, rules=rules), timeout_s=timeout_s)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(seconds):
                    await cloud.answer(QUESTIONS[0], Deadline.after(60))
            await cloud.close()

        for _ in range(4):
            await left_after(0.05, timeout_s=60)
        assert rules.state is State.CLOSED
        for _ in range(2):
            await left_after(1.2, timeout_s=2)
        assert rules.state is State.OPEN


async def test_a_dying_cloud_sees_at_most_a_fifth_more_than_its_normal_calls():
    async with serving(demo(faults={"500": 1.0})) as url:
        cloud = cloud_client(url, share=0.2, max_attempts=5)
        found = await asyncio.gather(*(outcomes(cloud, 1) for _ in range(60)))
        await cloud.close()
        assert found == [[CloudUnavailable]] * 60
        assert 60 < await calls(url) <= 72


async def test_fail_over_is_a_retry_and_a_refused_one_gives_its_place_back():
    clock = [0.0]
    probing = breaker(min_calls=1, open_s=5, probes=1, clock=lambda: clock[0])
    probing.failed(probing.admit())
    clock[0] += 5
    async with serving(demo(faults={"500": 1.0})) as bad, serving(demo()) as good:
        cloud = cloud_client(endpoint(bad, "first"), endpoint(good, "second", rules=probing), share=0)
        assert await outcomes(cloud, 3) == [CloudUnavailable] * 3
        assert (await calls(bad), await calls(good)) == (3, 0)
        await cloud.close()
    assert probing.state is State.HALF_OPEN
    assert probing.admit() is not None


def retries_left(cloud):
    return sum(cloud.pool.retry_budget.take() for _ in range(100))


async def test_the_retry_budget_counts_calls_and_retries_that_went_out_and_no_others():
    rules = breaker(min_calls=1)
    async with serving(demo(faults={"500": 1.0})) as url:
        cloud = cloud_client(endpoint(url, rules=rules), share=0.2)
        assert await outcomes(cloud, 1) == [CloudUnavailable], "the breaker is open when it is time for the retry"
        assert await outcomes(cloud, 100) == [CircuitOpen] * 100
        assert await calls(url) == 1
        assert retries_left(cloud) == 3, "the three that are always allowed; a fifth of a hundred questions would be twenty"
        await cloud.close()


async def test_a_full_cloud_queue_is_refused_at_once_and_places_come_back():
    async with serving(demo(latency_ms=60_000)) as url:
        cloud = cloud_client(url, max_in_flight=2)
        busy = [asyncio.ensure_future(cloud.answer(QUESTIONS[n], Deadline.after(60))) for n in range(2)]
        while await calls(url) < 2:
            await asyncio.sleep(0.01)
        with pytest.raises(CloudUnavailable, match="2 cloud calls are in flight"):
            await cloud.answer(QUESTIONS[2], Deadline.after(60))
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
        assert await outcomes(cloud, 1, seconds=0.05) == [CloudTimeout]
        await cloud.close()


async def test_a_reply_without_end_is_cut_off():
    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        try:
            for _ in range(1000):
                writer.write(b" " * 65536)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        cloud = cloud_client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(CloudUnparsable, match="is over 1048576 bytes"):
            await cloud.answer(QUESTIONS[0], Deadline.after(20))
        await cloud.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here to make a certificate")
async def test_a_certificate_that_nobody_signed_is_not_accepted(tmp_path):
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    where = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *where], check=True, capture_output=True
    )
    pair = {"ssl_certfile": str(tmp_path / "cert.pem"), "ssl_keyfile": str(tmp_path / "key.pem")}
    async with serving(demo(), **pair) as url:
        secure = url.replace("http://", "https://")
        cloud = cloud_client(secure, max_attempts=1)
        with pytest.raises(CloudMisconfigured, match="certificate"):
            await cloud.answer(QUESTIONS[0], Deadline.after(20))
        await cloud.close()
        async with httpx2.AsyncClient(verify=ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))) as trusting:
            assert (await trusting.get(secure + "/stats")).json()["calls"] == 0, "it is there, and it was not asked"

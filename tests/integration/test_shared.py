"""Identical questions ask the cloud once, whoever leaves in between."""

import asyncio

import pytest

from app.cloud.single_flight import SingleFlightCloud
from app.core.deadline import Deadline
from app.core.errors import CloudTimeout, CloudUnavailable
from app.core.outcome import CloudReply
from app.core.question import Question
from app.demo.bank import SHIPPED_BANK, Bank, load_rows
from app.demo.server import create_demo
from app.telemetry.metrics import Metrics
from tests.support.clouds import cloud_client
from tests.support.loopback import loopback_client
from tests.support.servers import serving

ROWS = load_rows([SHIPPED_BANK])
QUESTION, OTHER = (Question(row["question"], tuple(row["options"])) for row in ROWS[:2])


def demo(**kwargs):
    return create_demo(Bank(ROWS, accuracy=1.0), **kwargs)


async def stats(url):
    async with loopback_client() as http:
        return (await http.get(url + "/stats")).json()


async def until(url, name, count):
    while (await stats(url))[name] < count:
        await asyncio.sleep(0.01)


def shared(url, metrics=None, **kwargs):
    return SingleFlightCloud(cloud_client(url, max_attempts=1), metrics or Metrics(), longest_s=60, **kwargs)


async def test_those_who_ask_the_same_at_the_same_time_share_one_call():
    metrics = Metrics()
    async with serving(demo(latency_ms=300)) as url:
        cloud = shared(url, metrics)
        replies = await asyncio.gather(
            *(cloud.answer(QUESTION, Deadline.after(30)) for _ in range(5)), cloud.answer(OTHER, Deadline.after(30))
        )
        assert [reply.answer for reply in replies] == [ROWS[0]["answer"]] * 5 + [ROWS[1]["answer"]]
        assert (await stats(url))["calls"] == 2
        await cloud.answer(QUESTION, Deadline.after(30))
        assert (await stats(url))["calls"] == 3, "nothing is kept unless that is configured"
        await cloud.close()
    assert metrics.registry.get_sample_value("foggate_cloud_shared_total", {"how": "in_flight"}) == 4


async def test_each_keeps_his_own_deadline_and_the_others_get_their_answer():
    async with serving(demo(latency_ms=1500)) as url:
        cloud = shared(url)
        patient = asyncio.ensure_future(cloud.answer(QUESTION, Deadline.after(60)))
        await until(url, "calls", 1)
        with pytest.raises(CloudTimeout):
            await cloud.answer(QUESTION, Deadline.after(0.05))
        assert (await patient).answer == ROWS[0]["answer"]
        assert ((await stats(url))["calls"], (await stats(url))["cancels"]) == (1, 0)
        await cloud.close()


async def test_the_call_ends_when_the_last_one_leaves_and_not_before():
    async with serving(demo(latency_ms=60_000)) as url:
        cloud = shared(url)
        first, second = (asyncio.ensure_future(cloud.answer(QUESTION, Deadline.after(60))) for _ in range(2))
        await until(url, "calls", 1)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert (await stats(url))["cancels"] == 0
        second.cancel()
        await until(url, "cancels", 1)
        third = asyncio.ensure_future(cloud.answer(QUESTION, Deadline.after(60)))
        await until(url, "calls", 2)
        third.cancel()
        await asyncio.gather(second, third, return_exceptions=True)
        await cloud.close()


class Slow:
    """An upstream whose calls go on until they are let go, even those that are cancelled."""

    def __init__(self):
        self.calls = []

    async def answer(self, question, deadline, allowance, *, patience):
        self.calls.append(ended := asyncio.Event())
        try:
            await ended.wait()
        except asyncio.CancelledError:
            await ended.wait()
            raise
        return CloudReply("A", "m", 1, {})


async def test_a_cancelled_call_that_ends_late_takes_no_later_call_with_it():
    upstream = Slow()
    cloud = SingleFlightCloud(upstream, Metrics(), longest_s=60)
    asked = [asyncio.ensure_future(cloud.answer(QUESTION, Deadline.after(60)))]
    while len(upstream.calls) < 1:
        await asyncio.sleep(0)
    asked[0].cancel()
    await asyncio.wait(asked)
    asked.append(asyncio.ensure_future(cloud.answer(QUESTION, Deadline.after(60))))
    while len(upstream.calls) < 2:
        await asyncio.sleep(0)
    upstream.calls[0].set()
    for _ in range(5):
        await asyncio.sleep(0)
    asked.append(asyncio.ensure_future(cloud.answer(QUESTION, Deadline.after(60))))
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(upstream.calls) == 2, "the third one joins the second's call"
    upstream.calls[1].set()
    assert [(await reply).answer for reply in asked[1:]] == ["A", "A"]


async def test_an_endpoint_is_told_how_long_the_most_patient_of_its_callers_still_waits():
    class Upstream(Slow):
        async def answer(self, question, deadline, allowance, *, patience):
            told.append((deadline, patience))
            return await super().answer(question, deadline, allowance, patience=patience)

    told, upstream = [], Upstream()
    cloud = SingleFlightCloud(upstream, Metrics(), longest_s=1000)
    asked = [asyncio.ensure_future(cloud.answer(QUESTION, Deadline.after(seconds))) for seconds in (20, 50, 30)]
    while not told:
        await asyncio.sleep(0)
    ((deadline, patience),) = told
    assert deadline.remaining() > 100, "the call itself may last as long as any caller may wait"
    assert 30 < patience() <= 50
    upstream.calls[0].set()
    assert [reply.answer for reply in await asyncio.gather(*asked)] == ["A"] * 3


async def test_a_failure_is_everybodys_and_is_not_kept():
    faults = {"500": 1.0}
    async with serving(demo(faults=faults, latency_ms=200)) as url:
        cloud = shared(url, cache_entries=10)
        found = await asyncio.gather(*(cloud.answer(QUESTION, Deadline.after(30)) for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in found] == [CloudUnavailable] * 3
        assert (await stats(url))["calls"] == 1
        faults.clear()
        assert (await cloud.answer(QUESTION, Deadline.after(30))).answer == ROWS[0]["answer"]
        await cloud.close()


async def test_kept_answers_cost_nothing_are_few_and_grow_old():
    metrics = Metrics()
    async with serving(demo()) as url:
        cloud = shared(url, metrics, cache_entries=1, cache_ttl_s=3600)
        paid = await cloud.answer(QUESTION, Deadline.after(30))
        kept = await cloud.answer(QUESTION, Deadline.after(30))
        assert (kept.answer, kept.model, kept.attempts, kept.usage) == (paid.answer, paid.model, 0, {})
        same_text = Question(QUESTION.question, tuple(reversed(QUESTION.options)))
        await cloud.answer(same_text, Deadline.after(30))
        assert (await stats(url))["calls"] == 2, "the order of the options is part of the question, and pushed it out"
        await cloud.answer(QUESTION, Deadline.after(30))
        assert (await stats(url))["calls"] == 3
        await cloud.close()
        brief = shared(url, cache_entries=5, cache_ttl_s=0.05)
        await brief.answer(QUESTION, Deadline.after(30))
        await asyncio.sleep(0.1)
        await brief.answer(QUESTION, Deadline.after(30))
        assert (await stats(url))["calls"] == 5
        await brief.close()
    assert metrics.registry.get_sample_value("foggate_cloud_shared_total", {"how": "cached"}) == 1

"""An attempt that goes out is paid for, with the usage that its reply reports; what never leaves costs nothing. Real HTTP."""

import asyncio
import contextlib

import httpx2
import pytest
from limits import RateLimitItemPerDay, RateLimitItemPerMinute

from app.access.quotas import Quotas
from app.bench.processes import free_port
from app.cloud.budget import Budget, BudgetedCloud, Price
from app.cloud.single_flight import SingleFlightCloud
from app.core.deadline import Deadline
from app.core.errors import BudgetExhausted, CircuitOpen, CloudError, CloudTimeout, CloudUnavailable, CloudUnparsable
from app.core.outcome import CloudReply
from app.core.question import Question
from app.demo.bank import SHIPPED_BANK, Bank, load_rows
from app.demo.server import create_demo
from app.telemetry.metrics import Metrics
from tests.integration.test_api import ASK, gateway
from tests.integration.test_security import key_file
from tests.support.clouds import breaker, cloud_client, completion, endpoint, scripted
from tests.support.loopback import loopback_client
from tests.support.servers import serving

ROWS = load_rows([SHIPPED_BANK])
QUESTIONS = [Question(row["question"], tuple(row["options"])) for row in ROWS]
CALLS, TOKENS, COST, KEY = (RateLimitItemPerDay(10**6, namespace=name) for name in ("calls", "tokens", "cost", "key"))


class Till:
    """A budget of everything with a key's allowance, and what was counted so far."""

    def __init__(self, *, calls=CALLS, more=(), key=KEY, prices=None):
        self.counts = Quotas()
        self.calls, self.key = calls, key
        self.budget = Budget([("calls", calls), ("tokens", TOKENS), ("cost", COST), *more], self.counts, prices=prices)
        self.allowance = ((key, "ada"),)

    async def _used(self, item, owner="cloud-budget"):
        return item.amount - (await self.counts.left(item, owner)).remaining

    async def spent(self):
        """Calls of the gateway, calls of the key, tokens."""
        return await self._used(self.calls), await self._used(self.key, "ada"), await self._used(TOKENS)

    async def money(self):
        return await self._used(COST)

    async def ask(self, cloud, question=QUESTIONS[0], *, seconds=20.0):
        """What the question got, an error by its type."""
        try:
            return await cloud.answer(question, Deadline.after(seconds), self.allowance)
        except CloudError as error:
            return type(error)

    @contextlib.asynccontextmanager
    async def paying(self, *places, **kwargs):
        cloud = BudgetedCloud(cloud_client(*places, **kwargs), self.budget)
        yield cloud
        await cloud.close()


@pytest.fixture
def till():
    return Till()


async def test_an_answer_costs_a_call_and_the_tokens_it_reports(till):
    async with scripted((200, completion())) as server, till.paying(server.url) as cloud:
        assert (await till.ask(cloud)).answer == "A"
        assert await till.spent() == (1, 1, 120)


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        (completion("Interesting."), 120),
        (completion("Final answer: Z"), 120),
        (completion(None), 120),
        (completion(""), 120),
        ({**completion(), "choices": []}, 120),
        ({"usage": {"prompt_tokens": 100, "completion_tokens": 20}}, 120),
        (completion("Interesting.", usage={"prompt_tokens": 100, "completion_tokens": 0, "total_tokens": 700}), 700),
        (completion("Interesting.", usage={"prompt_tokens": "a lot"}), 0),
        ([1], 0),
        (b"<html>", 0),
        (b'{"usage": {"prompt_tokens": 100}, "choi', 0),
    ],
)
async def test_a_reply_without_a_letter_costs_what_it_reports(till, body, tokens):
    metrics = Metrics()
    async with scripted((200, body)) as server, till.paying(server.url, metrics=metrics) as cloud:
        assert await till.ask(cloud) is CloudUnparsable
    assert await till.spent() == (1, 1, tokens)
    shown = [
        metrics.registry.get_sample_value("foggate_cloud_tokens_total", {"endpoint": "default", "type": kind}) or 0
        for kind in ("prompt", "completion")
    ]
    assert sum(shown) == tokens


async def test_the_money_of_a_reply_without_a_letter_is_counted():
    till = Till(prices={"large": Price(2, 10), "small": Price(1, 1)})
    replies = ((200, completion("Interesting.")), (200, completion(None, model="small")))
    async with scripted(*replies) as server, till.paying(server.url) as cloud:
        assert [await till.ask(cloud) for _ in range(2)] == [CloudUnparsable] * 2
    assert await till.money() == (100 * 2 + 20 * 10) + 120


@pytest.mark.parametrize(("status", "attempts"), [(500, 3), (503, 3), (429, 3), (401, 1), (302, 1)])
async def test_each_attempt_that_was_refused_is_a_call(till, status, attempts):
    async with scripted((status, {})) as server, till.paying(server.url) as cloud:
        assert isinstance(await till.ask(cloud), type)
        assert server.calls == attempts
    assert await till.spent() == (attempts, attempts, 0)


async def test_a_reply_that_is_cut_and_one_that_never_comes_cost_their_calls(till):
    async with serving(create_demo(Bank([], guess=True), faults={"cut": 1.0})) as url, till.paying(url, max_attempts=2) as cloud:
        assert await till.ask(cloud) is CloudUnavailable
        assert await till.spent() == (2, 2, 0)
    async with scripted() as server, till.paying(server.url, timeout_s=0.2) as cloud:
        assert await till.ask(cloud) is CloudTimeout
        assert server.calls == 1
    assert await till.spent() == (3, 3, 0)


async def test_a_caller_who_leaves_has_made_his_call(till):
    async with scripted() as server, till.paying(server.url) as cloud:
        leaving = asyncio.ensure_future(till.ask(cloud))
        while server.calls < 1:
            await asyncio.sleep(0.01)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    assert await till.spent() == (1, 1, 0)


async def test_what_never_left_costs_nothing(till):
    async with till.paying(f"http://127.0.0.1:{free_port()}", max_attempts=3) as cloud:
        assert await till.ask(cloud) is CloudUnavailable
    async with scripted((200, completion())) as server:
        left_alone = breaker(min_calls=1)
        left_alone.failed(left_alone.admit())
        async with till.paying(endpoint(server.url, rules=left_alone)) as cloud:
            assert await till.ask(cloud) is CircuitOpen
        async with till.paying(server.url, max_in_flight=0) as cloud:
            assert await till.ask(cloud) is CloudUnavailable
        async with till.paying(server.url) as cloud:
            assert await till.ask(cloud, seconds=0) is CloudTimeout
        assert server.calls == 0
    assert await till.spent() == (0, 0, 0)


async def test_no_time_left_costs_nothing_on_a_kept_connection_either(till):
    async with scripted((200, completion())) as server, till.paying(server.url) as client:
        for cloud in (client, SingleFlightCloud(client, Metrics(), longest_s=60)):
            await till.ask(cloud)
            before = (server.calls, await till.spent())
            assert await till.ask(cloud, seconds=0) is CloudTimeout
            await asyncio.sleep(0)
            assert (server.calls, await till.spent()) == before


async def test_an_endpoint_that_used_up_the_time_leaves_none_for_the_next_and_that_costs_nothing(till):
    async with scripted((500, {})) as bad, scripted((200, completion())) as good, till.paying(bad.url, endpoint(good.url, "b")) as cloud:
        assert (await till.ask(cloud)).attempts == 2, "and the connections to both are kept"
        bad.replies.clear()
        assert await till.ask(cloud, seconds=0.3) is CloudTimeout
        assert (bad.calls, good.calls) == (2, 1)
    assert await till.spent() == (3, 3, 120)


async def test_a_retry_that_the_retry_budget_refuses_costs_nothing(till):
    async with scripted((500, {})) as server, till.paying(server.url, endpoint(server.url, "b"), share=0) as cloud:
        assert await till.ask(cloud) is CloudUnavailable
        assert server.calls == 1
    assert await till.spent() == (1, 1, 0)


async def test_kept_answers_and_joined_calls_cost_nothing(till):
    async with serving(create_demo(Bank(ROWS), latency_ms=300)) as url, till.paying(url) as upstream:
        cloud = SingleFlightCloud(upstream, Metrics(), longest_s=60, cache_entries=9)
        replies = await asyncio.gather(*(till.ask(cloud) for _ in range(5)))
        assert len({reply.answer for reply in replies}) == 1
        paid = await till.spent()
        assert paid[:2] == (1, 1)
        assert (await till.ask(cloud)).attempts == 0
        assert await till.spent() == paid


@pytest.mark.parametrize("which", ["calls", "key"])
async def test_retries_end_where_the_calls_end(which):
    till = Till(**{which: RateLimitItemPerDay(2, namespace=which)})
    async with scripted((500, {})) as server, till.paying(server.url, max_attempts=9, share=0.2) as cloud:
        assert await till.ask(cloud) is CloudUnavailable, "its last attempt's failure, not the budget's end"
        assert await till.ask(cloud) is BudgetExhausted
        assert server.calls == 2
        assert sum(cloud._upstream.pool.retry_budget.take() for _ in range(3)) == 2, "a retry that nothing is left for is none"
    assert await till.spent() == (2, 2, 0)


async def test_who_has_nothing_left_opens_no_connection():
    poor = Till(key=RateLimitItemPerDay(0, namespace="key"))
    async with poor.paying(f"http://127.0.0.1:{free_port()}") as cloud:
        assert await poor.ask(cloud) is BudgetExhausted, "nobody tried to reach the endpoint, which is not there"


class Short:
    """A purse that seems to have something left and has so many calls."""

    def __init__(self, calls):
        self.calls = calls

    async def left(self):
        return True

    async def take(self):
        self.calls -= 1
        return self.calls >= 0

    async def used(self, model, usage):
        raise AssertionError("nothing was answered")


async def test_a_purse_that_others_emptied_in_the_meantime_ends_the_question_before_anything_is_sent():
    metrics = Metrics()
    async with scripted((500, {})) as server:
        cloud = cloud_client(server.url, metrics=metrics)
        for calls, error in ((0, BudgetExhausted), (1, CloudUnavailable)):
            with pytest.raises(error):
                await cloud.answer(QUESTIONS[0], Deadline.after(20), purse=Short(calls))
            assert server.calls == calls
        await cloud.close()
    assert metrics.registry.get_sample_value("foggate_cloud_attempts_total", {"endpoint": "default", "outcome": "budget"}) == 2


@pytest.mark.parametrize("which", ["calls", "key"])
async def test_simultaneous_questions_with_their_retries_do_not_overrun_the_calls(which):
    till = Till(**{which: RateLimitItemPerDay(10, namespace=which)})
    async with serving(create_demo(Bank(ROWS), faults={"500": 0.5}, latency_ms=20)) as url, till.paying(url) as cloud:
        found = await asyncio.gather(*(till.ask(cloud, question) for question in QUESTIONS[:40]))
        async with loopback_client() as http:
            assert (await http.get(url + "/stats")).json()["calls"] == 10
    assert {type(one) if isinstance(one, CloudReply) else one for one in found} >= {CloudReply, BudgetExhausted}
    assert (await till.spent())[:2] == (10, 10)


async def test_a_full_minute_does_not_use_up_the_day_nor_the_key():
    till = Till(more=[("calls", RateLimitItemPerMinute(3, namespace="calls"))])
    async with scripted((200, completion())) as server, till.paying(server.url) as cloud:
        found = await asyncio.gather(*(till.ask(cloud, question) for question in QUESTIONS[:20]))
        assert found.count(BudgetExhausted) == 17
        assert await till.ask(cloud) is BudgetExhausted
        assert server.calls == 3
    assert await till.spent() == (3, 3, 360)


async def test_a_transport_that_tells_no_events_is_paid_when_it_answers(till):
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=completion()))
    async with till.paying("http://cloud.invalid", transport=transport) as cloud:
        assert (await till.ask(cloud)).answer == "A"
    assert await till.spent() == (1, 1, 120)


async def test_who_joins_a_call_that_its_beginner_could_not_pay_begins_one():
    poor, rich = Till(key=RateLimitItemPerDay(0, namespace="key")), Till()
    async with scripted((200, completion())) as server, rich.paying(server.url) as upstream:
        cloud = SingleFlightCloud(upstream, Metrics(), longest_s=60)
        found = await asyncio.gather(poor.ask(cloud), *(rich.ask(cloud) for _ in range(5)))
        assert found[0] is BudgetExhausted
        assert [reply.answer for reply in found[1:]] == ["A"] * 5
        assert server.calls == 1
    assert await rich.spent() == (1, 1, 120)


async def test_a_cloud_that_is_down_does_not_use_up_the_day_of_the_gateway_nor_of_a_key(tmp_path):
    """Ten calls open the breaker; the other questions call nobody, so two calls of the twelve are left."""
    (headers,) = key_file(tmp_path / "k", {"cloud_calls_per_day": 12})
    cloud = {"max_attempts": 1, "budget": {"calls_per_day": 12}, "breaker": {"open_s": 3600, "window_s": 3600}}
    async with gateway(faults={"500": 1.0}, cloud=cloud, security={"keys": tmp_path / "k"}) as (http, _):
        questions = [{**ASK, "question": f"Who knows {number}"} for number in range(30)]
        reasons = [(await http.post("/v1/answer", json=question, headers=headers)).json()["reason"] for question in questions]
    assert reasons == ["cloud_unavailable"] * 10 + ["circuit_open"] * 20

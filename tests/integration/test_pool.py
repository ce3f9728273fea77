"""The pool of endpoints: raw bodies go out and raw replies come back, as they are. Whole replies, and what they share with streams."""

import contextlib

import pytest
from limits import RateLimitItemPerDay

from app.access.quotas import Quotas
from app.cloud.breaker import State
from app.cloud.budget import Budget, CallPurse
from app.cloud.call import Request
from app.core.deadline import Deadline
from app.core.errors import BudgetExhausted, CircuitOpen, CloudTimeout, CloudUnavailable, CloudUnparsable
from app.telemetry.metrics import Metrics
from tests.support.clouds import DONE, HANG, answering, breaker, cloud_pool, completion, dripping, endpoint, event, scripted

SECRET = "Which gas do zebras breathe out at midnight?"
CALLS, TOKENS = (RateLimitItemPerDay(1_000, namespace=name) for name in ("pool-calls", "pool-tokens"))


def chat(place, **more):
    """A chat for an endpoint, by its own model name."""
    return Request({"model": place.model, "messages": [{"role": "user", "content": SECRET}], **more}, (SECRET,))


def chat_stream(place):
    return chat(place, stream=True, stream_options={"include_usage": True})


async def as_it_is(reply):
    return reply


@contextlib.asynccontextmanager
async def pool_of(*places, **kwargs):
    pool = cloud_pool(*places, **kwargs)
    try:
        yield pool
    finally:
        await pool.close()


def post(pool, seconds=20, **kwargs):
    return pool.post(chat, as_it_is, Deadline.after(seconds), **kwargs)


async def stream(pool, seconds=20, **kwargs):
    """All of a stream."""
    async with await pool.stream(chat_stream, Deadline.after(seconds), **kwargs) as opened:
        return b"".join([piece async for piece in opened])


BOTH = pytest.mark.parametrize("ask", [post, stream])


class Till:
    """A purse with so many calls, and what was taken from it."""

    def __init__(self, calls=1_000):
        self.item = RateLimitItemPerDay(calls, namespace="pool-calls")
        self.counts = Quotas()
        self.purse = CallPurse(Budget([("calls", self.item), ("tokens", TOKENS)], self.counts), ())

    async def spent(self):
        """Calls and tokens."""
        left = [(await self.counts.left(item, "cloud-budget")).remaining for item in (self.item, TOKENS)]
        return self.item.amount - left[0], TOKENS.amount - left[1]


async def test_a_whole_reply_is_handed_over_as_it_came():
    metrics = Metrics()
    async with (
        answering(lambda _: completion("Zebras breathe.")) as server,
        pool_of(endpoint(server.url, model="big"), metrics=metrics) as pool,
    ):
        reply = await post(pool)
    assert reply.payload == completion("Zebras breathe.")
    assert reply.content.startswith(b'{"model": "large"')
    assert (reply.endpoint.name, reply.attempts, reply.headers) == ("default", 1, {"content-type": "application/json"})
    assert server.asked[0].body == {"model": "big", "messages": [{"role": "user", "content": SECRET}]}
    value = metrics.registry.get_sample_value
    assert value("foggate_cloud_attempts_total", {"endpoint": "default", "outcome": "200"}) == 1
    assert value("foggate_cloud_request_duration_seconds_count") == 1


async def test_each_endpoint_gets_a_body_of_its_own_and_the_next_one_is_asked_when_the_first_fails():
    async with (
        answering(lambda _: (503, {})) as first,
        answering(lambda _: completion()) as second,
        pool_of(endpoint(first.url, "a", model="x"), endpoint(second.url, "b", model="y")) as pool,
    ):
        reply = await post(pool)
    assert (reply.endpoint.name, reply.attempts) == ("b", 2)
    assert [server.asked[0].body["model"] for server in (first, second)] == ["x", "y"]


async def test_a_reply_that_its_reader_cannot_use_goes_on_to_the_next_endpoint_and_is_no_fault_of_the_first():
    async def read(reply):
        if "no" in reply.payload["choices"][0]["message"]["content"]:
            raise CloudUnparsable("it says no")
        return reply.endpoint.name

    rules = breaker(min_calls=1)
    async with scripted((200, completion("no"))) as first, scripted((200, completion("yes"))) as second:
        async with pool_of(endpoint(first.url, "a", rules=rules), endpoint(second.url, "b")) as pool:
            assert await pool.post(chat, read, Deadline.after(20)) == "b"
            assert rules.state is State.CLOSED
        async with pool_of(first.url) as pool:
            with pytest.raises(CloudUnparsable, match="it says no"):
                await pool.post(chat, read, Deadline.after(20))


@BOTH
async def test_without_budget_nothing_is_sent(ask):
    till = Till(calls=1)
    assert await till.purse.take()
    async with dripping(event(), DONE) as server, pool_of(server.url) as pool:
        with pytest.raises(BudgetExhausted):
            await ask(pool, purse=till.purse)
        assert server.calls == 0


@BOTH
async def test_each_attempt_is_a_call_and_retries_end_with_the_budget(ask):
    till = Till(calls=2)
    async with scripted((500, {})) as server, pool_of(server.url, max_attempts=5) as pool:
        with pytest.raises(CloudUnavailable):
            await ask(pool, purse=till.purse)
        assert server.calls == 2
    assert await till.spent() == (2, 0)


@BOTH
async def test_without_time_nothing_is_sent(ask):
    async with dripping(event(), DONE) as server, pool_of(server.url) as pool:
        with pytest.raises(CloudTimeout):
            await ask(pool, seconds=0)
        assert server.calls == 0


@BOTH
async def test_a_request_that_cannot_be_made_keeps_no_place_and_no_probe(ask):
    rules = breaker(min_calls=1, probes=1, open_s=0)
    rules.failed(rules.admit())

    def broken(_):
        raise KeyError("model")

    async with scripted((200, completion())) as server, pool_of(endpoint(server.url, rules=rules), max_in_flight=1) as pool:
        for _ in range(2):
            with pytest.raises(KeyError):
                await (pool.post(broken, as_it_is, Deadline.after(9)) if ask is post else pool.stream(broken, Deadline.after(9)))
        assert rules.state is State.HALF_OPEN
        assert (await post(pool)).attempts == 1


async def test_whole_replies_and_streams_share_the_retry_budget():
    async with scripted((500, {})) as server, pool_of(server.url, share=0.1) as pool:
        asked = []
        for ask in (stream, post, stream, post):
            with pytest.raises(CloudUnavailable):
                await ask(pool)
            asked.append(server.calls - sum(asked))
    assert asked == [3, 2, 1, 1], "three retries in ten seconds are always allowed, and these are all"


async def test_whole_replies_and_streams_share_a_breaker():
    rules = breaker(min_calls=2)
    async with dripping(event(), HANG) as server, pool_of(endpoint(server.url, rules=rules), timeout_s=0.5, max_attempts=1) as pool:
        for ask in (stream, post):
            with pytest.raises(CloudTimeout):
                await ask(pool)
        assert rules.state is State.OPEN
        for ask in (stream, post):
            with pytest.raises(CircuitOpen):
                await ask(pool)
        assert server.calls == 2


async def test_whole_replies_and_streams_share_the_places_in_flight():
    async with dripping(event(), HANG) as server, pool_of(server.url, max_in_flight=1) as pool:
        opened = await pool.stream(chat_stream, Deadline.after(20))
        for ask in (stream, post):
            with pytest.raises(CloudUnavailable, match="in flight"):
                await ask(pool)
        await opened.aclose()
        async with await pool.stream(chat_stream, Deadline.after(20)) as again:
            assert await anext(again) == event()
        assert server.calls == 2

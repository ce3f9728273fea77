"""Streamed replies: handed on as they come, from the first event on; what breaks, hangs, ends or is left. Real HTTP."""

import asyncio

import openai
import pytest

from app.bench.processes import free_port
from app.cloud.breaker import State
from app.cloud.call import Request
from app.cloud.streaming import MAX_STREAM_BYTES
from app.core.deadline import Deadline
from app.core.errors import CircuitOpen, CloudError, CloudTimeout, CloudUnavailable, CloudUnparsable
from app.demo.bank import SHIPPED_BANK, Bank, load_rows
from app.demo.server import create_demo
from app.telemetry.metrics import Metrics
from tests.integration.test_pool import SECRET, Till, chat_stream, pool_of, stream
from tests.support.clouds import CUT, DONE, HANG, breaker, dripping, endpoint, event, scripted
from tests.support.loopback import loopback_client
from tests.support.servers import serving

ROWS = load_rows([SHIPPED_BANK])
PROMPT = "\n".join([ROWS[0]["question"], *(f"{letter}. {option}" for letter, option in zip("ABCDEFGH", ROWS[0]["options"], strict=False))])
USAGE = {"prompt_tokens": 100, "completion_tokens": 20}
WHOLE = b"".join((event("Final "), event("answer: B"), event(None, usage=USAGE), DONE))


def mcq_stream(place):
    fields = {"model": place.model, "messages": [{"role": "user", "content": PROMPT}], "stream": True}
    return Request({**fields, "stream_options": {"include_usage": True}}, (PROMPT,))


def mock_cloud(**kwargs):
    return serving(create_demo(Bank(ROWS, accuracy=1.0), **kwargs))


async def statistics(url):
    async with loopback_client() as http:
        return (await http.get(url + "/stats")).json()


async def until_cancelled(url):
    async with asyncio.timeout(20):
        while (seen := await statistics(url))["cancels"] < 1:
            await asyncio.sleep(0.01)
        return seen


async def until_left(server):
    async with asyncio.timeout(20):
        while server.left < 1:
            await asyncio.sleep(0.01)


def outcomes(metrics):
    return {
        sample.labels["outcome"]: int(sample.value)
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "foggate_cloud_attempts_total"
    }


async def gathered(opened):
    """What came of a stream, and the error that ended it, if one did."""
    pieces = []
    try:
        async for piece in opened:
            pieces.append(piece)
    except CloudError as error:
        return b"".join(pieces), error
    return b"".join(pieces), None


async def test_a_stream_is_handed_on_as_it_is():
    metrics, odd = Metrics(), (b": ping\n\n", WHOLE[:70], WHOLE[70:71], b"id: 7\r\n", WHOLE[71:], b"not an event at all", b"data: {{{\n\n")
    async with (
        dripping(*odd) as server,
        pool_of(endpoint(server.url, model="big"), metrics=metrics) as pool,
        await pool.stream(chat_stream, Deadline.after(20)) as opened,
    ):
        assert b"".join([piece async for piece in opened]) == b"".join(odd)
        beginning = opened.beginning
        assert [piece async for piece in opened] == [], "it stays at its end"
    assert (beginning.endpoint.name, beginning.attempts) == ("default", 1)
    assert beginning.headers == {"content-type": "text/event-stream", "x-request-id": "up-1"}
    assert (server.asked[0]["model"], server.asked[0]["stream"]) == ("big", True)
    assert outcomes(metrics) == {"200": 1}


async def test_the_mock_cloud_streams_what_the_official_client_reads_and_the_pool_hands_on():
    async with mock_cloud() as url:
        async with openai.AsyncOpenAI(base_url=url + "/v1", api_key="k", max_retries=0) as client:
            fields = {"model": "demo", "messages": [{"role": "user", "content": PROMPT}], "stream": True}
            chunks = [chunk async for chunk in await client.chat.completions.create(**fields, stream_options={"include_usage": True})]
            plain = [chunk async for chunk in await client.chat.completions.create(**fields)]
        async with pool_of(url) as pool, await pool.stream(mcq_stream, Deadline.after(20)) as opened:
            raw = b"".join([piece async for piece in opened])
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == f"Final answer: {ROWS[0]['answer']}"
    assert (chunks[0].choices[0].delta.role, chunks[-2].choices[0].finish_reason) == ("assistant", "stop")
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens == chunks[-1].usage.prompt_tokens + chunks[-1].usage.completion_tokens > 0
    assert all(chunk.usage is None for chunk in [*chunks[:-1], *plain])
    assert raw.endswith(DONE)
    assert raw.count(b"data: ") == len(chunks) + 1


BEGINNINGS = {
    "a 500": (500, {}),
    "a 429": (429, {}),
    "a bad key": (401, {}),
    "a page": (200, b"<html><title>Maintenance</title></html>"),
    "nothing": (200, b""),
    "a whole reply": (200, {"choices": [{"message": {"content": "A"}}]}),
    "an error": (200, b'data: {"error": {"message": "overloaded"}}\n\n'),
    "an error behind a comment": (200, b': wait\n\ndata: {"error": "overloaded"}\n\ndata: [DONE]\n\n'),
    "an empty stream": (200, b": wait\n\n" + DONE),
}


@pytest.mark.parametrize("reply", BEGINNINGS.values(), ids=BEGINNINGS)
async def test_what_does_not_begin_goes_on_to_the_next_endpoint(reply):
    async with (
        scripted(reply) as first,
        dripping(WHOLE) as second,
        pool_of(endpoint(first.url, "a"), endpoint(second.url, "b")) as pool,
        await pool.stream(chat_stream, Deadline.after(20)) as opened,
    ):
        assert b"".join([piece async for piece in opened]) == WHOLE
        assert (opened.beginning.endpoint.name, opened.beginning.attempts) == ("b", 2)


@pytest.mark.parametrize("parts", [(CUT,), (b": wait\n\n", CUT), (b": wait\n\ndata: {", CUT), (b": wait\n\n", HANG)])
async def test_a_stream_that_ends_or_hangs_before_its_first_event_goes_on_to_the_next_endpoint(parts):
    rules = breaker(min_calls=1)
    async with (
        dripping(*parts) as first,
        dripping(WHOLE) as second,
        pool_of(endpoint(first.url, "a", rules=rules), endpoint(second.url, "b"), timeout_s=1.0) as pool,
    ):
        assert await stream(pool) == WHOLE
    assert rules.state is State.OPEN


async def test_endpoints_that_are_not_there_and_all_that_fail_are_an_error_before_anything_is_handed_out():
    async with dripping(WHOLE) as server, pool_of(f"http://127.0.0.1:{free_port()}", endpoint(server.url, "b")) as pool:
        assert await stream(pool) == WHOLE
    async with scripted((500, {})) as server, pool_of(server.url) as pool:
        with pytest.raises(CloudUnavailable):
            await pool.stream(chat_stream, Deadline.after(20))
        assert server.calls == 3


async def test_a_stream_that_breaks_off_is_an_error_that_says_so_and_is_not_begun_again(caplog):
    metrics = Metrics()
    async with (
        dripping(event("Final "), CUT) as first,
        dripping(WHOLE) as second,
        pool_of(endpoint(first.url, "a"), endpoint(second.url, "b"), metrics=metrics) as pool,
        await pool.stream(chat_stream, Deadline.after(20)) as opened,
    ):
        came, error = await gathered(opened)
    assert came == event("Final ")
    assert type(error) is CloudUnavailable
    assert "broke off before its end" in error.message
    assert (first.calls, second.calls) == (1, 0)
    assert outcomes(metrics) == {"connection": 1}
    (line,) = [record.getMessage() for record in caplog.records if record.name == "foggate.cloud"]
    assert "broke off" in line
    assert SECRET not in line


async def test_the_breaker_opens_after_streams_that_break_off():
    rules = breaker(min_calls=3)
    async with mock_cloud(faults={"cut": 1.0}) as url, pool_of(endpoint(url, rules=rules)) as pool:
        for _ in range(3):
            assert rules.state is State.CLOSED
            async with await pool.stream(mcq_stream, Deadline.after(20)) as opened:
                came, error = await gathered(opened)
                assert came.startswith(b"data: ")
                assert type(error) is CloudUnavailable
        assert rules.state is State.OPEN
        with pytest.raises(CircuitOpen):
            await pool.stream(mcq_stream, Deadline.after(20))
        assert (await statistics(url))["calls"] == 3


@pytest.mark.parametrize("fault", ["429", "500"])
async def test_faults_of_the_mock_cloud_before_a_stream_are_tried_again(fault):
    async with mock_cloud(faults={fault: 1.0}, retry_after_s=0) as url, pool_of(url) as pool:
        with pytest.raises(CloudUnavailable):
            await pool.stream(mcq_stream, Deadline.after(20))
        assert (await statistics(url))["calls"] == 3


async def test_broken_json_within_a_stream_is_handed_on():
    async with (
        mock_cloud(faults={"bad-json": 1.0}) as url,
        pool_of(url) as pool,
        await pool.stream(mcq_stream, Deadline.after(20)) as opened,
    ):
        came, error = await gathered(opened)
    assert error is None
    assert came.endswith(DONE)


async def test_an_error_within_a_stream_is_handed_on_and_counts_against_the_endpoint(caplog):
    rules, metrics = breaker(min_calls=1), Metrics()
    failing = event("A"), event(None, error={"message": f"overloaded by {SECRET}"})
    async with dripping(*failing) as server, pool_of(endpoint(server.url, rules=rules), metrics=metrics) as pool:
        assert await stream(pool) == b"".join(failing)
    assert rules.state is State.OPEN
    assert outcomes(metrics) == {"unusable": 1}
    assert "overloaded" in caplog.text
    assert "zebras" not in caplog.text


@pytest.mark.parametrize(
    ("parts", "tokens"),
    [
        ((WHOLE,), 120),
        ((b"".join([event("x" * length) for length in (9_000, 8_100, 8_000, 7_900)]) + event(None, usage=USAGE) + DONE,), 120),
        ((event("A"), DONE), 0),
        ((event("A", usage={"prompt_tokens": 9, "completion_tokens": 1}), event("B", usage=USAGE), DONE), 120),
        ((event("A", usage={"prompt_tokens": 9, "completion_tokens": 1}), CUT), 10),
        ((event("A"), event(None, error="overloaded", usage=USAGE)), 120),
    ],
)
async def test_the_usage_that_a_stream_reports_is_charged(parts, tokens):
    till, metrics = Till(), Metrics()
    async with (
        dripping(*parts) as server,
        pool_of(server.url, metrics=metrics) as pool,
        await pool.stream(chat_stream, Deadline.after(20), purse=till.purse) as opened,
    ):
        await gathered(opened)
    assert await till.spent() == (1, tokens)
    shown = [
        metrics.registry.get_sample_value("foggate_cloud_tokens_total", {"endpoint": "default", "type": kind}) or 0
        for kind in ("prompt", "completion")
    ]
    assert sum(shown) == tokens


async def test_what_a_caller_who_leaves_has_used_is_charged():
    till = Till()
    async with dripping(event("A", usage=USAGE), HANG) as server, pool_of(server.url) as pool:
        async with await pool.stream(chat_stream, Deadline.after(20), purse=till.purse) as opened:
            await anext(opened)
        await until_left(server)
    assert await till.spent() == (1, 120)


async def test_the_deadline_ends_a_stream_in_the_middle_and_the_endpoint_that_was_answering_has_not_failed():
    rules, metrics = breaker(min_calls=1), Metrics()
    async with mock_cloud(gap_ms=60_000) as url, pool_of(endpoint(url, rules=rules), metrics=metrics) as pool:
        async with await pool.stream(mcq_stream, Deadline.after(1.5)) as opened:
            came, error = await gathered(opened)
        assert (await until_cancelled(url))["calls"] == 1
    assert came.startswith(b"data: ")
    assert type(error) is CloudTimeout
    assert "in time" in error.message
    assert DONE not in came
    assert outcomes(metrics) == {"timeout": 1}
    assert rules.state is State.CLOSED


async def test_the_deadline_holds_where_the_caller_does_not_read():
    endless = [event("x" * 10_000)] * 2_000
    async with dripping(*endless) as server, pool_of(server.url) as pool:
        opened = await pool.stream(chat_stream, Deadline.after(1.5))
        async with asyncio.timeout(20):
            while pool.in_flight:
                await asyncio.sleep(0.01)
        came, error = await gathered(opened)
    assert 0 < len(came) < len(b"".join(endless))
    assert type(error) is CloudTimeout


async def test_no_more_than_a_part_of_a_reply_waits_for_a_caller_who_reads_slowly():
    async with (
        dripping(*[event("x" * 100_000)] * 100, DONE) as server,
        pool_of(server.url) as pool,
        await pool.stream(chat_stream, Deadline.after(600)) as opened,
    ):
        async with asyncio.timeout(20):
            while opened._pipe._bytes < 262_144:
                await asyncio.sleep(0.01)
        for _ in range(20):
            # One piece may be over the bound: what one read of the connection brings.
            assert opened._pipe._bytes <= 2 * 262_144
            await asyncio.sleep(0.01)
        came, error = await gathered(opened)
    assert error is None
    assert came.endswith(DONE)
    assert len(came) > 10_000_000


async def test_an_endpoint_that_stops_in_the_middle_is_given_up_and_counts_as_failed():
    rules = breaker(min_calls=1)
    async with dripping(event("A"), HANG) as server, pool_of(endpoint(server.url, rules=rules), timeout_s=1.0) as pool:
        async with await pool.stream(chat_stream, Deadline.after(600)) as opened:
            async with asyncio.timeout(20):
                came, error = await gathered(opened)
        await until_left(server)
    assert came == event("A")
    assert type(error) is CloudTimeout
    assert rules.state is State.OPEN


@pytest.mark.parametrize(("last", "state"), [((DONE,), State.HALF_OPEN), ((CUT,), State.OPEN)])
async def test_a_long_stream_keeps_no_place_among_the_probes_of_a_half_open_breaker(last, state):
    rules = breaker(min_calls=1, probes=2, open_s=0)
    rules.failed(rules.admit())
    waited = asyncio.Event()
    async with dripping(event("A"), waited, *last) as server, pool_of(endpoint(server.url, rules=rules)) as pool:
        async with await pool.stream(chat_stream, Deadline.after(600)) as opened:
            await anext(opened)
            meanwhile = rules.state, rules._probing, rules._probed
            waited.set()
            await gathered(opened)
        assert meanwhile == (State.HALF_OPEN, 0, 1)
        assert rules.state is state
        if state is State.HALF_OPEN:
            assert (rules._probing, rules._probed) == (0, 1), "its end is not counted again"


async def test_a_stream_may_take_longer_than_an_attempt_as_long_as_something_comes():
    slow = [event(str(number)) for number in range(12)]
    async with dripping(*slow, gap_s=0.2) as server, pool_of(server.url, timeout_s=2.0) as pool:
        assert await stream(pool) == b"".join(slow)


async def test_closing_cancels_the_request():
    async with mock_cloud(gap_ms=60_000) as url, pool_of(url, timeout_s=600) as pool:
        async with await pool.stream(mcq_stream, Deadline.after(600)) as opened:
            await anext(opened)
        assert (await until_cancelled(url))["calls"] == 1


async def test_a_caller_who_is_cancelled_cancels_the_request():
    async with mock_cloud(gap_ms=60_000) as url, pool_of(url, timeout_s=600) as pool:
        opened = await pool.stream(mcq_stream, Deadline.after(600))
        reading = asyncio.ensure_future(gathered(opened))
        while not pool.in_flight or (await statistics(url))["answered"] < 1:
            await asyncio.sleep(0.01)
        reading.cancel()
        await until_cancelled(url)
        with pytest.raises(asyncio.CancelledError):
            await reading
    rules = breaker(min_calls=1)
    async with mock_cloud(faults={"hang": 1.0}) as url, pool_of(endpoint(url, rules=rules), timeout_s=600) as pool:
        opening = asyncio.ensure_future(pool.stream(mcq_stream, Deadline.after(600)))
        while (await statistics(url))["calls"] < 1:
            await asyncio.sleep(0.01)
        opening.cancel()
        await until_cancelled(url)
        with pytest.raises(asyncio.CancelledError):
            await opening


async def test_closing_the_pool_ends_its_streams_which_is_no_failure_of_the_endpoint():
    rules = breaker(min_calls=1)
    async with dripping(event("A"), HANG) as server:
        async with pool_of(endpoint(server.url, rules=rules)) as pool:
            opened = await pool.stream(chat_stream, Deadline.after(600))
        came, error = await gathered(opened)
        await until_left(server)
    assert came == event("A")
    assert type(error) is CloudUnavailable
    assert "was closed" in error.message
    assert rules.state is State.CLOSED


async def test_a_stream_is_bounded():
    block = event("x" * 1_000_000)
    endless = [block] * (MAX_STREAM_BYTES // len(block) + 1)
    async with dripping(*endless) as server, pool_of(server.url) as pool, await pool.stream(chat_stream, Deadline.after(600)) as opened:
        came, error = await gathered(opened)
    assert len(came) <= MAX_STREAM_BYTES
    assert type(error) is CloudUnparsable
    assert "over 16777216 bytes" in error.message
    async with dripping(*[b": wait " + b"x" * 100_000 + b"\n\n"] * 12) as server, pool_of(server.url) as pool:
        with pytest.raises(CloudUnparsable, match="not an event stream"):
            await pool.stream(chat_stream, Deadline.after(600))


async def test_a_pool_that_is_closed_says_so_and_blames_no_endpoint(caplog):
    metrics = Metrics()
    async with dripping(WHOLE) as server, pool_of(endpoint(server.url), metrics=metrics) as pool:
        await pool.close()
        with pytest.raises(CloudUnavailable, match="are closed"):
            await pool.stream(chat_stream, Deadline.after(20))
        with pytest.raises(CloudUnavailable, match="are closed"):
            await pool.post(chat_stream, lambda seen: seen, Deadline.after(20))
    assert (outcomes(metrics), pool.in_flight, caplog.text) == ({}, 0, "")


async def test_a_stream_that_was_left_before_its_first_byte_gives_its_place_back():
    async with dripping(HANG) as server, pool_of(endpoint(server.url), max_in_flight=1) as pool:
        first = asyncio.create_task(pool.stream(chat_stream, Deadline.after(60)))
        async with asyncio.timeout(20):
            while not pool.in_flight:
                await asyncio.sleep(0.01)
        with pytest.raises(CloudUnavailable, match="1 cloud calls are in flight already"):
            await pool.stream(chat_stream, Deadline.after(60))
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert pool.in_flight == 0

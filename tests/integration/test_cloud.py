"""The cloud client against the real mock cloud, and the mock cloud against the real `openai` client."""

import asyncio
import json

import httpx2
import openai
import pytest

from app.cloud.post import retry_after
from app.core.deadline import Deadline
from app.core.errors import CloudError, CloudMisconfigured, CloudRejected, CloudTimeout, CloudUnavailable, CloudUnparsable
from app.core.question import Question
from app.demo.bank import SHIPPED_BANK, Bank, load_rows
from app.demo.server import create_demo
from app.telemetry.metrics import Metrics
from tests.support.clouds import cloud_client
from tests.support.loopback import loopback_client
from tests.support.servers import serving

ROWS = load_rows([SHIPPED_BANK])
QUESTION = Question(ROWS[0]["question"], tuple(ROWS[0]["options"]))
KEY = "canary-sk-0123456789"


def demo(accuracy=1.0, **kwargs):
    return create_demo(Bank(ROWS, accuracy=accuracy), **kwargs)


def client(url, metrics=None, **kwargs):
    return cloud_client(url, metrics=metrics, api_key=KEY, **kwargs)


async def stats(url):
    async with loopback_client() as http:
        return (await http.get(url + "/stats")).json()


async def ask(url, seconds=5.0, **kwargs):
    cloud = client(url, **kwargs)
    try:
        return await cloud.answer(QUESTION, Deadline.after(seconds))
    finally:
        await cloud.close()


async def test_a_good_day():
    metrics = Metrics()
    async with serving(demo()) as url:
        reply = await ask(url, metrics=metrics)
    assert (reply.answer, reply.model, reply.attempts) == (ROWS[0]["answer"], "demo-cloud", 1)
    assert reply.usage["total_tokens"] == reply.usage["prompt_tokens"] + reply.usage["completion_tokens"]
    assert metrics.registry.get_sample_value("foggate_cloud_attempts_total", {"endpoint": "default", "outcome": "200"}) == 1
    assert (
        metrics.registry.get_sample_value("foggate_cloud_tokens_total", {"endpoint": "default", "type": "prompt"})
        == reply.usage["prompt_tokens"]
    )


@pytest.mark.parametrize(
    ("fault", "error", "calls"),
    [
        ("429", CloudUnavailable, 3),
        ("500", CloudUnavailable, 3),
        ("cut", CloudUnavailable, 3),
        ("bad-json", CloudUnparsable, 1),
        ("prose", CloudUnparsable, 1),
    ],
)
async def test_faults_that_do_not_pass(fault, error, calls):
    async with serving(demo(faults={fault: 1.0}, retry_after_s=0)) as url:
        with pytest.raises(error) as failed:
            await ask(url)
        assert (await stats(url))["calls"] == calls
    assert KEY not in str(failed.value)


async def test_a_hanging_cloud_times_out_once_and_sees_the_cancel():
    async with serving(demo(faults={"hang": 1.0})) as url:
        with pytest.raises(CloudTimeout):
            await ask(url, timeout_s=0.1)
        while (seen := await stats(url))["cancels"] < 1:
            await asyncio.sleep(0.01)
        assert (seen["calls"], seen["cancels"]) == (1, 1)


async def test_passing_faults_are_survived():
    # With this seed the first calls fail and a later one does not.
    async with serving(demo(faults={"500": 0.6}, seed=3)) as url:
        reply = await ask(url, max_attempts=10, seconds=30)
        assert reply.attempts == (await stats(url))["calls"] > 1


async def test_nothing_there_is_unavailable():
    async with serving(demo()) as url:
        pass
    with pytest.raises(CloudUnavailable):
        await ask(url, max_attempts=2)


async def test_retry_after_beyond_the_deadline_ends_at_once():
    async with serving(demo(faults={"429": 1.0}, retry_after_s=3600)) as url:
        with pytest.raises(CloudUnavailable):
            await ask(url)
        assert (await stats(url))["calls"] == 1


async def test_retry_after_is_waited_for():
    started = asyncio.get_running_loop().time()
    async with serving(demo(faults={"429": 1.0}, retry_after_s=1)) as url:
        with pytest.raises(CloudUnavailable):
            await ask(url, max_attempts=2)
        assert (await stats(url))["calls"] == 2
    assert asyncio.get_running_loop().time() - started >= 1.0


async def test_no_retry_after_the_caller_has_gone():
    async with serving(demo(latency_ms=60_000)) as url:
        cloud = client(url)
        task = asyncio.ensure_future(cloud.answer(QUESTION, Deadline.after(60)))
        while (await stats(url))["calls"] < 1:
            await asyncio.sleep(0.01)
        task.cancel()
        while (await stats(url))["cancels"] < 1:
            await asyncio.sleep(0.01)
        await cloud.close()
        assert (await stats(url))["calls"] == 1


async def raw_server(answer):
    """A server that replies with these bytes to anything."""

    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    return await asyncio.start_server(handle, "127.0.0.1", 0)


def http(status, body, *headers):
    head = "\r\n".join([f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers])
    return f"{head}\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (http("401 No", "{}"), CloudMisconfigured),
        (http("400 No", "{}"), CloudRejected),
        (http("302 Found", "", "location: http://127.0.0.1:1/"), CloudRejected),
        (http("200 OK", "[]"), CloudUnparsable),
        (http("200 OK", "null"), CloudUnparsable),
        (http("200 OK", '{"choices": []}'), CloudUnparsable),
        (http("200 OK", '{"choices": [{"message": {"content": null}}]}'), CloudUnparsable),
        (http("200 OK", "<html>"), CloudUnparsable),
        (b"SMTP ready\r\n\r\n", CloudUnavailable),
    ],
)
async def test_whatever_an_endpoint_says_is_one_of_our_errors(answer, error):
    server = await raw_server(answer)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(error) as failed:
            await ask(url, max_attempts=1)
    assert KEY not in repr(failed.value)


class Throws(httpx2.AsyncBaseTransport):
    def __init__(self, error):
        self.error = error

    async def handle_async_request(self, request):
        raise self.error


def foreign_exceptions():
    """Everything the HTTP library can throw at us, by its own class tree."""

    def below(cls):
        return [cls, *(leaf for sub in cls.__subclasses__() for leaf in below(sub))]

    found = [cls for root in (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) for cls in below(root)]
    # Other libraries derive exceptions of their own from these.
    return [cls for cls in found if cls.__module__.split(".")[0] == "httpx2"]


async def test_no_exception_of_the_http_library_is_unmapped():
    classes = foreign_exceptions()
    assert len(classes) > 20
    for cls in classes:
        error = cls.__new__(cls)
        Exception.__init__(error, "x")
        cloud = client("http://127.0.0.1:1", transport=Throws(error), max_attempts=1)
        with pytest.raises(CloudError) as failed:
            await cloud.answer(QUESTION, Deadline.after(5))
        ours = cls in {httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError}
        assert type(failed.value) in ({CloudMisconfigured} if ours else {CloudUnavailable, CloudUnparsable}), cls
        await cloud.close()


async def test_key_headers_and_body_fields_are_sent():
    seen = {}

    async def handle(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        seen["head"], seen["body"] = head.decode().lower(), json.loads(await reader.readexactly(length))
        writer.write(http("200 OK", '{"choices": [{"message": {"content": "B"}}]}'))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        reply = await ask(
            url, extra_headers={"x-team": "fog"}, extra_body={"chat_template_kwargs": {"enable_thinking": False}, "max_tokens": 5}
        )
    assert reply.answer == "B"
    assert reply.model == "m"
    assert "post /v1/chat/completions" in seen["head"]
    assert f"authorization: bearer {KEY}" in seen["head"]
    assert "x-team: fog" in seen["head"]
    assert (seen["body"]["model"], seen["body"]["max_tokens"], seen["body"]["temperature"]) == ("m", 5, 0)
    assert seen["body"]["chat_template_kwargs"] == {"enable_thinking": False}


@pytest.mark.parametrize(
    ("value", "seconds"), [(None, None), ("3", 3.0), ("0", 0.0), ("-5", 0.0), ("nan", None), ("inf", None), ("soon", None)]
)
def test_retry_after_values(value, seconds):
    assert retry_after(value) == seconds
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


async def test_the_mock_cloud_speaks_to_the_real_openai_client():
    async with serving(demo()) as url, openai.AsyncOpenAI(base_url=url + "/v1", api_key="any", max_retries=0) as api:
        prompt = (
            ROWS[5]["question"] + "\n\n" + "\n".join(f"{letter}. {text}" for letter, text in zip("ABCD", ROWS[5]["options"], strict=True))
        )
        reply = await api.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": prompt}])
        assert reply.choices[0].message.content == f"Final answer: {ROWS[5]['answer']}"
        assert reply.model == "demo-cloud"
        assert "mock cloud" in (await api.models.list()).data[0].owned_by


async def test_faults_are_deterministic_by_seed():
    async def outcomes(seed):
        async with serving(demo(faults={"500": 0.3, "429": 0.2}, seed=seed)) as url, loopback_client() as http_client:
            body = {"messages": [{"role": "user", "content": "q\nA. x\nB. y"}]}
            return [(await http_client.post(url + "/v1/chat/completions", json=body)).status_code for _ in range(40)]

    first, again, other = [await outcomes(seed) for seed in (1, 1, 2)]
    assert first == again != other
    assert set(first) == {200, 429, 500}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"messages": []}',
        b'{"messages": [{"role": "user"}]}',
        b'{"messages": [{"role": "user", "content": 7}], "stream": true}',
    ],
)
async def test_the_mock_cloud_refuses_what_is_no_request(body):
    async with serving(demo()) as url, loopback_client() as http_client:
        assert (await http_client.post(url + "/v1/chat/completions", content=body)).status_code == 400


@pytest.mark.parametrize(
    "options",
    [
        ("Cusco", "Lima", "Quito", "Arequipa"),
        ("Yes", "No"),
        ("this", "one", "is", "not", "among", "them"),
        ("This mock cloud", "the questions", "its bank", "only"),
        ("mock", "cloud", "bank", "knows"),
        ("Not among them", "Only", "This one", "None of them"),
        ("a", "b"),
        ("A", "I"),
        ("B", "A"),
        tuple(f"option {n}" for n in range(26)),
        ("This mock cloud knows the questions of its bank only", "and this one is not among them."),
    ],
)
async def test_what_the_mock_cloud_says_of_an_unknown_question_names_no_option(options):
    async with serving(demo()) as url:
        cloud = client(url, max_attempts=1)
        try:
            with pytest.raises(CloudUnparsable):
                await cloud.answer(Question("Which of these is it?", options), Deadline.after(5))
        finally:
            await cloud.close()
        assert (await stats(url))["unknown"] == 1


async def test_many_unknown_questions_do_not_make_the_mock_cloud_look_broken():
    """A sentence without a letter is a reply: known questions are answered correctly after any number of unknown ones."""
    async with serving(demo()) as url:
        cloud = client(url, max_attempts=1)
        try:
            for number in range(15):
                with pytest.raises(CloudUnparsable):
                    await cloud.answer(Question(f"Unknown {number}?", ("x", "y")), Deadline.after(5))
            assert (await cloud.answer(QUESTION, Deadline.after(5))).answer == ROWS[0]["answer"]
        finally:
            await cloud.close()

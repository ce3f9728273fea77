"""What a failed attempt means: the backup is asked, the breaker is told or not, the operator reads one line. Real HTTP."""

import asyncio
import json
import logging

import pytest

from app.bench.processes import free_port
from app.cloud.breaker import State
from app.core.deadline import Deadline
from app.core.errors import CircuitOpen, CloudError, CloudMisconfigured, CloudRejected, CloudUnavailable, CloudUnparsable, ConfigError
from app.core.question import Question
from app.telemetry.metrics import Metrics
from tests.integration.test_api import UNSURE, gateway
from tests.support.clouds import answering, breaker, cloud_client, completion, endpoint, listening, scripted

QUESTION = Question("Which gas do zebras breathe out at midnight?", ("Quinoa", "Carbon", "Marzipan"))
KEY = "canary-sk-0123456789"
HTML = b"<html><head><title>Maintenance</title></head><body>We are back soon.</body></html>"


async def ask(*places, questions=1, **kwargs):
    """What the last of so many questions got: a reply, or the error."""
    cloud = cloud_client(*places, **kwargs)
    try:
        for _ in range(questions):
            try:
                found = await cloud.answer(QUESTION, Deadline.after(20))
            except CloudError as error:
                found = error
        return found
    finally:
        await cloud.close()


UNUSABLE = {
    "a maintenance page": HTML,
    "nothing": b"",
    "blanks": b"  \n",
    "half an object": b'{"choices": [',
    "an error": {"error": {"message": "overloaded", "code": 503}},
    "an error in words": {"error": "overloaded"},
    "no choices": {"choices": []},
    "an error in the choice": {"choices": [{"error": {"code": 502}, "message": {"content": ""}, "finish_reason": "error"}]},
    "an error beside a text": {**completion(), "error": {"message": "overloaded"}},
    "an error within the message": {"choices": [{"message": {"content": "Final answer: A", "error": {"code": 500}}}]},
    "a list": [],
    "null": None,
    "a number": 7,
    "another object": {"status": "ok"},
    "no text": completion(None),
    "an empty text": completion(""),
    "a redirect in words": b"Redirecting to /login",
    "an event stream": b'data: {"choices": [{"delta": {"content": "A"}}]}\n\ndata: [DONE]\n\n',
    "gibberish": bytes(range(256)),
}


@pytest.mark.parametrize("body", UNUSABLE.values(), ids=UNUSABLE)
async def test_a_200_without_an_answer_goes_on_to_the_backup_and_counts_against_its_endpoint(body):
    rules = breaker(min_calls=3)
    async with scripted((200, body)) as first, scripted((200, completion("Final answer: B"))) as second:
        places = endpoint(first.url, "first", rules=rules), endpoint(second.url, "second")
        reply = await ask(*places)
        assert (reply.answer, reply.attempts) == ("B", 2)
        assert rules.state is State.CLOSED
        assert (await ask(*places, questions=2)).answer == "B"
        assert rules.state is State.OPEN
        assert (await ask(*places)).attempts == 1
    assert (first.calls, second.calls) == (3, 4)


async def test_alone_it_is_asked_once_and_then_left_alone():
    async with scripted((200, HTML)) as server:
        place = endpoint(server.url, rules=breaker(min_calls=4))
        assert type(await ask(place, questions=4)) is CloudUnparsable
        assert type(await ask(place, questions=3)) is CircuitOpen
    assert server.calls == 4


@pytest.mark.parametrize(
    "body",
    [
        completion("I cannot say."),
        completion("Final answer: Z"),
        {"choices": [{"message": {"content": None, "refusal": "I cannot"}, "finish_reason": "stop"}]},
        {"choices": [{"message": {"content": ""}, "finish_reason": "length"}]},
        {"choices": [{"message": {"content": None}, "finish_reason": "content_filter"}]},
    ],
)
async def test_a_completion_without_a_letter_goes_on_to_the_backup_and_a_caller_cannot_open_a_breaker_with_it(body):
    rules = breaker(min_calls=1)
    async with scripted((200, body)) as first, scripted((200, completion("Final answer: B"))) as second:
        assert (await ask(endpoint(first.url, "first", rules=rules), endpoint(second.url, "second"), questions=3)).answer == "B"
        assert (first.calls, second.calls) == (3, 3)
        assert rules.state is State.CLOSED
        assert type(await ask(endpoint(first.url, "first"))) is CloudUnparsable
        assert first.calls == 4, "the same model would say the same again"


@pytest.mark.parametrize(("status", "error"), [(401, CloudMisconfigured), (403, CloudRejected)])
async def test_a_bad_key_is_not_booked_on_the_endpoint_nor_tried_again(status, error):
    metrics, rules = Metrics(), breaker(min_calls=1)
    async with scripted((status, {"error": {"message": "bad key"}})) as server:
        failed = await ask(endpoint(server.url, rules=rules), metrics=metrics, questions=3)
    assert type(failed) is error
    assert str(status) in failed.message
    assert (server.calls, rules.state) == (3, State.CLOSED)


@pytest.mark.parametrize("status", [201, 202, 206, 301, 302, 307, 308])
async def test_another_2xx_or_a_redirect_counts_against_its_endpoint(status):
    rules = breaker(min_calls=2)
    async with scripted((status, completion())) as first, scripted((200, completion("Final answer: B"))) as second:
        assert (await ask(endpoint(first.url, "first", rules=rules), endpoint(second.url, "second"), questions=3)).answer == "B"
    assert (first.calls, second.calls, rules.state) == (2, 3, State.OPEN)


@pytest.mark.parametrize(
    "wire", [b"SSH-2.0-x\r\n\r\n", b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", b"HTTP/1.1 OK 200\r\n\r\n"]
)
async def test_what_does_not_speak_http_is_said_to_do_so_and_a_cut_connection_is_not(wire):
    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(wire)
        await writer.drain()

    async def cut(reader, writer):
        await reader.readuntil(b"\r\n\r\n")

    async with listening(handle) as url:
        assert "does not speak HTTP" in (await ask(url, max_attempts=1)).message
    async with listening(cut) as url:
        assert "(connection)" in (await ask(url, max_attempts=1)).message


async def test_a_bad_key_goes_on_to_the_backup():
    async with scripted((401, {})) as first, scripted((200, completion())) as second:
        assert (await ask(endpoint(first.url, "first"), endpoint(second.url, "second"))).attempts == 2


async def test_our_own_faults_are_named_and_not_booked():
    rules, heard = breaker(min_calls=1), []

    async def plain(reader, writer):
        heard.append(await reader.read(5))
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    async with listening(plain) as url:
        for place, says in (
            (endpoint(url.replace("http:", "https:"), rules=rules), "nothing there speaks TLS"),
            (endpoint("ftp://127.0.0.1", rules=rules), "address cannot be used"),
            (endpoint(url, rules=rules, extra_headers={"x-a": "b\nc"}), "not valid HTTP"),
        ):
            metrics = Metrics()
            failed = await ask(place, metrics=metrics)
            assert type(failed) is CloudMisconfigured
            assert says in failed.message
            assert rules.state is State.CLOSED
            assert metrics.registry.get_sample_value("foggate_cloud_attempt_duration_seconds_count", {"endpoint": "default"}) == 1
    assert heard[0][:2] == b"\x16\x03"
    assert b"POST " not in heard


@pytest.mark.parametrize("bad", ["…", "клюс", "a\u200b", "\ud800"])
async def test_a_key_that_got_past_the_start_is_no_500(bad):
    async with scripted((200, completion())) as server:
        assert isinstance(await ask(server.url, api_key=bad), CloudError)
        assert isinstance(await ask(server.url, extra_headers={"x-a": bad}), CloudError)
    assert server.calls == 0


async def test_the_reason_of_a_degraded_answer_names_our_fault():
    async with scripted((401, {})) as server, gateway(cloud={"base_url": server.url}) as (http, _):
        body = (await http.post("/v1/answer", json=UNSURE)).json()
        assert (body["reason"], body["degraded"], body["route"]) == ("cloud_misconfigured", True, "edge")
    async with scripted((401, {})) as server, gateway(cloud={"base_url": server.url}, policy={"on_cloud_failure": "error"}) as (http, _):
        response = await http.post("/v1/answer", json=UNSURE)
        assert (response.status_code, response.json()["error"]["type"]) == (502, "cloud_misconfigured")


ECHO = f"Incorrect key {KEY}, prompt was: {QUESTION.question} A. {QUESTION.options[0]}"


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, {"error": {"message": ECHO, "type": "authentication_error"}}, "status 401: the cloud refuses the key"),
        (
            404,
            {"error": {"message": "The model `m` does not exist", "code": "model_not_found"}},
            "model_not_found: The model `m` does not exist",
        ),
        (400, {"detail": ECHO}, "status 400"),
        (500, ECHO.encode(), "status 500"),
        (503, HTML, "Maintenance We are back soon."),
        (429, {"error": {"message": "Rate limit reached"}}, "Rate limit reached"),
        (200, HTML, "status 200: the cloud's reply is not JSON (Maintenance"),
        (
            200,
            {"error": {"message": "overloaded", "type": "server_error"}},
            "an error in place of an answer (server_error: overloaded)",
        ),
        (200, completion(f"{KEY} {QUESTION.question}"), "names no"),
        (200, ECHO.encode("utf-16"), "not JSON"),
        (302, b"", "redirects (status 302), which is not followed"),
        (204, b"", "answered with status 204 in place of 200"),
        (451, ECHO.encode(), "refused the request with status 451"),
    ],
)
async def test_one_line_for_each_failed_attempt_without_key_and_question(caplog, status, body, says):
    caplog.set_level(logging.INFO, "foggate.cloud")
    async with scripted((status, body)) as server:
        await ask(endpoint(server.url, "backup-7", api_key=KEY, extra_headers={"x-team": "hemlock"}), max_attempts=1)
    (line,) = [record for record in caplog.records if record.name == "foggate.cloud"]
    assert line.levelname == "WARNING"
    assert "backup-7" in line.getMessage()
    assert says in line.getMessage()
    assert len(line.getMessage()) < 500
    for secret in (KEY, KEY[:8], "zebra", "midnight", "Quinoa", "hemlock"):
        assert secret not in line.getMessage()


async def test_attempts_that_are_tried_again_get_a_line_each_and_good_ones_none(caplog):
    caplog.set_level(logging.INFO, "foggate.cloud")
    async with scripted((500, {}), (429, {}), (200, completion())) as server:
        assert (await ask(server.url)).attempts == 3
    assert len(caplog.records) == 2
    caplog.clear()
    assert isinstance(await ask(f"http://127.0.0.1:{free_port()}", max_attempts=2), CloudUnavailable)
    assert [("no status" in record.getMessage(), "refused" in record.getMessage()) for record in caplog.records] == [(True, True)] * 2


async def test_metrics_are_labelled_by_endpoint():
    metrics = Metrics()
    async with scripted((500, {})) as first, scripted((200, completion())) as second:
        await ask(endpoint(first.url, "first"), endpoint(second.url, "second"), metrics=metrics)
    value = metrics.registry.get_sample_value
    assert value("foggate_cloud_attempts_total", {"endpoint": "first", "outcome": "5xx"}) == 1
    assert value("foggate_cloud_attempts_total", {"endpoint": "second", "outcome": "200"}) == 1
    assert value("foggate_cloud_tokens_total", {"endpoint": "second", "type": "prompt"}) == 100
    assert value("foggate_cloud_tokens_total", {"endpoint": "first", "type": "prompt"}) is None
    for name in ("first", "second"):
        assert value("foggate_cloud_attempt_duration_seconds_count", {"endpoint": name}) == 1


async def test_headers_for_all_go_to_every_endpoint_and_an_endpoints_own_wins():
    async with answering(lambda _: (500, {})) as first, answering(lambda _: completion()) as second:
        cloud = {
            "base_url": first.url + "/v1",
            "api_key": KEY,
            "extra_headers": {"X-Team": "fog", "x-both": "all", "authorization": "Basic all"},
            "endpoints": {"b": {"base_url": second.url + "/v1", "extra_headers": {"X-Both": "own"}}},
        }
        async with gateway(cloud=cloud) as (http, _):
            assert (await http.post("/v1/answer", json=UNSURE)).json()["cloud"]["attempts"] == 2
    ours, theirs = first.asked[0].headers, second.asked[0].headers
    assert (ours["x-team"], ours["x-both"], ours["authorization"]) == ("fog", "all", f"Bearer {KEY}")
    assert (theirs["x-team"], theirs["x-both"], theirs["authorization"]) == ("fog", "own", "Basic all")


async def test_azures_query_and_a_whole_path_are_asked_as_they_are():
    async with answering(lambda _: completion()) as server:
        for base in ("/openai/deployments/d?api-version=2024-10-21", "/v1/chat/completions", "/v1/#x"):
            async with gateway(cloud={"base_url": server.url + base}) as (http, _):
                assert (await http.post("/v1/answer", json=UNSURE)).json()["route"] == "cloud"
    assert [asked.target for asked in server.asked] == [
        "/openai/deployments/d/chat/completions?api-version=2024-10-21",
        "/v1/chat/completions",
        "/v1/chat/completions",
    ]


async def test_spend_and_what_is_left_of_the_budget_are_shown():
    budget = {"calls_per_day": 5, "tokens_per_minute": 1000, "cost_per_day": 0.01}
    prices = {"large": {"input": 2, "output": 10}}
    async with (
        scripted((200, completion())) as server,
        gateway(cloud={"base_url": server.url, "budget": budget}, prices=prices) as (http, _),
    ):
        before = (await http.get("/metrics")).text
        await http.post("/v1/answer", json=UNSURE)
        after = (await http.get("/metrics")).text
    assert 'foggate_cloud_budget_remaining{kind="calls",per="day"} 5.0' in before
    for line in (
        'foggate_cloud_cost_total{endpoint="default"} 0.0004',
        'foggate_cloud_budget_remaining{kind="calls",per="day"} 4.0',
        'foggate_cloud_budget_remaining{kind="tokens",per="minute"} 880.0',
        'foggate_cloud_budget_remaining{kind="cost",per="day"} 0.0096',
        'foggate_cloud_budget_limit{kind="cost",per="day"} 0.01',
    ):
        assert line in after


async def test_spend_is_shown_without_a_budget_too():
    async with (
        scripted((200, completion())) as server,
        gateway(cloud={"base_url": server.url}, prices={"other": {"input": 1}}) as (http, _),
    ):
        await http.post("/v1/answer", json=UNSURE)
        text = (await http.get("/metrics")).text
    assert 'foggate_cloud_cost_total{endpoint="default"} 0.0001' in text
    assert "foggate_cloud_budget_limit{" not in text


@pytest.mark.parametrize("count", ["9" * 401, "NaN", "Infinity", "-1", '"many"', "1e308", "[]", "null", "true"])
async def test_no_count_of_tokens_breaks_an_answer(count):
    body = json.dumps(completion()).replace("100", count).encode()
    budget = {"tokens_per_day": 10**9, "cost_per_day": 100}
    prices = {"large": {"input": 1e308, "output": 1e308}}
    async with scripted((200, body)) as server, gateway(cloud={"base_url": server.url, "budget": budget}, prices=prices) as (http, _):
        response = await http.post("/v1/answer", json=UNSURE)
        metrics = await http.get("/metrics")
    assert (response.status_code, response.json()["route"], metrics.status_code) == (200, "cloud", 200)


@pytest.fixture
def proxied(monkeypatch):
    def run(**environment):
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            for spelling in (name, name.upper()):
                monkeypatch.delenv(spelling, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return run


async def test_loopback_is_never_asked_through_a_proxy_and_others_are(proxied):
    async with answering(lambda _: completion("Final answer: C")) as proxy, scripted((200, completion("Final answer: B"))) as server:
        for environment in ({"HTTP_PROXY": proxy.url}, {"ALL_PROXY": proxy.url}, {"http_proxy": proxy.url, "NO_PROXY": "other.example"}):
            proxied(**environment)
            assert (await ask(server.url)).answer == "B"
            far = endpoint("http://cloud.invalid", "far")
            near = endpoint(server.url.replace("127.0.0.1", "localhost"), "near", rules=breaker())
            assert (await ask(near, far)).answer == "B"
            assert proxy.calls == 0
            assert (await ask(far, near)).answer == "C"
            assert proxy.asked.pop().target.startswith("http://cloud.invalid/v1/")
        proxied(HTTP_PROXY=proxy.url, NO_PROXY="cloud.invalid")
        assert isinstance(await ask(far, max_attempts=1), CloudUnavailable)
        assert proxy.calls == 0


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"ALL_PROXY": "socks5://ada:canary@127.0.0.1:1"}, r"ALL_PROXY names a SOCKS proxy.*httpx2\[socks\]"),
        ({"HTTPS_PROXY": "socks5h://127.0.0.1:1"}, "HTTPS_PROXY names a SOCKS proxy"),
        ({"HTTP_PROXY": "ftp://canary@127.0.0.1:1"}, "HTTP_PROXY is not the address of a proxy"),
        ({"HTTP_PROXY": "http://canary:port:x"}, "HTTP_PROXY is not the address of a proxy"),
        ({"HTTP_PROXY": "http://canary:x@127.0.0.1:99999"}, "HTTP_PROXY is not the address of a proxy"),
        ({"HTTP_PROXY": "http://"}, "HTTP_PROXY is not the address of a proxy"),
        ({"SSL_CERT_FILE": "/nowhere/canary.pem"}, "SSL_CERT_FILE"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_a_sentence_and_does_not_matter_for_loopback(proxied, environment, says):
    proxied(**environment)
    with pytest.raises(ConfigError, match=says) as refused:
        cloud_client("https://cloud.invalid" if environment.keys() & {"HTTPS_PROXY", "SSL_CERT_FILE"} else "http://cloud.invalid")
    assert "canary" not in refused.value.message
    asyncio.run(cloud_client("http://127.0.0.1:1").close())


@pytest.mark.parametrize(
    "environment",
    [
        {"HTTP_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "socks5://127.0.0.1:1"},
        {"HTTPS_PROXY": "socks5://127.0.0.1:1"},
        {"ALL_PROXY": "socks5://127.0.0.1:1", "NO_PROXY": "cloud.invalid"},
        {"ALL_PROXY": "nonsense", "HTTP_PROXY": "ftp://x", "NO_PROXY": "*"},
    ],
)
def test_a_proxy_that_nothing_would_be_asked_through_does_not_matter(proxied, environment):
    proxied(**environment)
    asyncio.run(cloud_client("http://cloud.invalid").close())

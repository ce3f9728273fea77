"""The form in which an endpoint answers: asked for, refused, found out by a probe. Real HTTP."""

import asyncio
import contextlib

import pytest
from limits import RateLimitItemPerDay

from app.access.quotas import Quotas
from app.bench.processes import free_port
from app.cloud.budget import Budget, CallPurse
from app.cloud.check import Free
from app.cloud.formats import AnswerFormat
from app.cloud.probe import find_formats
from app.cloud.request import RequestSettings
from app.core.deadline import Deadline
from app.core.errors import CloudError, CloudRejected, CloudUnavailable, CloudUnparsable
from app.core.question import Question
from tests.integration.test_api import UNSURE, gateway
from tests.support.clouds import answering, cloud_client, completion, endpoint, scripted

QUESTION = Question("Who knows", ("x", "y", "z"))
TEXT, SCHEMA, CHOICE = AnswerFormat.TEXT, AnswerFormat.JSON_SCHEMA, AnswerFormat.CHOICE
REFUSED = 400, {"error": {"message": "Unknown parameter"}}


def server_of(*forms, ignores=False, status=400):
    """A model that says B, or hello: it keeps to these forms, and refuses or ignores the others."""

    def reply(body):
        asked = "structured_outputs" if "structured_outputs" in body else "response_format" if "response_format" in body else None
        if asked == "structured_outputs" and CHOICE in forms:
            return completion("B")
        if asked == "response_format" and SCHEMA in forms:
            return completion('{"answer": "B"}')
        if asked and not ignores:
            return (status, REFUSED[1])
        return completion("hello" if "hello" in body["messages"][-1]["content"] else "Final answer: B")

    return answering(reply)


def asked_for(server):
    return ["choice" if "structured_outputs" in one.body else "json" if "response_format" in one.body else "text" for one in server.asked]


@contextlib.asynccontextmanager
async def client_of(*places, **kwargs):
    cloud = cloud_client(*places, **kwargs)
    yield cloud
    await cloud.close()


async def answers(cloud, count=1):
    found = []
    for _ in range(count):
        try:
            found.append((await cloud.answer(QUESTION, Deadline.after(20))).answer)
        except CloudError as error:
            found.append(type(error))
    return found


@pytest.mark.parametrize(("form", "sent"), [(CHOICE, "choice"), (SCHEMA, "json"), (TEXT, "text")])
async def test_a_form_that_is_taken(form, sent):
    async with server_of(CHOICE, SCHEMA) as server, client_of(endpoint(server.url, form=form)) as cloud:
        assert await answers(cloud, 2) == ["B", "B"]
    assert asked_for(server) == [sent] * 2


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("form", [CHOICE, SCHEMA])
async def test_a_form_that_is_refused_is_text_at_once_and_from_then_on(form, status, caplog):
    async with server_of(status=status) as server, client_of(endpoint(server.url, form=form), share=0) as cloud:
        assert await answers(cloud, 3) == ["B"] * 3
        assert (cloud.endpoints[0].form.in_use, cloud.endpoints[0].form.how) == (TEXT, "refused")
    assert asked_for(server)[1:] == ["text"] * 3
    assert asked_for(server)[0] != "text"
    assert f"refuses the answer format {form}" in caplog.text


async def test_with_one_attempt_the_next_question_is_text():
    async with server_of() as server, client_of(endpoint(server.url, form=SCHEMA), max_attempts=1) as cloud:
        assert await answers(cloud, 3) == [CloudRejected, "B", "B"]
    assert asked_for(server) == ["json", "text", "text"]


async def test_a_question_that_is_refused_in_any_form_changes_no_form():
    def reply(body):
        return REFUSED if "long" in body["messages"][-1]["content"] else completion("B")

    async with answering(reply) as server, client_of(endpoint(server.url, form=CHOICE)) as cloud:
        with pytest.raises(CloudRejected):
            await cloud.answer(Question("long", ("x", "y")), Deadline.after(20))
        assert cloud.endpoints[0].form.in_use is CHOICE
        assert await answers(cloud) == ["B"]
    assert asked_for(server) == ["choice", "text", "choice"]


@pytest.mark.parametrize("status", [404, 500, 501])
async def test_an_endpoint_that_answers_text_after_such_a_status_twice_is_asked_for_text(status):
    async with server_of(status=status) as server, client_of(endpoint(server.url, form=SCHEMA)) as cloud:
        assert await answers(cloud, 3) == ["B"] * 3
        assert (cloud.endpoints[0].form.in_use, cloud.endpoints[0].form.how) == (TEXT, "refused")
    assert asked_for(server) == ["json", "text", "json", "text", "text"]


@pytest.mark.parametrize("status", [404, 500])
async def test_an_endpoint_that_fails_in_any_format_keeps_it_and_text_is_tried_within_the_retry_budget_only(status):
    async with scripted((status, {})) as server, client_of(endpoint(server.url, form=CHOICE), share=0) as cloud:
        await answers(cloud, 5)
        assert server.calls == 5, "no retry, no text"
    async with scripted((status, {})) as server, client_of(endpoint(server.url, form=CHOICE), share=0.2) as cloud:
        await answers(cloud, 5)
        assert server.calls == 8, "three retries in ten seconds are always allowed"
    async with server_of(status=status) as server, client_of(endpoint(server.url, form=SCHEMA), share=0) as cloud:
        assert await answers(cloud) == [CloudRejected if status == 404 else CloudUnavailable]


@pytest.mark.parametrize("status", [401, 403, 429, 502, 503])
async def test_other_statuses_say_nothing_of_the_form(status):
    async with scripted((status, {})) as server, client_of(endpoint(server.url, form=CHOICE), max_attempts=1) as cloud:
        await answers(cloud)
        assert cloud.endpoints[0].form.in_use is CHOICE


async def test_with_a_schema_a_reply_in_words_is_no_answer_and_with_a_choice_it_is_read():
    async with server_of(ignores=True) as server:
        async with client_of(endpoint(server.url, form=SCHEMA)) as cloud:
            assert await answers(cloud) == [CloudUnparsable]
        async with client_of(endpoint(server.url, form=CHOICE)) as cloud:
            assert await answers(cloud) == ["B"]


@pytest.mark.parametrize(
    ("forms", "ignores", "found", "calls"),
    [
        ((CHOICE, SCHEMA), False, CHOICE, ["choice"]),
        ((SCHEMA,), False, SCHEMA, ["choice", "json"]),
        ((SCHEMA,), True, SCHEMA, ["choice", "json"]),
        ((), False, TEXT, ["choice", "json"]),
        ((), True, TEXT, ["choice", "json"]),
    ],
)
async def test_a_probe_finds_what_an_endpoint_keeps_to(forms, ignores, found, calls):
    async with server_of(*forms, ignores=ignores) as server, client_of(server.url) as cloud:
        await find_formats(cloud, Free(), waits_s=())
        form = cloud.endpoints[0].form
        assert (form.in_use, form.how) == (found, "probe")
        assert asked_for(server) == calls
        assert await answers(cloud) == ["B"]
        assert all(one.body["stream"] is False for one in server.asked)


async def test_each_endpoint_is_asked_by_itself():
    async with server_of(CHOICE) as first, server_of(SCHEMA) as second, client_of(first.url, endpoint(second.url, "b")) as cloud:
        await find_formats(cloud, Free(), waits_s=())
        assert [one.form.in_use for one in cloud.endpoints] == [CHOICE, SCHEMA]


@pytest.mark.parametrize(
    ("model", "extra", "how"),
    [("deepseek-r1", {}, "thinks"), ("m", {"reasoning_effort": "high"}, "thinks"), ("m", {"guided_choice": ["A"]}, "extra_body")],
)
async def test_a_model_that_thinks_and_a_form_of_ones_own_keep_text(model, extra, how):
    async with (
        server_of(CHOICE) as server,
        client_of(endpoint(server.url, model=model), request=RequestSettings(extra_body=extra)) as cloud,
    ):
        await find_formats(cloud, Free(), waits_s=())
        assert (server.calls, cloud.endpoints[0].form.in_use, cloud.endpoints[0].form.how) == (0, TEXT, how)


async def test_an_endpoint_that_starts_late_is_asked_again():
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    replies = [(503, {}), (200, b"<html>"), (429, {}), (200, completion("A"))]
    async with scripted(*replies) as server, client_of(server.url, metrics=None) as cloud:
        await find_formats(cloud, Free(), waits_s=(1, 2, 3, 4), sleep=sleep)
        assert (cloud.endpoints[0].form.in_use, waited, server.calls) == (CHOICE, [1, 2, 3], 4)
    waited.clear()
    async with client_of(f"http://127.0.0.1:{free_port()}") as cloud:
        await find_formats(cloud, Free(), waits_s=(1, 2), sleep=sleep)
        assert (cloud.endpoints[0].form.in_use, waited) == (TEXT, [1, 2])


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_probe_with_a_bad_key_or_address_ends_at_once(status):
    async with scripted((status, {})) as server, client_of(server.url) as cloud:
        await find_formats(cloud, Free(), waits_s=(3600,))
        form = cloud.endpoints[0].form
        assert (server.calls, form.in_use, form.how) == (1, TEXT, "setting")


async def test_a_probe_is_paid_for_and_asks_nobody_without_budget():
    calls = RateLimitItemPerDay(1, namespace="probe")
    counts = Quotas()
    budget = Budget([("calls", calls)], counts)
    async with server_of(SCHEMA) as server, client_of(server.url) as cloud:
        await find_formats(cloud, CallPurse(budget, ()), waits_s=())
        assert server.calls == 1
        assert (await budget.remaining())[0].left == 0
        assert cloud.endpoints[0].form.in_use is TEXT


async def shown(http):
    return (await http.get("/v1/models")).json()["data"][1]["endpoints"]


async def test_a_gateway_asks_once_at_start_and_says_what_it_found():
    async with server_of(SCHEMA) as server, gateway(cloud={"base_url": server.url, "answer_format": "auto"}) as (http, _):
        while (found := await shown(http))[0]["answer_format_from"] != "probe":
            await asyncio.sleep(0.01)
        assert found == [
            {"name": "default", "model": "Qwen/Qwen3-30B-A3B-Instruct-2507", "answer_format": "json_schema", "answer_format_from": "probe"}
        ]
        body = (await http.post("/v1/answer", json=UNSURE)).json()
        assert (body["answer"], body["route"]) == ("B", "cloud")
        assert asked_for(server) == ["choice", "json", "json"]


async def test_an_endpoint_that_hangs_delays_no_start_and_no_end():
    async with scripted() as server, gateway(cloud={"base_url": server.url, "answer_format": "auto"}) as (http, _):
        while server.calls < 1:
            await asyncio.sleep(0.01)
        assert (await http.get("/health/ready")).status_code == 200
        assert (await shown(http))[0]["answer_format_from"] == "not_probed"


@pytest.mark.parametrize(
    ("cloud", "how"),
    [
        ({}, ("text", "setting")),
        ({"answer_format": "auto", "answer_format_probe": False}, ("text", "not_probed")),
        ({"answer_format": "choice"}, ("choice", "setting")),
    ],
)
async def test_nobody_is_asked_unless_that_is_wanted(cloud, how):
    async with server_of(CHOICE) as server, gateway(cloud={"base_url": server.url, **cloud}) as (http, _):
        (found,) = await shown(http)
        assert (found["answer_format"], found["answer_format_from"]) == how
        assert (await http.post("/v1/answer", json=UNSURE)).json()["answer"] == "B"
        assert server.calls == 1


def with_logprobs(body):
    told = completion("Final answer: B")
    if body.get("logprobs"):
        alternatives = [{"token": letter, "logprob": logprob} for letter, logprob in (("B", -0.1), ("A", -2.5), ("x", -4.0))]
        tokens = [
            {"token": "Final answer: ", "logprob": 0.0, "top_logprobs": []},
            {"token": "B", "logprob": -0.1, "top_logprobs": alternatives},
        ]
        told["choices"][0]["logprobs"] = {"content": tokens}
    return told


async def test_the_clouds_distribution_is_in_the_answer_where_it_is_asked_for_and_given():
    async with answering(with_logprobs) as server:
        async with gateway(cloud={"base_url": server.url, "top_logprobs": 3}) as (http, _):
            part = (await http.post("/v1/answer", json=UNSURE)).json()["cloud"]
        assert part["answer_probabilities"] == pytest.approx({"A": 0.0832, "B": 0.9168}, abs=1e-4)
        assert server.asked[-1].body["top_logprobs"] == 3
        async with gateway(cloud={"base_url": server.url}) as (http, _):
            assert "answer_probabilities" not in (await http.post("/v1/answer", json=UNSURE)).json()["cloud"]
    async with scripted((200, completion())) as server, gateway(cloud={"base_url": server.url, "top_logprobs": 3}) as (http, _):
        assert "answer_probabilities" not in (await http.post("/v1/answer", json=UNSURE)).json()["cloud"]


async def test_a_null_in_the_settings_takes_a_field_out():
    extra = {"max_tokens": None, "temperature": None, "max_completion_tokens": 99}
    async with (
        answering(with_logprobs) as server,
        gateway(cloud={"base_url": server.url, "extra_body": extra, "max_tokens": 7}) as (http, _),
    ):
        await http.post("/v1/answer", json=UNSURE)
    sent = server.asked[0].body
    assert {"model", "messages", "max_completion_tokens", "stream"} == sent.keys()

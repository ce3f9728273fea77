"""`/v1/chat/completions` for multiple-choice questions, with OpenAI's own client and over plain HTTP."""

import json
import math
from typing import Literal

import openai
import pytest
from pydantic import BaseModel

from app.api.openai.chat_reply import VERY_UNLIKELY
from app.core.verdict import JointVerdict
from tests.integration.test_api import gateway
from tests.integration.test_security import ALL, key_file
from tests.support.fakes import FakeEngine
from tests.support.loopback import NO_CERTIFICATES

SURE = "Which colour is sure to come first?\n\nA. red\nB. green\nC. blue"
WHO = "Which colour does nobody know?\n\nA. red\nB. green\nC. blue"


def client_of(http, **options):
    url = str(http.base_url).rstrip("/") + "/v1"
    own = openai.DefaultAsyncHttpxClient(verify=NO_CERTIFICATES)
    return openai.AsyncOpenAI(**{"base_url": url, "api_key": "none", "max_retries": 0, "http_client": own, **options})


def said(text, role="user"):
    return [{"role": role, "content": text}]


async def post(http, text=SURE, *, headers=None, **more):
    return await http.post("/v1/chat/completions", json={"model": "foggate", "messages": said(text), **more}, headers=headers or {})


async def test_the_official_client_gets_the_edge_answer_with_its_routing():
    async with gateway() as (http, _), client_of(http) as client:
        raw = await client.chat.completions.with_raw_response.create(model="foggate", messages=said(SURE), temperature=0)
        reply = raw.parse()
    (choice,) = reply.choices
    assert (choice.message.content, choice.message.role, choice.finish_reason) == ("Confidence: 1.0\nFinal answer: B", "assistant", "stop")
    assert (reply.object, reply.model, reply.usage.total_tokens) == ("chat.completion", "foggate", 0)
    facts = reply.model_extra["foggate"]
    assert (facts["route"], facts["reason"], facts["answer"], facts["model"], facts["tau"]) == ("edge", "confident", "B", "fake-edge", 0.5)
    assert "outcome" not in facts
    headers = {name: value for name, value in raw.headers.items() if name.startswith("x-foggate-")}
    assert float(headers.pop("x-foggate-overhead-ms")) >= 0
    assert headers.pop("x-foggate-decision-id") == facts["decision_id"] == reply.id.removeprefix("chatcmpl-")
    assert headers == {
        "x-foggate-route": "edge",
        "x-foggate-reason": "confident",
        "x-foggate-tau": "0.5",
        "x-foggate-signal": "1",
        "x-foggate-confidence": "1",
        "x-foggate-model": "fake-edge",
    }
    assert raw.headers["x-request-id"] == reply._request_id


async def test_a_cloud_answer_states_no_confidence_and_counts_the_clouds_tokens():
    async with gateway() as (http, _), client_of(http) as client:
        raw = await client.chat.completions.with_raw_response.create(model="foggate", messages=said(WHO))
    reply = raw.parse()
    facts = reply.model_extra["foggate"]
    assert reply.choices[0].message.content == f"Final answer: {facts['answer']}"
    assert (raw.headers["x-foggate-route"], raw.headers["x-foggate-reason"]) == ("cloud", "low_confidence")
    assert (facts["model"], raw.headers["x-foggate-model"]) == ("demo-cloud", "demo-cloud")
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens > 0


async def test_a_degraded_answer_says_so():
    async with gateway(faults={"500": 1.0}) as (http, _):
        reply = await post(http, WHO)
        assert (reply.headers["x-foggate-route"], reply.headers["x-foggate-reason"]) == ("edge-degraded", "cloud_unavailable")
        assert reply.json()["choices"][0]["message"]["content"] == "Confidence: 0.0\nFinal answer: B"
        assert reply.json()["foggate"]["route"] == "edge-degraded"


async def test_the_stream_is_what_clients_read():
    async with gateway() as (http, _), client_of(http) as client:
        asked = {"model": "foggate", "messages": said(SURE), "stream": True}
        chunks = [chunk async for chunk in await client.chat.completions.create(**asked, stream_options={"include_usage": True})]
        plain = [chunk async for chunk in await client.chat.completions.create(**asked)]
        raw = (await http.post("/v1/chat/completions", json=asked)).text
    assert "".join(chunk.choices[0].delta.content or "" for chunk in plain) == "Confidence: 1.0\nFinal answer: B"
    assert [chunk.choices[0].delta.role for chunk in plain] == ["assistant"] + [None] * (len(plain) - 1)
    assert [chunk.choices[0].finish_reason for chunk in plain] == [None] * (len(plain) - 1) + ["stop"]
    assert plain[-1].choices[0].delta.content is None
    assert plain[-1].model_extra["foggate"]["route"] == "edge"
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in plain}) == 1
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], 0)
    assert all(chunk.usage is None for chunk in [*chunks[:-1], *plain])
    assert raw.endswith("data: [DONE]\n\n")
    assert all("finish_reason" in json.loads(line[6:])["choices"][0] for line in raw.split("\n\n")[:-2])


async def test_models_force_a_side_or_a_threshold():
    async with gateway() as (http, _):

        async def reason(model, text=WHO):
            reply = await post(http, text, model=model)
            return reply.headers["x-foggate-route"], reply.headers["x-foggate-reason"], reply.headers["x-foggate-tau"]

        assert await reason("edge") == ("edge", "forced", "0.5")
        assert await reason("fake-edge") == ("edge", "forced", "0.5")
        assert await reason("cloud", SURE) == ("cloud", "forced", "0.5")
        assert await reason("foggate-0") == ("edge", "confident", "0")
        assert await reason("foggate-0.25") == ("cloud", "low_confidence", "0.25")
        assert await reason("foggate-1") == ("cloud", "low_confidence", "1")
        for model in ("foggate-1.5", "foggate-", "foggate--1", "foggate-nan", "gpt-5", "foggate-0.5x", ""):
            refused = await post(http, model=model)
            error = refused.json()["error"]
            assert (refused.status_code, error["code"], error["param"], error["type"]) == (
                404,
                "model_not_found",
                "model",
                "invalid_request_error",
            )


async def test_a_choice_of_the_route_needs_its_permission(tmp_path):
    plain, all_ = key_file(tmp_path / "k", {}, ALL)
    async with gateway(security={"keys": tmp_path / "k"}) as (http, _):
        assert (await post(http, headers=plain)).status_code == 200
        for model in ("edge", "cloud", "foggate-0.7"):
            refused = await post(http, model=model, headers=plain)
            error = refused.json()["error"]
            assert (refused.status_code, error["code"], error["type"], error["param"]) == (403, "forbidden", "permission_error", "model")
            assert (await post(http, model=model, headers=all_)).status_code == 200
        nobody = await post(http)
        assert (nobody.status_code, nobody.json()["error"]["type"], nobody.json()["error"]["code"]) == (
            401,
            "authentication_error",
            "unauthorized",
        )
        async with client_of(http, api_key=plain["authorization"].removeprefix("Bearer ")) as client:
            assert [model.id for model in (await client.models.list()).data] == [
                "fake-edge",
                "Qwen/Qwen3-30B-A3B-Instruct-2507",
                "foggate",
                "edge",
                "cloud",
            ]
            for name in ("foggate", "foggate-0.7", "edge", "cloud", "fake-edge", "Qwen/Qwen3-30B-A3B-Instruct-2507"):
                assert (await client.models.retrieve(name)).id == name
            with pytest.raises(openai.NotFoundError) as error:
                await client.models.retrieve("gpt-5")
            assert error.value.code == "model_not_found"


async def test_the_form_that_the_chat_asks_for():
    async with gateway() as (http, _):

        async def content(text=SURE, **more):
            reply = await post(http, text, **more)
            assert reply.status_code == 200, reply.text
            return reply.json()["choices"][0]["message"]["content"]

        assert await content(SURE + "\n\nAnswer with the letter only.") == "B"
        assert await content(max_tokens=1) == "B"
        assert await content(max_completion_tokens=16) == "Confidence: 1.0\nFinal answer: B"
        assert await content(stop=["\nFinal"]) == "Confidence: 1.0"
        assert await content(stop="B") == "Confidence: 1.0\nFinal answer: "
        assert json.loads(await content(response_format={"type": "json_object"})) == {"answer": "B", "confidence": 1.0}
        assert json.loads(await content(WHO, response_format={"type": "json_object"})).keys() == {"answer"}
        assert await content(response_format={"type": "text"}) == "Confidence: 1.0\nFinal answer: B"
        parts = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": SURE}]}]
        assert await content(messages=parts) == "Confidence: 1.0\nFinal answer: B"


class Choice(BaseModel):
    answer: Literal["A", "B", "C"]
    confidence: float | None


class Colour(BaseModel):
    which: Literal["red", "green", "blue"]


async def test_parse_of_the_official_client():
    async with gateway() as (http, _), client_of(http) as client:
        for text, stated in ((SURE, 1.0), (WHO, None)):
            reply = await client.chat.completions.parse(model="foggate", messages=said(text), response_format=Choice)
            parsed = reply.choices[0].message.parsed
            assert (parsed.answer, parsed.confidence) == (reply.model_extra["foggate"]["answer"], stated)
        reply = await client.chat.completions.parse(model="foggate", messages=said(SURE), response_format=Colour)
        assert reply.choices[0].message.parsed == Colour(which="green")
        assert reply.choices[0].logprobs is None


def schema(properties, required=None):
    names = list(properties) if required is None else required
    wanted = {"type": "object", "properties": properties, "required": names, "additionalProperties": False}
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": wanted, "strict": True}}


UNFILLABLE = [
    {"reasoning": {"type": "string"}, "answer": {"type": "string"}},
    {"answer": {"type": "string", "enum": ["A", "B"]}},
    {"answer": {"type": "string"}, "confidence": {"type": "number"}},
    {"answer": {"type": "string", "pattern": "^[A-D]$"}},
    {"answer": {"type": "integer"}},
    {"answer": {"$ref": "#/$defs/missing"}},
    {"confidence": {"type": ["number", "null"]}},
    {},
]


async def test_a_schema_that_an_answer_cannot_fill_is_refused_before_anybody_is_asked():
    async with gateway(cloud=False) as (http, engine):
        asked = len(engine.batches)
        for properties in UNFILLABLE:
            refused = await post(http, response_format=schema(properties))
            assert (refused.status_code, refused.json()["error"]["param"]) == (400, "response_format"), properties
        assert len(engine.batches) == asked


async def test_a_schema_whose_answer_may_have_more_words_than_tokens_are_asked_for_is_refused():
    wordy = SURE.replace("C. blue", "C. " + "very " * 40 + "blue")
    wanted = schema({"answer": {"type": "string"}, "answer_text": {"type": "string"}})
    async with gateway(cloud=False) as (http, _):
        refused = await post(http, wordy, response_format=wanted, max_tokens=20)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "max_tokens")
        assert (await post(http, wordy, response_format=wanted, max_tokens=60)).status_code == 200


async def test_log_probabilities_are_those_of_the_verdict():
    async with gateway() as (http, _), client_of(http) as client:
        reply = await client.chat.completions.create(model="foggate", messages=said(SURE), logprobs=True, top_logprobs=2)
        full = (await post(http, headers={"x-foggate-debug": "true"})).json()["foggate"]["outcome"]["edge"]["answer_probabilities"]
        cloud = (await post(http, WHO, logprobs=True)).json()
    tokens = reply.choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == reply.choices[0].message.content
    last = tokens[-1]
    assert (last.token, bytes(last.bytes)) == ("B", b"B")
    assert last.logprob == pytest.approx(math.log(full["B"]))
    assert [top.token for top in last.top_logprobs] == ["B", "A"]
    assert sum(math.exp(token.logprob) for token in tokens[1].top_logprobs) <= 1
    assert (cloud["choices"][0]["logprobs"], cloud["foggate"]["ignored"]) == (None, ["logprobs"]), "the cloud gave none"


async def test_the_logarithm_of_nothing_is_a_number():
    class Certain(FakeEngine):
        def verdicts(self, prompts):
            return [JointVerdict.from_weights([[float(at == 1) for at in range(prompt.options)]] * 5, 4) for prompt in prompts]

    async with gateway(Certain()) as (http, _):
        tops = (await post(http, logprobs=True, top_logprobs=20)).json()["choices"][0]["logprobs"]["content"][-1]["top_logprobs"]
    assert [(top["token"], top["logprob"]) for top in tops] == [("B", 0.0), ("A", VERY_UNLIKELY), ("C", VERY_UNLIKELY)]


WRONG = [
    ({"n": 2}, "n"),
    ({"n": 0}, "n"),
    ({"n": "1"}, "n"),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"logit_bias": {"1": 5}}, "logit_bias"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"guided_choice": ["A"]}, "guided_choice"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    ({"logprobs": 1}, "logprobs"),
    ({"stop": [""]}, "stop"),
    ({"stop": [1]}, "stop"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
    ({"response_format": {"type": "xml"}}, "response_format"),
    ({"response_format": "json"}, "response_format"),
    ({"response_format": {"type": "json_object"}, "max_tokens": 2}, "max_tokens"),
    ({"stream_options": {"include_usage": True}}, "stream_options"),
    ({"stream": "yes"}, "stream"),
    ({"messages": []}, "messages"),
    ({"messages": [{"content": "x"}]}, "messages.0.role"),
    ({"model": None}, "model"),
]


async def test_what_cannot_be_honoured_is_refused_by_name():
    async with gateway(cloud=False) as (http, _):
        for more, param in WRONG:
            refused = await post(http, **more)
            error = refused.json()["error"]
            assert (refused.status_code, error["param"], error["type"]) == (400, param, "invalid_request_error"), (more, refused.text)
            assert error["request_id"] == refused.headers["x-request-id"]


async def test_what_has_no_effect_is_named_and_what_changes_nothing_is_taken():
    quiet = {"n": 1, "seed": 7, "user": "u", "store": True, "metadata": {"a": "b"}, "tools": [], "top_p": 1, "parallel_tool_calls": True}
    async with gateway(cloud=False) as (http, _):
        reply = await post(http, **quiet, temperature=0.7, presence_penalty=0, reasoning_effort="low", frequency_penalty=None)
        assert (reply.status_code, reply.json()["foggate"]["ignored"]) == (200, ["temperature"])
        assert reply.headers["x-foggate-ignored"] == "temperature"
        assert "x-foggate-ignored" not in (await post(http, temperature=0)).headers
        tools = {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none"}
        assert (await post(http, **tools)).status_code == 200


async def test_what_is_no_question_needs_a_cloud():
    picture = [{"type": "text", "text": SURE}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    called = [{"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}, {"role": "tool", "content": "x"}, *said(SURE)]
    async with gateway(cloud=False) as (http, _), client_of(http) as client:
        for messages in (said("Write a poem."), said(picture), called, [*said(SURE), *said("Confidence: 1", "assistant")]):
            refused = await post(http, messages=messages)
            error = refused.json()["error"]
            assert (refused.status_code, error["code"], error["param"]) == (404, "not_passed_on", "messages"), refused.text
        edge = await post(http, "Write a poem.", model="edge")
        assert (edge.status_code, edge.json()["error"]["code"]) == (400, "unsupported")
        with pytest.raises(openai.NotFoundError, match="local-chat-completions"):
            await client.completions.create(model="foggate", prompt="x", logprobs=1, echo=True)


async def test_debug_shows_everything_and_no_other_header_of_ours_is_taken():
    async with gateway(cloud=False) as (http, _):
        full = (await post(http, headers={"x-foggate-debug": "TRUE", "x-foggate-route": "cloud"})).json()["foggate"]
        assert full["recognised"]["options"] == ["red", "green", "blue"]
        assert full["outcome"]["timings_ms"]["edge"] >= 0
        assert "outcome" not in (await post(http, headers={"x-foggate-debug": "1"})).json()["foggate"]


async def test_errors_tell_clients_whether_and_when_to_try_again():
    async with gateway(faults={"prose": 1.0}, policy={"on_cloud_failure": "error"}) as (http, _), client_of(http, max_retries=2) as client:
        with pytest.raises(openai.InternalServerError) as error:
            await client.chat.completions.create(model="foggate", messages=said(WHO))
        assert (error.value.status_code, error.value.code) == (502, "cloud_unparsable")
        assert error.value.response.headers["x-should-retry"] == "false"
        refused = http.state.metrics.registry.get_sample_value
        assert refused("foggate_rejected_total", {"reason": "cloud_unparsable"}) == 1, "the client does not try again"
        http.state.cascade = None
        loading = await post(http)
        assert (loading.status_code, loading.headers["retry-after"], loading.headers["retry-after-ms"]) == (503, "2", "2000")
        assert (loading.json()["error"]["type"], loading.json()["error"]["code"]) == ("server_error", "not_ready")


async def test_errors_before_any_route_have_openais_form_too():
    async with gateway(cloud=False) as (http, _):
        for status, code, reply in (
            (415, "unsupported_media_type", await http.post("/v1/chat/completions", content=b"{}")),
            (400, "bad_request", await http.post("/v1/chat/completions", content=b"{", headers={"content-type": "application/json"})),
            (404, "model_not_found", await http.get("/v1/models/")),
            (405, "method_not_allowed", await http.get("/v1/chat/completions")),
            (421, "misdirected_request", await http.get("/v1/models/foggate", headers={"host": "elsewhere"})),
        ):
            error = reply.json()["error"]
            assert (reply.status_code, error["code"], error["type"], error["param"]) == (
                status,
                code,
                "invalid_request_error",
                "model" if status == 404 else None,
            )
            assert int(reply.headers["content-length"]) == len(reply.content)

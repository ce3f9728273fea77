"""What nobody should send to OpenAI's faces and somebody does: refused with OpenAI's error and the name of what is wrong, or honoured."""

import json
import math

from tests.integration.test_api import gateway
from tests.integration.test_openai_chat import SURE, WHO, said
from tests.integration.test_responses_tools import WEATHER
from tests.support.hostile import strictly

JSON = {"content-type": "application/json"}
NAN, HUGE = math.nan, 10**400
PICTURE = [{"type": "text", "text": SURE}, {"type": "image_url", "image_url": {"url": "data:,"}}]


def schema(**keywords):
    """A `response_format` with this schema, whose properties could be filled."""
    wanted = {"type": "object", "properties": {"answer": {"type": "string"}}, **keywords}
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": wanted}}}


def answer(**described):
    return schema(properties={"answer": described})


CHAT = [
    *[
        ({name: value}, name)
        for name in ("n", "max_tokens", "max_completion_tokens")
        for value in (HUGE, -1, 1.5, True, "", "1", [], {}, NAN)
    ],
    ({"n": 1_000_000_000}, "n"),
    *[
        ({name: value}, name)
        for name in ("temperature", "top_p", "presence_penalty")
        for value in ("", "hot", True, [], {}, NAN, HUGE, 1e999)
    ],
    ({"max_tokens": "x", "max_completion_tokens": 50}, "max_tokens"),
    # The smaller of the two bounds holds.
    ({"max_tokens": 2, "max_completion_tokens": 50, "response_format": {"type": "json_object"}}, "max_tokens"),
    *[({"response_format": value}, "response_format") for value in ("", {}, [], "json", {"type": []}, {"type": "json_schema"})],
    *[({"logprobs": value}, "logprobs") for value in ("", 5, {}, [])],
    *[({"logprobs": True, "top_logprobs": value}, "top_logprobs") for value in ("", -1, 21, True, NAN)],
    *[({"stop": value}, "stop") for value in (5, True, [[]], ["x"] * 17, ["x", ""], "x" * 1001, [None])],
    ({"web_search_options": {}}, "web_search_options"),
    *[({name: {"a": 1}}, name) for name in ("audio", "prediction", "web_search_options", "unheard_of", "logit_bias")],
    *[({"tools": value}, "tools") for value in ("x", {"a": 1}, [5])],
    ({"tool_choice": {}, "function_call": "f"}, "function_call"),
    ({"x" * 5_000: 1}, "x" * 64),
    *[({"stream": value}, "stream") for value in (1, "true", [])],
    *[({"stream_options": value}, "stream_options") for value in ({}, {"include_usage": True}, 5, [])],
    ({"stream": True, "stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
    *[({"messages": value}, "messages") for value in ("x", {}, 5, None, [])],
    *[({"messages": [*said(SURE), value]}, "messages.1") for value in ("x", 5, None, [])],
    *[({"messages": [{"role": value, "content": SURE}]}, "messages.0.role") for value in (5, None, ["user"])],
    *[({"model": value}, "model") for value in (5, None, ["foggate"], "x" * 257)],
    *[(schema(required=value), "response_format") for value in ([["answer"]], [5], [{}], "answer", ["answer", "other"])],
    *[
        (schema(**{name: 2}), "response_format")
        for name in ("minProperties", "maxProperties", "anyOf", "not", "if", "unevaluatedProperties")
    ],
    *[
        (answer(**more), "response_format")
        for more in (
            {"type": "string", "pattern": "x"},
            {"type": "string", "contentEncoding": "base64"},
            {"type": "string", "enum": [f"v{number}" for number in range(300)]},
            {"type": "integer", "enum": ["A", "B", "C"]},
            {"anyOf": [{"type": "string"}], "enum": ["x"]},
            {"$ref": "#/$defs/answer", "maxLength": 1},
            {"type": ["string", ["x"]], "maxLength": 1},
            {"enum": [["A"], {"B": 1}]},
        )
    ],
    # Nothing can be put into the second one: null is not among its values.
    (
        schema(properties={"answer": {"type": "string"}, "why": {"type": ["string", "null"], "enum": ["x"]}}, required=["why"]),
        "response_format",
    ),
]
# Conversations that are no multiple-choice question, so that only a cloud could answer.
TALKS = [
    *[
        [{"role": "user", "content": value}]
        for value in (None, [], 5, {}, "", [5], [{"type": "text"}], [{"type": "text", "text": 5}], PICTURE, "\ud800")
    ],
    [*said(SURE), {"role": "tool", "tool_call_id": "1", "content": "x"}],
    [*said(SURE), *said("Confidence: 1.0\nFinal answer: B", "assistant")],
    [{"role": "user", "content": [{"type": ["text"], "text": SURE}]}],
    said(SURE, "alien"),
    said(SURE, "assistant"),
    said(SURE, "system"),
    [{"role": "user"}],
]


async def refused(http, path, body):
    reply = await http.post(path, content=json.dumps(body), headers=JSON)
    error = strictly(reply.text)["error"]
    assert error["request_id"] == reply.headers["x-request-id"]
    assert len(reply.content) < 1_000, "no reply is as long as what was sent"
    return reply.status_code, error["type"], error["code"], error["param"]


async def test_chat_completions_name_what_is_wrong():
    async with gateway(cloud=False) as (http, engine):
        asked = len(engine.batches)
        for more, param in CHAT:
            status, kind, _, named = await refused(http, "/v1/chat/completions", {"model": "foggate", "messages": said(SURE), **more})
            assert (status, kind, named) == (404 if more.get("model") == "" else 400, "invalid_request_error", param), more
        for messages in TALKS:
            found = await refused(http, "/v1/chat/completions", {"model": "foggate", "messages": messages})
            assert found == (404, "invalid_request_error", "not_passed_on", "messages"), messages
        assert (await refused(http, "/v1/chat/completions", {"model": "foggate", "messages": said(SURE), "\ud800": 1}))[0] == 400
        assert len(engine.batches) == asked, "nobody was asked"


HARMLESS = [
    {"stop": []},
    {"stop": None, "n": None, "logprobs": None, "response_format": None, "stream_options": None, "temperature": None},
    {"logit_bias": {}, "tools": [], "metadata": {}, "user": "", "tool_choice": "auto"},
    {"stream": True, "stream_options": {}},
    {"stream": True, "stream_options": {"include_usage": None, "include_obfuscation": False}},
    {"max_tokens": 10**50, "top_k": -1, "min_p": 0.0, "n": 1, "logprobs": False, "top_logprobs": 0},
    {"messages": [{"role": "user", "content": SURE, "name": "x", "unheard_of": [1]}]},
]


async def test_what_asks_for_nothing_is_taken():
    async with gateway(cloud=False) as (http, _):
        for more in HARMLESS:
            reply = await http.post(
                "/v1/chat/completions", content=json.dumps({"model": "foggate", "messages": said(SURE), **more}), headers=JSON
            )
            assert (reply.status_code, "Final answer: B" in reply.text or '"B"' in reply.text) == (200, True), (more, reply.text)
            assert "x-foggate-ignored" not in reply.headers, more


RESPONSES = [
    *[({"input": value}, "input") for value in (5, None, {}, {"role": "user"}, [], True)],
    *[({"input": [value]}, "input.0") for value in (5, "x", None, [])],
    *[({"input": [{"role": "user", "content": value}]}, "input.0.content") for value in (5, None, {})],
    *[({"input": [{"role": "user", "content": [value]}]}, "input.0.content.0.type") for value in (5, "x", {}, {"type": "input_text"})],
    *[({"instructions": value}, "instructions") for value in (5, [], {})],
    *[({name: value}, name) for name in ("temperature", "top_p") for value in ("", "hot", True, [], NAN, HUGE)],
    *[({"max_output_tokens": value}, "max_output_tokens") for value in ("", "1", [], True, 1.5, HUGE, NAN, 0)],
    *[
        ({"text": value}, "text")
        for value in ("", 5, [], {"format": []}, {"format": ""}, {"format": {"type": []}}, {"format": {"type": "json_schema"}})
    ],
    *[({"reasoning": value}, "reasoning") for value in ("", 5, [], {"effort": 5})],
    ({"text": {"stop": ["x"]}}, "text.stop"),
    ({"reasoning": {"max_tokens": 5}}, "reasoning.max_tokens"),
    *[({"tools": value}, "tools") for value in ("", "x", {}, 5, False)],
    *[({"tools": [WEATHER], "tool_choice": value}, "tool_choice") for value in ("always", 5, {}, [], {"type": "function", "name": []})],
    ({"tools": [WEATHER], "parallel_tool_calls": "no"}, "parallel_tool_calls"),
    *[
        ({name: value}, name)
        for name, value in (("n", 2), ("stop", "x"), ("logprobs", True), ("top_logprobs", 2), ("messages", said(SURE)), ("seed", 1))
    ],
    ({"stream": "yes"}, "stream"),
    ({"metadata": {"a": NAN}}, "metadata"),
]


async def test_responses_name_what_is_wrong():
    async with gateway(cloud=False) as (http, engine):
        asked = len(engine.batches)
        for more, param in RESPONSES:
            status, kind, _, named = await refused(http, "/v1/responses", {"model": "foggate", "input": SURE, **more})
            assert (status, kind, named) == (400, "invalid_request_error", param), more
        assert (await refused(http, "/v1/responses", {"model": "foggate"}))[3] == "input"
        assert len(engine.batches) == asked, "nobody was asked"


async def test_log_probabilities_of_a_stream_are_those_of_the_whole_reply():
    async with gateway() as (http, _):
        for text, more in ((SURE, {}), (SURE, {"stop": "B"}), (WHO, {})):
            asked = {"model": "foggate", "messages": said(text), "logprobs": True, "top_logprobs": 3, **more}
            whole = (await http.post("/v1/chat/completions", json=asked)).json()["choices"][0]
            streamed = await http.post("/v1/chat/completions", json={**asked, "stream": True})
            chunks = [json.loads(line[6:])["choices"][0] for line in streamed.text.split("\n") if line.startswith("data: {")]
            assert "".join(chunk["delta"].get("content", "") for chunk in chunks) == whole["message"]["content"]
            tokens = [token for chunk in chunks if chunk["logprobs"] for token in chunk["logprobs"]["content"]]
            assert tokens == (whole["logprobs"]["content"] if whole["logprobs"] else [])
            assert bool(tokens) is (text is SURE)

"""Functions in `/v1/responses`: what OpenAI's own client sends and reads, what the cloud is sent, and what is refused by name."""

import json

import pytest

from tests.integration.test_api import gateway
from tests.integration.test_openai_chat import client_of
from tests.integration.test_pass_through import REPLY, USAGE, behind
from tests.support.clouds import DONE, answering, dripping

WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False},
    "strict": True,
}
CLOCK = {"type": "function", "name": "clock", "parameters": {"type": "object", "properties": {}}, "strict": False}
AGENTS = {"type": "namespace", "name": "agents", "description": "Agents.", "tools": [CLOCK]}
# As Codex declares it in every request.
SEARCH = {"type": "web_search", "external_web_access": False}
ASK = 'Call weather with {"city": "Almaty"}'


def called(*calls, content=None, reason="tool_calls"):
    """A completion with these calls: pairs of name and arguments."""
    told = [
        {"id": f"call_{at}", "type": "function", "function": {"name": name, "arguments": said}} for at, (name, said) in enumerate(calls)
    ]
    message = {"role": "assistant", "content": content, "tool_calls": told}
    return {**REPLY, "choices": [{"index": 0, "message": message, "finish_reason": reason}]}


def chunk(*calls, text=None, reason=None):
    """An event with pieces of calls, each as a chunk has it."""
    delta = {**({"tool_calls": list(calls)} if calls else {}), **({"content": text} if text else {})}
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}).encode() + b"\n\n"


def piece(index=0, name=None, arguments=None, **more):
    function = {**({} if name is None else {"name": name}), **({} if arguments is None else {"arguments": arguments})}
    return {"index": index, "function": function, **more}


async def test_a_function_is_called_and_its_result_is_told_with_the_mock_cloud_and_the_official_client():
    async with gateway() as (http, _), client_of(http) as client:
        asked = [{"role": "user", "content": ASK}]
        raw = await client.responses.with_raw_response.create(model="foggate", input=asked, tools=[WEATHER], parallel_tool_calls=False)
        reply = raw.parse()
        (call,) = reply.output
        assert (call.type, call.name, json.loads(call.arguments), call.status) == (
            "function_call",
            "weather",
            {"city": "Almaty"},
            "completed",
        )
        assert (raw.headers["x-foggate-reason"], reply.status, reply.parallel_tool_calls) == ("passed_on", "completed", False)
        assert [tool.name for tool in reply.tools] == ["weather"]
        told = [*asked, call, {"type": "function_call_output", "call_id": call.call_id, "output": "Snow."}]
        last = await client.responses.create(model="foggate", input=told, tools=[WEATHER])
        assert last.output_text == "The function returned: Snow."
        async with client.responses.stream(model="foggate", input=asked, tools=[WEATHER]) as stream:
            events = [one async for one in stream]
            final = await stream.get_final_response()
        assert [one.type for one in events] == [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.completed",
        ]
        assert [one.sequence_number for one in events] == list(range(len(events)))
        assert final.output[0].parsed_arguments == {"city": "Almaty"}
        # The same function in chat completions, streamed as the mock cloud does.
        chunks = await client.chat.completions.create(
            model="foggate", messages=asked, stream=True, tools=[{"type": "function", "function": {"name": "weather"}}]
        )
        pieces = [one.choices[0].delta.tool_calls[0].function async for one in chunks if one.choices[0].delta.tool_calls]
        assert (pieces[0].name, "".join(one.arguments for one in pieces)) == ("weather", '{"city": "Almaty"}')


async def test_what_the_cloud_is_sent():
    picture = {"type": "input_image", "image_url": "data:,", "detail": "high"}
    asked = [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}], "status": "completed"},
        {"type": "function_call", "call_id": "1", "name": "weather", "arguments": "{}", "id": "fc_1", "status": "completed"},
        {"type": "function_call", "call_id": "2", "name": "clock", "namespace": "agents", "arguments": "{}"},
        {
            "type": "function_call_output",
            "call_id": "1",
            "output": [{"type": "input_text", "text": "Snow"}, {"type": "input_text", "text": "."}],
        },
        {"type": "function_call_output", "call_id": "2", "output": [picture]},
        {"type": "function_call", "call_id": "3", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "3", "output": ""},
    ]
    async with (
        answering(lambda _: called(("agents__clock", "{}"), ("weather", "{"), content="Well.")) as cloud,
        behind(cloud) as (http, _),
        client_of(http) as client,
    ):
        raw = await client.responses.with_raw_response.create(
            model="foggate",
            input=asked,
            tools=[WEATHER, AGENTS, SEARCH],
            tool_choice="auto",
            parallel_tool_calls=True,
            reasoning={"effort": "high"},
            text={"verbosity": "low"},
            store=False,
            include=["reasoning.encrypted_content"],
            prompt_cache_key="k",
            metadata={"a": "b"},
            truncation="auto",
            extra_body={"client_metadata": {"x": "y"}},
        )
    reply = raw.parse()
    sent = cloud.asked[0].body
    functions = [
        {"name": "weather", "description": WEATHER["description"], "parameters": WEATHER["parameters"], "strict": True},
        {"name": "agents__clock", "parameters": CLOCK["parameters"]},
    ]
    assert sent.pop("messages") == [
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "I look."}],
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
                {"id": "2", "type": "function", "function": {"name": "agents__clock", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": "Snow\n."},
        {"role": "tool", "tool_call_id": "2", "content": [{"type": "image_url", "image_url": {"url": "data:,", "detail": "high"}}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "3", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "3", "content": ""},
    ]
    assert sent == {
        "model": "large",
        "reasoning_effort": "high",
        "verbosity": "low",
        "tools": [{"type": "function", "function": function} for function in functions],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "stream": False,
    }
    assert raw.headers["x-foggate-ignored"] == "tools.web_search"
    assert [tool.type for tool in reply.tools] == ["function", "namespace"]
    text, clock, weather = reply.output
    assert (text.content[0].text, clock.name, clock.namespace, clock.call_id) == ("Well.", "clock", "agents", "call_0")
    assert (weather.name, weather.namespace, weather.arguments) == ("weather", None, "{")
    assert (reply.metadata, reply.reasoning.effort, len({one.id for one in reply.output})) == ({"a": "b"}, "high", 3)


STREAMS = {
    "pieces of two calls by turns": (
        chunk(piece(0, "weather", '{"ci', id="a", type="function")),
        chunk(piece(1, "clock", "", id="b")),
        chunk(piece(0, arguments='ty": "Almaty"}'), piece(1, arguments="{}")),
    ),
    "calls without an index": (
        chunk({"id": "a", "function": {"name": "weather", "arguments": '{"city": '}}),
        chunk({"function": {"arguments": '"Almaty"}'}}),
        chunk({"id": "b", "function": {"name": "clock", "arguments": "{}"}}),
    ),
    "the same index for each call": (
        chunk(piece(0, "weather", '{"city": "Almaty"}', id="a")),
        chunk(piece(0, "clock", "{}", id="b")),
    ),
    "the id and the name in each piece": (
        chunk(piece(0, "weather", '{"city": ', id="a")),
        chunk(piece(0, "weather", '"Almaty"}', id="a")),
        chunk(piece(1, "clock", "{}", id="b")),
    ),
    "a name behind the arguments": (
        chunk(piece(0, None, '{"city": ', id="a")),
        chunk(piece(0, "weather", '"Almaty"}')),
        chunk(piece(1, "clock", "{}", id="b")),
    ),
    "a call that is nothing at all": (
        chunk(piece(0, "weather", '{"city": "Almaty"}', id="a"), {}, {"function": None}),
        chunk(piece(7, "clock", "{}", id="b")),
    ),
}


@pytest.mark.parametrize("how", STREAMS)
async def test_calls_are_put_together_however_an_endpoint_streams_them(how):
    parts = (chunk(text="I "), chunk(text="look."), *STREAMS[how], chunk(reason="tool_calls"), DONE)
    async with (
        dripping(*parts) as cloud,
        behind(cloud) as (http, _),
        client_of(http) as client,
        client.responses.stream(model="foggate", input="x", tools=[WEATHER, CLOCK]) as stream,
    ):
        events = [one async for one in stream]
        final = await stream.get_final_response()
    message, *calls = final.output
    assert message.content[0].text == "I look."
    assert [(one.name, one.arguments, one.call_id) for one in calls] == [("weather", '{"city": "Almaty"}', "a"), ("clock", "{}", "b")]
    done = [one.item for one in events if one.type == "response.output_item.done"]
    assert [(one.type, one.status) for one in done] == [("message", "completed"), *[("function_call", "completed")] * 2]
    deltas = [one for one in events if one.type == "response.function_call_arguments.delta"]
    for at, call in enumerate(calls, 1):
        assert "".join(one.delta for one in deltas if one.output_index == at) == call.arguments
    order = [one.type for one in events]
    assert order.index("response.output_text.done") < order.index("response.function_call_arguments.delta")


async def test_a_call_that_is_cut_off_is_incomplete():
    parts = (
        chunk(piece(0, "weather", '{"ci', id="a")),
        chunk(reason="length"),
        b'data: {"choices": [], "usage": %b}\n\n' % json.dumps(USAGE).encode(),
        DONE,
    )
    async with dripping(*parts) as cloud, behind(cloud) as (http, _), client_of(http) as client:
        events = [one async for one in await client.responses.create(model="foggate", input="x", tools=[WEATHER], stream=True)]
    last = events[-1]
    assert (last.type, last.response.incomplete_details.reason, last.response.usage.total_tokens) == (
        "response.incomplete",
        "max_output_tokens",
        120,
    )
    assert [one.item.status for one in events if one.type == "response.output_item.done"] == ["incomplete"]


async def test_a_chat_may_have_many_values_however_few_questions_are_taken_at_once():
    steps = [{"role": "user", "content": [{"type": "input_text", "text": "x"}]}] * 1_000
    async with (
        answering(lambda _: REPLY) as cloud,
        gateway(cloud={"base_url": cloud.url + "/v1", "model": "large"}, limits={"max_questions": 1}) as (http, _),
    ):
        assert (await http.post("/v1/responses", json={"model": "foggate", "input": steps})).status_code == 200
        more = await http.post("/v1/responses", json={"model": "foggate", "input": steps * 10})
        assert (more.status_code, more.json()["error"]["message"]) == (400, "the body holds more than 20000 values")

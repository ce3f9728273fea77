"""`/v1/responses`: OpenAI's own client, whole and streamed, questions and other chats, and what is refused by name."""

import json
from typing import Literal

import openai
import pytest
from pydantic import BaseModel

from tests.integration.test_api import gateway
from tests.integration.test_openai_chat import SURE, WHO, client_of
from tests.integration.test_pass_through import JSON, REPLY, USAGE, behind, raw_cloud
from tests.support.clouds import CUT, DONE, answering, dripping, event

EVENTS = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


class Choice(BaseModel):
    answer: Literal["A", "B", "C"]


async def test_a_question_is_answered_whole_streamed_and_parsed():
    async with gateway() as (http, _), client_of(http) as client:
        raw = await client.responses.with_raw_response.create(model="foggate", input=SURE)
        reply = raw.parse()
        assert (reply.output_text, reply.status, reply.id[:5]) == ("Confidence: 1.0\nFinal answer: B", "completed", "resp_")
        assert (raw.headers["x-foggate-route"], reply.model_extra["foggate"]["answer"]) == ("edge", "B")
        cloud = await client.responses.create(
            model="foggate", input=[{"role": "user", "content": WHO}], instructions="Answer with the letter only."
        )
        assert cloud.usage.total_tokens == cloud.usage.input_tokens + cloud.usage.output_tokens > 0
        parts = [
            {"type": "message", "role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "input_text", "text": SURE}]},
        ]
        events = [one async for one in await client.responses.create(model="foggate", input=parts, stream=True)]
        assert list(dict.fromkeys(one.type for one in events)) == EVENTS
        assert [one.sequence_number for one in events] == list(range(len(events)))
        assert "".join(one.delta for one in events if one.type == "response.output_text.delta") == reply.output_text
        assert events[-1].response.output_text == reply.output_text
        parsed = await client.responses.parse(model="foggate", input=SURE, text_format=Choice)
        assert parsed.output_parsed == Choice(answer="B")
        assert (await client.responses.create(model="edge", input=SURE, max_output_tokens=5)).output_text == "B"


async def test_any_other_chat_is_the_clouds():
    async with (
        answering(lambda _: {**REPLY, "choices": [{**REPLY["choices"][0], "finish_reason": "length"}]}) as cloud,
        behind(cloud) as (http, _),
    ):
        async with client_of(http) as client:
            image = {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "auto"}
            content = [{"type": "input_text", "text": "What is this?"}, image]
            raw = await client.responses.with_raw_response.create(
                model="foggate",
                input=[{"role": "user", "content": content}],
                instructions="Be brief.",
                max_output_tokens=100,
                temperature=0,
                reasoning={"effort": "low", "summary": "auto"},
                text={"format": {"type": "json_object"}},
                include=["reasoning.encrypted_content"],
                store=False,
            )
        reply = raw.parse()
    assert (reply.output_text, reply.status, reply.incomplete_details.reason) == ("Roses.", "incomplete", "max_output_tokens")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (100, 20)
    assert raw.headers["x-foggate-reason"] == "passed_on"
    assert cloud.asked[0].body == {
        "model": "large",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
                ],
            },
        ],
        "max_completion_tokens": 100,
        "temperature": 0,
        "reasoning_effort": "low",
        "response_format": {"type": "json_object"},
        "stream": False,
    }


async def read_all(client, texts):
    async for one in await client.responses.create(model="foggate", input="Write a poem.", stream=True):
        texts.append(one.delta if one.type == "response.output_text.delta" else one.type)


async def test_a_streamed_chat_and_one_that_breaks_off():
    odd = b': ping\n\ndata: {"choices": []}\n\ndata: {"choices": [{}]}\n\ndata: 7\n\ndata:\n\n'
    parts = (event("Ro"), odd, event("ses."), event(None, usage=USAGE), DONE)
    async with dripping(*parts) as cloud, behind(cloud) as (http, _), client_of(http) as client:
        texts = []
        await read_all(client, texts)
    assert texts == [*EVENTS[:4], "Ro", "ses.", *EVENTS[5:]]


ENDS = {
    "the connection is cut": ((CUT,), "broke off"),
    "the connection is closed in order": ((), "broke off"),
    "an event is half there": ((event("ses.")[:30],), "broke off"),
    "an event is no JSON": ((b"data: {\n\n", DONE), "not JSON"),
    "an error comes in place of an event": ((b'data: {"error": {"message": "sk-secret"}}\n\n', DONE), "ended with an error"),
    "the reason is an error": ((b'data: {"choices": [{"delta": {}, "finish_reason": "error"}]}\n\n', DONE), "ended with an error"),
}


@pytest.mark.parametrize("how", ENDS)
async def test_a_reply_that_breaks_off_is_never_taken_for_a_whole_one(how):
    parts, said = ENDS[how]
    async with dripping(event("Ro"), *parts) as cloud, behind(cloud) as (http, _):
        asked = {"model": "foggate", "input": "Write a poem.", "stream": True}
        raw = (await http.post("/v1/responses", json=asked)).text
        async with client_of(http) as client:
            texts = []
            with pytest.raises(openai.APIError, match=said):
                await read_all(client, texts)
    assert texts[-1] == "Ro"
    events = [json.loads(part.partition("data: ")[2]) for part in raw.split("\n\n")[:-1]]
    assert [one["type"] for one in events[-2:]] == ["error", "response.failed"]
    body = events[-1]["response"]
    assert (body["status"], body["error"]["code"], body["output"][0]["content"][0]["text"]) == ("failed", "server_error", "Ro")
    assert "sk-secret" not in raw


async def test_half_a_character_at_the_end_of_a_chunk_comes_through():
    async with dripping(event("\ud83d"), event("\ude00"), DONE) as cloud, behind(cloud) as (http, _), client_of(http) as client:
        texts = []
        await read_all(client, texts)
    assert texts[4:6] == ["\ud83d", "\ude00"]


async def test_a_refusal_is_a_refusal_whole_and_streamed():
    refusing = {**REPLY, "choices": [{"message": {"role": "assistant", "content": None, "refusal": "No."}, "finish_reason": "stop"}]}
    async with answering(lambda _: refusing) as cloud, behind(cloud) as (http, _), client_of(http) as client:
        reply = await client.responses.parse(model="foggate", input="Write a poem.", text_format=Choice)
        assert (reply.output[0].content[0].refusal, reply.output_parsed) == ("No.", None)
    said = b'data: {"choices": [{"delta": {"refusal": "No."}}]}\n\n'
    async with (
        dripping(said, DONE) as cloud,
        behind(cloud) as (http, _),
        client_of(http) as client,
        client.responses.stream(model="foggate", input="Write a poem.") as stream,
    ):
        kinds = [one.type async for one in stream]
        final = await stream.get_final_response()
    assert "response.refusal.delta" in kinds
    assert "response.output_text.delta" not in kinds
    assert (final.output[0].content[0].type, final.output_text) == ("refusal", "")


REFUSED = [
    ({"previous_response_id": "resp_1"}, "previous_response_id"),
    ({"background": True}, "background"),
    ({"conversation": "c"}, "conversation"),
    ({"tools": [{"type": "web_search"}]}, "tools.0"),
    ({"text": "short"}, "text"),
    ({"reasoning": "low"}, "reasoning"),
    ({"metadata": {"a": "\ud800"}}, "metadata"),
    ({"include": ["file_search_call.results"]}, "include"),
    ({"prompt": {"id": "p"}}, "prompt"),
    ({"anything": 1}, "anything"),
    ({"input": []}, "input"),
    ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0.type"),
    ({"input": [{"type": "local_shell_call", "id": "1"}]}, "input.0.type"),
    ({"input": [{"type": "function_call_output", "call_id": "1"}]}, "input.0.output"),
    ({"input": [{"type": "function_call_output", "output": "x"}]}, "input.0.call_id"),
    ({"input": [{"type": "function_call", "call_id": "1", "name": "f", "arguments": {}}]}, "input.0.arguments"),
    ({"input": [{"role": "tool", "content": "x"}]}, "input.0.role"),
    ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}, "input.0.content.0.type"),
    ({"input": [{"role": "user"}]}, "input.0.content"),
    ({"instructions": "\ud800"}, "instructions"),
    ({"max_output_tokens": 0}, "max_output_tokens"),
    ({"text": {"format": {"type": "xml"}}}, "text"),
    ({"model": 1}, "model"),
]


async def test_what_is_not_supported_is_refused_by_name():
    async with raw_cloud(b"") as cloud, behind(cloud) as (http, _):
        for more, param in REFUSED:
            refused = await http.post("/v1/responses", content=json.dumps({"model": "foggate", "input": SURE, **more}), headers=JSON)
            assert (refused.status_code, refused.json()["error"]["param"]) == (400, param), (more, refused.text)
            assert "max_completion_tokens" not in refused.text
        assert cloud.bodies == []
    async with gateway(cloud=False) as (http, _):
        poem = await http.post("/v1/responses", json={"model": "foggate", "input": "Write a poem."})
        assert (poem.status_code, poem.json()["error"]["code"]) == (404, "not_passed_on")

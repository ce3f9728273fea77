"""What a request to the cloud is made of, whether a model thinks, and forms of answer that leave nothing but a letter to write."""

import pytest

from app.cloud.completion import fault_of
from app.cloud.formats import AnswerFormat, FormatChoice, format_fields
from app.cloud.reading import read_strictly
from app.cloud.reply import text_of
from app.cloud.request import PLAIN_TOKENS, THINKING_TOKENS, RequestSettings
from app.cloud.thinking import thinks
from app.core.errors import CloudUnparsable
from app.core.question import Question
from tests.support.clouds import completion

QUESTION = Question("q", ("x", "y", "z"))
TEXT, SCHEMA, CHOICE = AnswerFormat.TEXT, AnswerFormat.JSON_SCHEMA, AnswerFormat.CHOICE


def body(model="m", form=TEXT, **settings):
    return RequestSettings(**settings).question(QUESTION, model, form)


def test_a_plain_request():
    sent = body()
    assert {name: sent[name] for name in sent if name != "messages"} == {
        "model": "m",
        "temperature": 0,
        "max_tokens": PLAIN_TOKENS,
        "stream": False,
    }
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]


@pytest.mark.parametrize(
    ("extra", "gone", "held"),
    [
        ({"temperature": None}, {"temperature"}, {"max_tokens": PLAIN_TOKENS}),
        ({"max_tokens": None}, {"max_tokens"}, {"temperature": 0}),
        (
            {"max_tokens": None, "max_completion_tokens": 500, "temperature": None},
            {"max_tokens", "temperature"},
            {"max_completion_tokens": 500},
        ),
        ({"max_completion_tokens": 500}, {"max_tokens"}, {"max_completion_tokens": 500}),
        ({"max_completion_tokens": 500, "max_tokens": 7}, set(), {"max_completion_tokens": 500, "max_tokens": 7}),
        ({"max_completion_tokens": None}, {"max_completion_tokens"}, {"max_tokens": PLAIN_TOKENS}),
        ({"model": None}, {"model"}, {}),
        ({"unknown": None}, {"unknown"}, {}),
        ({"stream": None}, set(), {"stream": False}),
        ({"stream": False}, set(), {"stream": False}),
        ({"a": {"b": None}}, set(), {"a": {"b": None}}),
        ({"temperature": 0.7, "seed": 0, "top_p": False}, set(), {"temperature": 0.7, "seed": 0, "top_p": False}),
    ],
)
def test_a_null_takes_a_field_out_and_stream_is_always_false(extra, gone, held):
    sent = body(extra_body=extra)
    assert not gone & sent.keys()
    assert held.items() <= sent.items()
    assert sent["stream"] is False


def test_log_probabilities_are_asked_for_where_they_are_wanted():
    assert {"logprobs": True, "top_logprobs": 5}.items() <= body(top_logprobs=5).items()
    assert not {"logprobs", "top_logprobs"} & body().keys()
    assert "logprobs" not in body(top_logprobs=5, extra_body={"logprobs": None})


THINK = [
    "Qwen/Qwen3-30B-A3B",
    "qwen3:8b",
    "o1",
    "o3-mini",
    "openai/o4-mini",
    "gpt-5",
    "openai/gpt-5-mini",
    "gpt-oss-120b",
    "deepseek-ai/DeepSeek-R1",
    "deepseek-reasoner",
    "deepseek-r1:14b",
    "DeepSeek-R1-Distill-Llama-70B",
    "gemini-2.5-pro",
    "grok-4",
    "magistral-small",
    "Qwen3-4B-Thinking-2507",
    "QwQ-32B",
    "phi-4-reasoning",
    "kimi-k2-thinking",
    "glm-4.6",
    "SmolLM3-3B",
]
PLAIN = [
    "Qwen/Qwen3-30B-A3B-Instruct-2507",
    "Qwen3-Coder-30B-A3B-Instruct",
    "gpt-4o",
    "gpt-4.1-mini",
    "gpt-5-chat-latest",
    "deepseek-chat",
    "claude-sonnet-4-5",
    "gemini-2.0-flash",
    "gemini-2.5-flash-lite",
    "grok-4-fast-non-reasoning",
    "meta-llama/Llama-3.3-70B-Instruct",
    "mistral-large-latest",
    "kimi-k2",
    "gemma-3-27b-it",
    "qwen2.5-72b-instruct",
    "demo-cloud",
    "command-r1x",
    "solo1",
    "m",
]


@pytest.mark.parametrize("model", THINK)
def test_a_model_that_thinks_may_write_more(model):
    assert body(model)["max_tokens"] == THINKING_TOKENS
    assert body(model, max_tokens=9)["max_tokens"] == 9
    assert RequestSettings().keeps_text(model) == "thinks"


@pytest.mark.parametrize("model", PLAIN)
def test_a_model_that_does_not_think_writes_a_letter(model):
    assert body(model)["max_tokens"] == PLAIN_TOKENS
    assert RequestSettings().keeps_text(model) is None


@pytest.mark.parametrize(
    ("extra", "thinking"),
    [
        ({"reasoning_effort": "low"}, True),
        ({"reasoning_effort": "none"}, False),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, True),
        ({"thinking": {"type": "disabled"}}, False),
        ({"chat_template_kwargs": {"enable_thinking": True}}, True),
        ({"chat_template_kwargs": {"enable_thinking": False}}, False),
        ({"chat_template_kwargs": {"thinking": True}}, True),
        ({"enable_thinking": False}, False),
        ({"think": False}, False),
        ({"reasoning": {"effort": "high"}}, True),
        ({"reasoning": {"enabled": False}}, False),
        ({"chat_template_kwargs": "odd"}, None),
        ({"reasoning_effort": None}, None),
    ],
)
def test_what_the_request_says_of_thinking_decides(extra, thinking):
    for model in ("o3", "gpt-4o"):
        assert thinks(model, extra) is (thinking if thinking is not None else model == "o3")


def test_forms_offer_the_letters_of_the_question_and_nothing_else():
    assert body(form=CHOICE)["structured_outputs"] == {"choice": ["A", "B", "C"]}
    asked = body(form=SCHEMA)["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["strict"] is True
    schema = asked["json_schema"]["schema"]
    assert (schema["required"], schema["additionalProperties"], schema["properties"]["answer"]["enum"]) == (
        ["answer"],
        False,
        ["A", "B", "C"],
    )
    assert format_fields(TEXT, "AB") == {}
    assert "JSON" in body(form=SCHEMA)["messages"][0]["content"]
    assert "Final answer" not in body(form=CHOICE)["messages"][0]["content"]
    assert body(form=CHOICE)["messages"][1] == body()["messages"][1]


@pytest.mark.parametrize(("text", "letter"), [('{"answer": "B"}', "B"), ('{"answer":"C"}', "C"), (' {\n  "answer" : "A"\n}\n', "A")])
def test_a_json_answer_is_read(text, letter):
    assert read_strictly(completion(text), QUESTION, SCHEMA) == letter


@pytest.mark.parametrize(
    "text",
    [
        '{"answer": "D"}', '{"answer": "b"}', '{"answer": "B", "answer": "A"}', '{"answer": "B", "why": "x"}', '{"answer": "B"', '"B"', "B",
        "Final answer: B", '```json\n{"answer": "B"}\n```', '{"answer": ["B"]}', '{"answer": null}', '{"answer": "В"}', '{"Answer": "B"}',
        '{"answer": "B"} {"answer": "B"}', 'I think {"answer": "B"}', "", None, '{"answer": "B. y"}', '{"answer": "\\u0042"}',
    ],
)  # fmt: skip
def test_with_a_schema_nothing_else_is_an_answer(text):
    with pytest.raises(CloudUnparsable):
        read_strictly(completion(text), QUESTION, SCHEMA)


@pytest.mark.parametrize(("text", "letter"), [("B", "B"), (" C\n", "C"), ("D", None), ("b", None), ("B.", None), ("Final answer: B", None)])
def test_a_choice_is_a_letter_and_anything_else_is_text(text, letter):
    assert read_strictly(completion(text), QUESTION, CHOICE) == letter


def ended(text, finish, **message):
    return {"choices": [{"message": {"content": text, **message}, "finish_reason": finish}]}


def test_a_form_is_kept_behind_thoughts_and_not_by_what_was_cut_or_broken_off():
    assert read_strictly(completion('<think>A?</think>{"answer": "B"}'), QUESTION, SCHEMA) == "B"
    assert read_strictly(ended('{"answer": "B"}', "length"), QUESTION, SCHEMA) == "B", "it is whole"
    assert read_strictly(ended("A", "length"), QUESTION, CHOICE) is None, "of 'A lot of …', say"


@pytest.mark.parametrize(("form", "text"), [(CHOICE, "B"), (SCHEMA, '{"answer": "B"}')])
def test_a_constrained_reply_that_was_refused_or_broken_off_is_no_answer(form, text):
    assert read_strictly(ended(text, "stop"), QUESTION, form) == "B"
    call = [{"id": "1", "function": {"name": "f"}}]
    for payload in (
        ended(text, "content_filter"),
        ended(text, "error"),
        ended(text, "tool_calls"),
        ended(text, "stop", refusal="I cannot"),
        ended(text, "stop", tool_calls=call),
        ended("<think>" + text, "stop"),
    ):
        with pytest.raises(CloudUnparsable):
            read_strictly(payload, QUESTION, form)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("B", "B"),
        ([{"type": "text", "text": "Final "}, {"type": "text", "text": "answer: B"}], "Final answer: B"),
        ([{"type": "thinking", "text": "A"}, {"type": "text", "text": "B"}], "B"),
        ([{"type": "text", "text": 7}], ""),
        ([], ""),
        (["A"], "A"),
        ([{"type": "image"}], ""),
        ({"text": "A"}, ""),
        (7, ""),
        (None, ""),
    ],
)
def test_the_text_of_a_completion(content, text):
    assert text_of(completion(content)) == text


def test_a_refused_form_is_kept_until_text_is_taken():
    choice = FormatChoice(CHOICE, name="e")
    assert choice.refused(CHOICE, 400)
    assert choice.in_use is TEXT
    assert not choice.refused(TEXT, 422), "so the question was to blame"
    assert choice.in_use is CHOICE
    assert choice.refused(CHOICE, 400)
    choice.taken(TEXT)
    assert (choice.in_use, choice.how) == (TEXT, "refused")
    assert not choice.refused(TEXT, 422)


@pytest.mark.parametrize("status", [404, 500, 501])
def test_a_status_that_may_mean_anything_makes_text_the_format_when_text_was_answered_after_it_twice(status):
    choice = FormatChoice(CHOICE, name="e")
    for _ in range(2):
        assert choice.refused(CHOICE, status)
        assert not choice.refused(TEXT, status), "so the format was not the reason"
        assert choice.in_use is CHOICE
    for expected in (CHOICE, TEXT):
        assert choice.refused(CHOICE, status)
        assert choice.in_use is TEXT
        choice.taken(TEXT)
        assert choice.in_use is expected
    assert choice.how == "refused"


@pytest.mark.parametrize("status", [404, 500, 501])
def test_where_the_format_was_answered_once_such_a_status_says_nothing_about_it(status):
    choice = FormatChoice(CHOICE, name="e")
    choice.taken(CHOICE)
    assert not choice.refused(CHOICE, status)
    assert choice.in_use is CHOICE
    assert choice.refused(CHOICE, 400), "the endpoint may have changed"
    found = FormatChoice(TEXT, name="e")
    found.found(SCHEMA)
    assert not found.refused(SCHEMA, status)


@pytest.mark.parametrize("status", [401, 403, 429, 502, 503, 504])
def test_other_statuses_say_nothing_about_the_format(status):
    choice = FormatChoice(CHOICE, name="e")
    assert not choice.refused(CHOICE, status)
    assert choice.in_use is CHOICE


def test_a_probe_that_is_refused_changes_nothing():
    choice = FormatChoice(TEXT, name="e", how="not_probed")
    assert not choice.refused(CHOICE, 400)
    choice.taken(TEXT)
    assert (choice.in_use, choice.how) == (TEXT, "not_probed")
    choice.found(SCHEMA)
    assert (choice.in_use, choice.how) == (SCHEMA, "probe")


def empty(finish="stop", **message):
    return {"choices": [{"message": {"role": "assistant", **message}, "finish_reason": finish}]}


UNUSABLE = [
    None, [], "x", 7, {}, [1], {"choices": []}, {"choices": None}, {"choices": {}}, {"choices": ["A"]}, {"choices": [{}]}, {"choices": [{"message": "A"}]},
    {"error": {"message": "overloaded"}}, {"error": "overloaded"}, {"error": {"code": 429}, "choices": []}, {"choices": [{"text": "A"}]},
    {"choices": [{"message": {"content": "A"}, "error": {"code": 502}}]}, {"choices": [{"message": {"content": ""}, "finish_reason": "error"}]},
    {"object": "list", "data": []}, {"status": "ok"}, empty(), empty(content=None), empty(content=""), empty(content=" \n"), empty(content=[]),
    empty(content=None, reasoning_content="The answer is A"),
]  # fmt: skip


@pytest.mark.parametrize("payload", UNUSABLE, ids=range(len(UNUSABLE)))
def test_what_holds_no_completion(payload):
    assert fault_of(payload)


@pytest.mark.parametrize(
    "payload",
    [
        completion(), completion("prose"), completion([{"type": "text", "text": "A"}]), {**completion(), "error": None}, {**completion(), "error": {}},
        empty("length", content=None), empty("content_filter", content=""), empty("SAFETY", content=None), empty("max_tokens", content=""),
        empty(content=None, tool_calls=[{"id": "1"}]), empty("tool_calls", content=None), empty(content=None, refusal="I cannot"),
    ],
)  # fmt: skip
def test_what_a_question_may_be_to_blame_for_is_a_completion(payload):
    assert fault_of(payload) is None

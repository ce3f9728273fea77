"""Which part of a chat completion is the answer: whatever the payload is, a letter or `CloudUnparsable`."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cloud.reply import read_letter, text_chars
from app.cloud.thoughts import without_thoughts
from app.core.errors import CloudUnparsable
from app.core.question import Question

CITIES = Question("Capital of France?", ("Berlin", "Paris", "Rome", "Oslo"))
GOOD = {"role": "assistant", "content": "Final answer: B"}


def completion(message, **choice):
    return {"choices": [{"index": 0, "message": message, **choice}]}


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (None, "not a chat completion"),
        ([], "not a chat completion"),
        ("B", "not a chat completion"),
        ({}, "not a chat completion"),
        ({"choices": []}, "not a chat completion"),
        ({"choices": {"0": {"message": GOOD}}}, "not a chat completion"),
        ({"choices": [None]}, "not a chat completion"),
        ({"choices": [{"text": "B"}]}, "not a chat completion"),
        ({"choices": [{"delta": GOOD}]}, "not a chat completion"),
        ({"choices": [{"message": "B"}]}, "not a chat completion"),
        ({"error": {"message": "B"}}, "not a chat completion"),
        (completion({"content": None}), "no text"),
        (completion({"content": "  \n"}), "no text"),
        (completion({"content": []}), "no text"),
        (completion({"content": 7}), "no text"),
        (completion({"content": {"text": "B"}}), "no text"),
        (completion({"content": [{"type": "image_url"}]}), "a part that is no text"),
        (completion({"content": [{"type": ["text"], "text": "B"}]}), "a part that is no text"),
        (completion({"content": [{"type": "text", "text": 7}]}), "a part that is no text"),
        (completion({"content": None, "reasoning_content": "Final answer: B"}), "no text"),
        (completion({"content": "The answer is B", "reasoning": "The answer is B\n"}), "repeats the model's reasoning"),
        (completion({**GOOD, "refusal": "No."}), "refused"),
        (completion({**GOOD, "tool_calls": [{"id": "1"}]}), "called a tool"),
        (completion({**GOOD, "function_call": {"name": "f"}}), "called a tool"),
        (completion(GOOD, finish_reason="content_filter"), "broken off"),
        (completion(GOOD, finish_reason="SAFETY"), "broken off"),
        (completion(GOOD, finish_reason="stop", native_finish_reason="RECITATION"), "broken off"),
        (completion(GOOD, error={"code": 502}), "broken off"),
        (completion({"content": "B"}, finish_reason="length"), "before it was cut"),
        (completion({"content": "B"}, finish_reason="stop", native_finish_reason="MAX_TOKENS"), "before it was cut"),
        (completion({"content": "B"}, finish_reason="some new reason"), "before it was cut"),
        (completion({"content": "B"}, finish_reason=["stop"]), "before it was cut"),
        (completion({"content": "<think>B"}), "the end of its thoughts"),
        (completion({"content": "<think>B</think>"}), "no answer behind its thoughts"),
        (completion({"content": "A or B"}), "no single offered option"),
    ],
)
def test_the_reason_says_what_is_wrong_with_a_reply_that_is_not_read(payload, why):
    with pytest.raises(CloudUnparsable, match=why):
        read_letter(payload, CITIES)


@pytest.mark.parametrize("reason", ["stop", "STOP", "end_turn", "eos", "stop_sequence", "", None])
def test_a_reply_that_came_to_its_end_is_read(reason):
    assert read_letter(completion({"content": "B"}, finish_reason=reason), CITIES) == "B"


def test_only_the_first_choice_counts():
    assert read_letter({"choices": [{"message": GOOD}, {"message": {"content": "A"}}]}, CITIES) == "B"


@pytest.mark.parametrize(
    ("parts", "letter"),
    [
        (["Final answer: B"], "B"),
        ([{"type": "text", "text": "Final answer: B"}], "B"),
        ([{"type": "output_text", "text": "Final "}, {"type": "output_text", "text": "answer: B"}], "B"),
        ([{"type": "text", "text": "Final answer: B"}, {"type": "text", "text": "Paris is the capital."}], "B"),
        ([{"type": "thinking", "thinking": "Final answer: A"}, {"type": "text", "text": "B"}], "B"),
        ([{"type": "text", "text": "<think>A"}, {"type": "text", "text": "</think>B"}], "B"),
        ([{"type": "text", "text": "Final answer: B"}, {"type": "text", "text": "erlin"}], "A"),
    ],
)
def test_a_list_of_parts_is_one_text(parts, letter):
    assert read_letter(completion({"content": parts}), CITIES) == letter


TAGS = [
    ("<think>", "</think>"), ("<THINK>", "</THINK>"), ("<thinking>", "</thinking>"), ("< think >", "</ think >"), ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"), ("<reflection>", "</reflection>"), ("<analysis>", "</analysis>"), ("<scratchpad>", "</scratchpad>"),
    ('<think type="deep">', "</think>"), ("<seed:think>", "</seed:think>"), ("<antThinking>", "</antThinking>"), ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"), ("<|begin_of_thought|>", "<|end_of_thought|>"), ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<unused94>thought\n", "<unused95>"), ("```thinking\n", "\n```"), ("``` reasoning\n", "\n```"), ("<|channel>thought\n", "<channel|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"), ("analysisHm. ", "assistantfinal"),
    ("Thinking...\n", "\n...done thinking.\n"), ("<some_tag_of_tomorrow>", "</some_tag_of_tomorrow>"), ("[MUSING]", "[/MUSING]"), ("<思考>", "</思考>"),
]  # fmt: skip


@pytest.mark.parametrize(("opens", "closes"), TAGS)
@pytest.mark.parametrize("thought", ["The answer is A.", "Final answer: A", "\\boxed{A}", '{"answer": "A"}', "<answer>A</answer>", "A"])
def test_a_thought_is_never_the_answer(opens, closes, thought):
    assert read_letter(completion({"content": f"{opens}{thought}{closes}\n\nFinal answer: B"}), CITIES) == "B"
    for unfinished in (f"{opens}{thought}", f"{opens}{thought}{closes}"):
        for reason in ("stop", "length"):
            with pytest.raises(CloudUnparsable):
                read_letter(completion({"content": unfinished}, finish_reason=reason), CITIES)


@pytest.mark.parametrize(
    ("opens", "closes"), [tag for tag in TAGS if not tag[0].endswith(("\n", "Hm. ", "<|message|>", "tomorrow>", "[MUSING]"))]
)
def test_an_opening_tag_may_have_stood_in_the_prompt(opens, closes):
    assert opens
    assert read_letter(completion({"content": f"The answer is A.{closes}B"}), CITIES) == "B"


def test_thoughts_inside_thoughts():
    assert without_thoughts("<think>a<think>b</think>c</think>d") == "d"
    assert without_thoughts("<think>a</think>b<think>c</think>d") == "d"
    assert without_thoughts("<think>a<think>b</think>c") is None
    assert without_thoughts("a</think>b</think>c") == "c"


@pytest.mark.parametrize("end", ["<|im_end|>", "</s>", "<|eot_id|>", "<end_of_turn>", "<EOS_TOKEN>", "<|return|>"])
def test_what_stands_behind_the_end_of_the_turn_is_nobodys(end):
    assert without_thoughts(f"B{end}\nuser\nFinal answer: C") == "B"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["B", "Final answer: B", "text", "stop", "<think>"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "type", "text", "finish_reason", "refusal", "tool_calls"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, JSON, JSON)
def test_any_json_is_a_letter_or_an_error(payload, content, reason):
    for value in (
        payload,
        {"choices": payload},
        {"choices": [payload]},
        completion(payload),
        completion({"content": content}, finish_reason=reason),
    ):
        assert text_chars(value, CITIES) >= 0
        with contextlib.suppress(CloudUnparsable):
            assert read_letter(value, CITIES) in CITIES.letters


@pytest.mark.parametrize(
    "text", ["I (the model) cannot say", "I - as a model - cannot say", "Z (Paris)", "Z - Paris is it", "Z. Paris B. Rome"]
)
def test_a_letter_that_was_not_offered_is_none_in_every_place(text):
    with pytest.raises(CloudUnparsable, match="no single offered option"):
        read_letter(completion({"content": text}), CITIES)


WORDS = ["A", "B", "Z", "Paris", "Rome", "answer", "is", "not", "or", "final", ":", ".", "?", ",", "(", ")", "*", "**", "\n", " ", "{", "}", '"', "\\boxed{", "<answer>",
         "</answer>", "wait", "В", "答案", "Ответ", "```", "$", "'", "I", "1", "- ", "the", "because", '{"answer": ', "[", "]"]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=14), st.sampled_from(["", " "]), st.sampled_from(["stop", "length"]))
def test_no_mixture_of_words_breaks_the_reading(words, glue, reason):
    with contextlib.suppress(CloudUnparsable):
        assert read_letter(completion({"content": glue.join(words)}, finish_reason=reason), CITIES) in CITIES.letters


@pytest.mark.parametrize("reply", ["Z - London is it", "Z – London is the answer.\nFinal answer: Z", "Q — Paris is right"])
def test_a_letter_that_is_not_offered_is_no_answer_before_a_dash_either(reply):
    with pytest.raises(CloudUnparsable):
        read_letter({"choices": [{"message": {"content": reply}, "finish_reason": "stop"}]}, Question("q", ("London", "Paris", "Rome")))

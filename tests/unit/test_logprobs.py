"""The cloud's distribution is read at the token that holds the letter, or there is none."""

import math

import pytest

from app.cloud.logprobs import answer_probabilities
from app.core.question import Question

QUESTION = Question("q", ("w", "x", "y", "z"))


def token(text, alternatives=None, logprob=-0.1):
    """One token; `alternatives` are probabilities by text."""
    listed = [] if alternatives is None else [{"token": name, "logprob": math.log(p), "bytes": None} for name, p in alternatives.items()]
    return {"token": text, "logprob": logprob, "bytes": list(text.encode()), "top_logprobs": listed}


def reply(content, *tokens):
    return {"choices": [{"message": {"content": content}, "logprobs": {"content": list(tokens)}, "finish_reason": "stop"}]}


SAID = {"B": 0.6, "A": 0.2, "C": 0.1, "Final": 0.05}
SHOWN = {"A": 2 / 9, "B": 6 / 9, "C": 1 / 9}


def said(text, **more):
    return token(text, SAID, math.log(0.6), **more)


@pytest.mark.parametrize(
    "payload",
    [
        reply("B", said("B")),
        reply("B", said("B"), token("<|im_end|>")),
        reply(" B\n", token(" "), said("B"), token("\n")),
        reply("Final answer: B", token("Final"), token(" answer"), token(":"), said(" B")),
        reply("Final answer: B", token("Final answer"), token(": "), said("B")),
        reply("**Final answer: B**", token("**"), token("Final"), token(" answer"), token(": "), said("B"), token("**")),
        reply('{"answer": "B"}', token('{"answer'), token('": "'), said("B"), token('"}')),
        reply('{"answer":"B"}', token('{"answer":'), said('"B'), token('"}')),
        reply(
            "Option A is wrong. The answer is B.", token("Option"), token(" A"), token(" is wrong. The answer is"), said(" B"), token(".")
        ),
        reply("A? No.\nFinal answer: B", token("A"), token("? No.\nFinal"), token(" answer:"), said(" B")),
        reply("B", token("<think>A or B"), token(" B"), token("</think>"), said("B")),
    ],
)
def test_the_distribution_of_the_answers_token(payload):
    found = answer_probabilities(payload, QUESTION, "B")
    assert found == pytest.approx(SHOWN)
    assert list(found) == sorted(found)
    assert math.isclose(sum(found.values()), 1)


def test_tokens_of_one_letter_are_added_and_letters_that_are_not_offered_are_left_out():
    listed = {" B": 0.4, "B": 0.2, "A": 0.2, "E": 0.1, "b": 0.05, "Bee": 0.01}
    assert answer_probabilities(reply("B", token(" B", listed)), QUESTION, "B") is None, "the tokens are not those of the text"
    payload = reply(" B", token(" B", listed, math.log(0.4)))
    assert answer_probabilities(payload, QUESTION, "B") == pytest.approx({"A": 0.25, "B": 0.75})


def alternative(**changes):
    base = said("B")
    return {**base, "top_logprobs": [{**base["top_logprobs"][0], **changes}, *base["top_logprobs"][1:]]}


NOTHING = [
    {},
    None,
    reply("B"),
    {"choices": [{"message": {"content": "B"}, "logprobs": None}]},
    {"choices": [{"message": {"content": "B"}, "logprobs": {"tokens": ["B"], "token_logprobs": [-0.1]}}]},
    {"choices": [{"message": {"content": "B"}, "logprobs": {"content": "B"}}]},
    reply("B", token("B")),
    reply("B", token("B", {"B": 0.9})),
    reply("B", {"token": "B"}),
    reply("B", {"token": 7, "logprob": -1, "top_logprobs": []}),
    reply("B", {**said("B"), "top_logprobs": None}),
    reply("B", {**said("B"), "top_logprobs": [1, 2]}),
    reply("B", alternative(logprob=math.nan)),
    reply("B", alternative(logprob=0.7)),
    reply("B", alternative(logprob="-0.1")),
    reply("B", alternative(logprob=None)),
    reply("B", alternative(logprob=True)),
    reply("B", alternative(token=None)),
    reply("C", said("B")),
    reply("Vitamin B", token("Vitamin"), said(" B")),
    reply("answer is B or answer is B", token("answer is"), said(" B"), token(" or answer is"), said(" B")),
    reply("B", *[token("x")] * 20_001, said("B")),
]


@pytest.mark.parametrize("payload", NOTHING, ids=range(len(NOTHING)))
def test_nothing_is_invented(payload):
    assert answer_probabilities(payload, QUESTION, "B") is None


@pytest.mark.parametrize("value", [-9999.0, -math.inf, -1e308, -(10**30)])
def test_an_impossible_alternative_has_no_mass(value):
    payload = reply("B", alternative(token="A", logprob=value))
    assert answer_probabilities(payload, QUESTION, "B")["A"] <= 0.25

"""What a reply says of its cost, whatever else it is."""

import json

import pytest

from app.cloud.usage import model_of, usage_of


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}, (100, 20)),
        ({"prompt_tokens": 100}, (100, 0)),
        ({"completion_tokens": 7}, (0, 7)),
        ({"total_tokens": 120}, (0, 120)),
        ({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 500}, (100, 400)),
        ({"prompt_tokens": 12.0, "completion_tokens": 0.5}, (12, 1)),
        ({"prompt_tokens": -5, "completion_tokens": -1.5, "total_tokens": -3}, (0, 0)),
        ({"prompt_tokens": True, "completion_tokens": "20", "total_tokens": None}, (0, 0)),
        ({"prompt_tokens": [100], "completion_tokens": {"a": 1}}, (0, 0)),
        ({"prompt_tokens": 10**400, "completion_tokens": float("inf")}, (10_000_000, 10_000_000)),
        ({"prompt_tokens": float("nan"), "completion_tokens": 3}, (0, 3)),
    ],
)
def test_tokens_are_counted_from_nothing_to_a_bound(usage, counted):
    found = usage_of({"usage": usage})
    assert (found["prompt_tokens"], found["completion_tokens"]) == counted
    assert {type(value) for value in found.values()} == {int}


@pytest.mark.parametrize("payload", ["null", "[]", "7", '"x"', "{}", '{"usage": null}', '{"usage": [1]}', '{"usage": "many"}'])
def test_a_reply_without_usage_reports_none(payload):
    assert usage_of(json.loads(payload)) == {"prompt_tokens": 0, "completion_tokens": 0}


def test_the_model_is_the_one_that_answers_else_the_one_that_was_asked():
    assert model_of({"model": "large"}, "asked") == "large"
    for payload in ({}, {"model": ""}, {"model": None}, {"model": ["large"]}, [], None):
        assert model_of(payload, "asked") == "asked"

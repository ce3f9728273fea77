"""What a reply says of its cost, whatever else it is."""

import json

import pytest

from app.cloud.usage import MAX_TOKENS, charged_usage, read_model, shown_usage


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
    found = charged_usage({"usage": usage})
    assert (found["prompt_tokens"], found["completion_tokens"]) == counted
    assert {type(value) for value in found.values()} == {int}


@pytest.mark.parametrize("payload", ["null", "[]", "7", '"x"', "{}", '{"usage": null}', '{"usage": [1]}', '{"usage": "many"}'])
def test_a_reply_without_usage_reports_none(payload):
    assert charged_usage(json.loads(payload)) == {"prompt_tokens": 0, "completion_tokens": 0}


def test_the_model_is_the_one_that_answers_else_the_one_that_was_asked():
    assert read_model({"model": "large"}, "asked") == "large"
    for payload in ({}, {"model": ""}, {"model": None}, {"model": ["large"]}, [], None):
        assert read_model(payload, "asked") == "asked"


@pytest.mark.parametrize(
    ("usage", "shown"),
    [
        (
            {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
            {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        ),
        ({"prompt_tokens": 10**400, "completion_tokens": 2}, {"completion_tokens": 2}),
        ({"prompt_tokens": MAX_TOKENS, "completion_tokens": MAX_TOKENS + 1}, {"prompt_tokens": MAX_TOKENS}),
        ({"prompt_tokens": -1, "completion_tokens": True, "a": 1.5, "b": None, "c": {"d": 1}, "e": float("inf")}, {}),
        ({"\ud800": 1, "x" * 201: 2, "": 3, "a b": 4, "é": 5, "total_tokens": 7}, {"total_tokens": 7}),
        ({f"n{n}": n for n in range(99)}, {f"n{n}": n for n in range(16)}),
        (5, {}),
        ([1], {}),
        (None, {}),
    ],
)
def test_what_is_shown_of_the_usage_is_bounded(usage, shown):
    assert shown_usage({"usage": usage}) == shown


@pytest.mark.parametrize("name", ["\ud800", "m" * 201, 7, ["m"], "", None])
def test_a_name_that_cannot_be_shown_is_not_charged_either(name):
    assert read_model({"model": name}, "asked") == "asked"

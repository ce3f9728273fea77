"""A piece of an endpoint's error for the log: without keys, without words of the question, bounded."""

import json
import time

import pytest

from app.cloud.excerpt import excerpt_of

KEY = "canary-sk-0123456789"
TEXTS = (
    "Which gas do green plants take in for photosynthesis?",
    "Oxygen",
    "Carbon dioxide",
    "Жауабы қандай",
    "Café",
    "法国的首都是哪里",
    "12",
)


def piece(message, **more):
    body = message if isinstance(message, bytes) else json.dumps({"error": {"message": message, **more}}).encode()
    return excerpt_of(body, secrets=(KEY, "fog"), texts=TEXTS)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (
            {"error": {"message": "The model `foo-7b` does not exist", "type": "invalid_request_error"}},
            "invalid_request_error: The model `foo-7b` does not exist",
        ),
        ({"error": {"message": "Rate limit reached", "code": 429}}, "429: Rate limit reached"),
        ({"error": "no such model"}, "no such model"),
        (
            {"object": "error", "message": "Maximum context length is 2048 tokens", "type": "BadRequestError"},
            "BadRequestError: Maximum context length is 2048 tokens",
        ),
        ({"detail": "Not Found"}, "Not Found"),
        ({"detail": [{"loc": ["body"], "msg": "Field required", "type": "missing", "input": KEY}]}, "missing: Field required"),
        ([{"error": {"code": 400, "message": "API key not valid", "status": "INVALID_ARGUMENT"}}], "400: API key not valid"),
        ({"message": "Forbidden"}, "Forbidden"),
        ({"error": {"message": {"nested": KEY}}}, ""),
        ([], ""),
        (None, ""),
        (7, ""),
    ],
)
def test_type_and_message_are_found_where_they_usually_stand(body, shown):
    assert excerpt_of(json.dumps(body).encode(), secrets=(KEY,), texts=TEXTS) == shown


@pytest.mark.parametrize(
    "body",
    [b"<html><head><title>503</title></head><body><h1>We are back soon</h1></body></html>", b"We are back soon", b"\xff We are back soon"],
)
def test_html_and_plain_text_are_shown_without_tags(body):
    assert "We are back soon" in piece(body)
    assert "<" not in piece(body)


@pytest.mark.parametrize(
    "echo",
    [
        "Which gas do green plants take in for photosynthesis?",
        "which GAS do GREEN plants",
        "Invalid prompt: ...plants take in for photosynthesis?\nA. Oxygen\nB. Carbon dioxide",
        "input='Which gas do green plants take in for photosynthesis?\\nA. Oxygen\\nB. Carbon dioxide'",
        "Which%20gas%20do%20green%20plants",
        "Which&#32;gas &#111;xygen",
        "said gas%20green here",
        "of &quot;plants&quot; and x%0Aoxygen",
        r"of \noxygen and \tcarbon",
        "\\u0416\\u0430\\u0443\\u0430\\u0431\\u044b",
        "Жауабы қандай",
        "Cafe\u0301 / cafe / CAFÉ",
        "bad text: 法国的首",
        "otosynthe",
        "do green plants take in for",
    ],
)
def test_no_word_of_the_question_is_shown(echo):
    for body in (echo, echo.encode(), f"error in {echo}"):
        shown = piece(body).casefold()
        for word in (
            "gas",
            "green",
            "plants",
            "photosynth",
            "otosynthe",
            "oxygen",
            "carbon",
            "dioxide",
            "жауаб",
            "\\u04",
            "caf",
            "法国",
            "%20",
        ):
            assert word not in shown, (body, shown)


def test_a_question_made_of_the_words_of_errors_is_not_shown_in_a_row():
    texts = ("What is the maximum length of a request", "x", "y")
    assert excerpt_of(b"What is the maximum length of a request", secrets=(), texts=texts).strip("… ") == ""


@pytest.mark.parametrize(
    "echo",
    [
        f"Incorrect API key provided: {KEY}.",
        f"key={KEY}&x=1",
        f"Bearer {KEY}",
        f"'{KEY[:12]}' is no key",
        f"...{KEY[-8:]}",
        f"{KEY[:4]}*****{KEY[-4:]}",
        "sk-proj-abcdefghijkl",
        "token eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9abcdef",
        "team fog",
        "team=fog",
    ],
)
def test_no_part_of_a_key_is_shown(echo):
    shown = piece(echo, type=echo)
    for part in (KEY[:6], KEY[-6:], KEY[-4:] + ".", "proj", "eyJ", "fog", "****"):
        assert part not in shown, shown


@pytest.mark.parametrize(
    "message", ["x" * 10_000, "word " * 5_000, "\x1b[31m red \r\n line", "…" * 500, "\u202e turned", "\0" * 1000, "<" * 5000]
)
def test_it_is_bounded_and_on_one_line(message):
    shown = piece(message, type="t" * 500)
    assert len(shown) <= 270
    assert shown.isprintable()


def test_it_is_fast_on_long_texts():
    texts = ("word " * 4_000, "a\u0301\u0316" * 6_000)
    started = time.process_time()
    excerpt_of(json.dumps({"error": {"message": "w%20" * 100_000}}).encode(), secrets=("k" * 500,), texts=texts)
    assert time.process_time() - started < 0.5

"""Every function on a stranger's text takes time that grows with the text's length and no faster.

Each size is one for which a quadratic way needs several seconds; the bound is a hundred times what the linear way needs. It is on the
computing time of this process, so what else the machine does at the same time does not count.
"""

import contextlib
import time

import pytest
from pydantic import ValidationError

from app.api.schemas import AnswerRequest
from app.cloud.parse import MAX_ANSWER_CHARS, parse_letter
from app.cloud.post import retry_after
from app.cloud.reply import read_letter
from app.cloud.text import normal
from app.cloud.thoughts import without_thoughts
from app.core.errors import CloudUnparsable
from app.core.offload import SMALL
from app.core.prompt import neutralise
from app.core.question import Question, one_line
from app.core.strict_json import loads
from app.demo.bank import AskedQuestion, read_prompt
from tests.support.hostile import BODIES, BODY, REPLIES, TEXTS

BOUND_S = 1.0
OPTIONS = Question("q", tuple(f"option {n}" for n in range(26)))


@contextlib.contextmanager
def bounded():
    started = time.process_time()
    yield
    assert time.process_time() - started < BOUND_S


RUNS = {
    "blanks": "a" + " " * 60_000 + "b",
    "breaks": "a" + "\n" * 60_000 + "b",
    "both": "a" + " \n" * 30_000 + "b",
    "separators": "a" + "\u2028 " * 30_000 + "b",
}


@pytest.mark.parametrize("text", RUNS.values(), ids=RUNS)
def test_lines_are_folded_in_linear_time(text):
    with bounded():
        assert one_line(text) in {text, "a b"}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_a_reply_is_read_in_linear_time(reply):
    with bounded(), contextlib.suppress(CloudUnparsable):
        read_letter({"choices": [{"message": {"content": reply}}]}, OPTIONS)


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_a_short_reply_costs_the_event_loop_little(reply):
    short = (reply * (SMALL // len(reply) + 1))[:SMALL]
    costs = []
    for _ in range(3):
        started = time.process_time()
        with contextlib.suppress(CloudUnparsable):
            parse_letter(short, OPTIONS)
        costs.append(time.process_time() - started)
    assert min(costs) < 0.1


LONG_OPTIONS = Question("q", tuple("word " * 398 + f"{n}" for n in range(26)))
WITH_LONG_OPTIONS = ("prose", "claims", "keys", "answer tags", "list of letters")


@pytest.mark.parametrize(
    ("reply", "options"),
    [*((reply, OPTIONS) for reply in REPLIES.values()), *((REPLIES[name], LONG_OPTIONS) for name in WITH_LONG_OPTIONS)],
    ids=[*REPLIES, *(f"{name}, long options" for name in WITH_LONG_OPTIONS)],
)
def test_the_longest_answer_is_read_in_linear_time(reply, options):
    longest = (reply[0] + reply[1:-1] * (MAX_ANSWER_CHARS // len(reply) + 1) + reply[-1])[:MAX_ANSWER_CHARS]
    with bounded(), contextlib.suppress(CloudUnparsable):
        parse_letter(longest, options)


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_thoughts_of_a_megabyte_are_found_in_linear_time(reply):
    megabyte = (reply * (1_000_000 // len(reply) + 1))[:1_000_000]
    with bounded():
        without_thoughts(megabyte)


@pytest.mark.parametrize("text", [*REPLIES.values(), *TEXTS.values()], ids=[*REPLIES, *TEXTS])
def test_a_normal_form_is_made_in_linear_time(text):
    long = (text * (100_000 // len(text) + 1))[:100_000]
    with bounded():
        normal(long)


def test_control_tokens_are_broken_in_linear_time():
    tokens = ("<|im_start|>", "<|im_end|>", "<think>", "aXa", "<<", "<<<<")
    for text in ("<|im_" * 100_000 + "start|>" * 100_000, "aX" * 200_000 + "a", "<" * 200_000):
        with bounded():
            assert not any(token in neutralise(text, tokens) for token in tokens)


@pytest.mark.parametrize("text", ["A. " + " " * 60_000, "A. x" + " " * 60_000 + "\0", "A. x\n" * 20_000, (" " * 200 + "\n") * 500])
def test_a_prompt_is_read_back_in_linear_time(text):
    with bounded():
        read_prompt("q\n\n" + text + "\nB. y")


@pytest.mark.parametrize("text", ["a" + "\u0301\u0316" * 30_000, "\ufdfa" * 60_000, "a" + "\u0301" * 30_000 + "\u0316" * 30_000])
def test_a_question_is_looked_up_in_linear_time(text):
    with bounded():
        assert AskedQuestion(text, ("x", text)).key


@pytest.mark.parametrize("value", ["9" * 200_000, "Mon, " * 40_000, "(" * 200_000, "," * 200_000])
def test_a_long_retry_after_is_none(value):
    with bounded():
        assert retry_after(value) is None


@pytest.mark.parametrize(("path", "body"), BODIES.values(), ids=BODIES)
def test_a_body_is_decoded_or_refused_in_linear_time(path, body):
    assert len(body) <= BODY
    with bounded(), contextlib.suppress(ValueError):
        loads(body, max_values=10_280)


@pytest.mark.parametrize(
    "raw",
    [
        {"question": "q", "options": [1] * 2_000_000},
        {"question": "q", "options": ["a", "b"], **{f"f{n}": 1 for n in range(400_000)}},
    ],
    ids=["options", "fields"],
)
def test_the_first_thing_wrong_is_enough(raw):
    with bounded():
        with pytest.raises(ValidationError) as refused:
            AnswerRequest.model_validate(raw)
        assert len(refused.value.errors()) == 1

"""The work of the recogniser is bounded, whatever a message holds: counted in calls, which no other load of the machine changes."""

import random
import sys
import time

import pytest

from app.recognise import Refusal, examine, recognise, recognise_chat, register
from app.recognise.message import MAX_CHARS, MAX_LINES
from tests.support.hostile import TEXTS

OPTIONS = "\nA. Wind\nB. The Moon\nC. Rain"
MCQ = "What causes tides?" + OPTIONS
# A message of ordinary length takes some hundred calls. The most that any message of the allowed length may take.
MOST_CALLS = 100_000

HOSTILE = {
    **TEXTS,
    "options without an end": "A. x\n" * 4_000,
    "pairs of options": "q?\n" + "A. x\nB. y\n" * 2_000,
    "options in one line": "q? " + "(A) x (B) y " * 1_600,
    "examples": "q?\nA. x\nB. y\nAnswer: A\n\n" * 800,
    "instructions": MCQ + "\n" + "Answer with the letter only. " * 650,
    "an instruction a line": MCQ + "\n" + "Answer with the letter only.\n" * 650,
    "continued lines": "q?\nA. x\nB. " + "word\n" * 3_800,
    "open quotes": MCQ + "\n" + "Answer '" * 2_000,
    "open braces": MCQ + "\nAnswer with JSON " + '{"a": ' * 3_000,
    "tasks": "please translate the " * 900 + "\n" + MCQ,
    "sentences": "Answer. " * 2_400 + "\n" + MCQ,
    "headers": "Question: a\n" * 1_500 + MCQ,
    "fences": "```\n" * 4_500 + MCQ,
    "brackets": "[" * 19_000 + MCQ,
    "bold": "**" * 9_500 + "\n" + MCQ,
}


def filled(text, length):
    """A text repeated or cut to a length, with as many lines as are read."""
    lines = (text * (length // len(text) + 1))[:length].split("\n")
    return "\n".join(lines[: MAX_LINES * length // MAX_CHARS])


def calls(function, *given):
    """The calls of functions, those of C included, that a call makes."""
    count = 0

    def seen(_frame, event, _arg):
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(seen)
    try:
        function(*given)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_work_on_a_hostile_message_is_bounded_and_grows_no_faster_than_its_length(text):
    recognise(MCQ)  # the weights are read once
    half, whole = (calls(recognise, filled(text, length)) for length in (MAX_CHARS // 2, MAX_CHARS))
    assert whole <= MOST_CALLS
    assert whole <= 2.5 * half + 1_000


def test_a_message_of_ordinary_length_takes_little_work():
    recognise(MCQ)
    assert calls(recognise, MCQ) < 1_500


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_message_is_read_in_linear_time(text):
    started = time.process_time()
    recognise(text)
    recognise_chat([("system", text), ("user", text), ("assistant", "B"), ("user", MCQ)])
    # A hundred times what is needed; a quadratic way needs several seconds for 20,000 characters.
    assert time.process_time() - started < 5


def test_a_message_of_a_megabyte_is_not_read_at_all():
    started = time.process_time()
    assert recognise("x" * 1_000_000 + "\n" + MCQ) is None
    assert recognise_chat([("system", "x" * 1_000_000), ("user", MCQ)]) is None
    assert time.process_time() - started < 0.1


def test_a_message_of_too_many_lines_is_not_read():
    assert recognise("x\n" * (MAX_LINES - 20) + "\n" + MCQ) is None
    assert examine("x\n" * MAX_LINES + MCQ) is Refusal.TOO_LONG
    assert examine("x" * MAX_CHARS + MCQ) is Refusal.TOO_LONG


def test_the_score_looks_at_the_ends_of_a_long_text_only():
    draw = random.Random(1)  # not a secret
    long = " ".join("".join(draw.choices("abcdefghij", k=8)) for _ in range(20_000))
    found = register.features(long, (long, "b"))
    assert len(found) < 2_500
    middle = long[:60_000] + " zzzz " + long[60_006:]
    assert register.features(middle, (long, "b")) == found
    assert calls(register.features, long, (long, "b")) < 10_000

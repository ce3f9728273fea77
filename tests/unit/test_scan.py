"""Long texts are searched in steps, and what is found is the same as in one search."""

import json
import random
from pathlib import Path

import pytest

from app.cloud.claims import _HEADING
from app.cloud.heads import HEADS
from app.cloud.scan import matches
from tests.support.hostile import REPLIES

CORPUS = [
    json.loads(line).get("reply")
    for path in sorted((Path(__file__).parents[1] / "replies").glob("*.jsonl"))
    for line in path.read_text(encoding="utf-8").splitlines()
]
TEXTS = [reply for reply in CORPUS if isinstance(reply, str)]


def spans(found):
    return [match.span() for match in found]


@pytest.mark.parametrize("pattern", [HEADS, _HEADING], ids=["heads", "heading"])
def test_steps_find_what_one_search_finds(pattern):
    draw = random.Random(0)
    compared = 0
    for _ in range(40):
        text = draw.choice(["\n", " ", ""]).join(draw.sample(TEXTS, 60))[:12_000]
        whole = spans(pattern.finditer(text))
        assert spans(matches(pattern, text)) == whole
        compared += len(whole)
    assert compared > (40 if pattern is HEADS else 0)


@pytest.mark.parametrize("name", ["answers to", "claims", "labels on a line", "blanks of the longest answer", "Kazakh claims"])
def test_steps_find_the_same_in_hostile_texts(name):
    text = REPLIES[name][:16_384]
    for pattern in (HEADS, _HEADING):
        assert spans(matches(pattern, text)) == spans(pattern.finditer(text))


def test_an_empty_match_is_found_once_at_each_place():
    import re

    for pattern in (re.compile("x*"), re.compile("(?=b)"), re.compile("b|$")):
        text = "ab" * 3_000
        assert spans(matches(pattern, text)) == [span for span in spans(pattern.finditer(text)) if span[0] < len(text)]

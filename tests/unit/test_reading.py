"""Verdicts of many questions at once are those of the definition, computed one by one with Python's floats."""

import itertools
import random
from contextlib import suppress

import numpy as np
import pytest

from app.core.errors import EdgeError
from app.core.question import MAX_OPTIONS
from app.edge.reading import Reading
from app.edge.rendering import Renderer
from tests.support.plain_reading import plain_reading
from tests.support.tiny import FAMILIES, TEMPLATES, tiny_tokenizer

MANY = 16


@pytest.fixture(scope="module")
def tries():
    renderers = [Renderer(tiny_tokenizer(TEMPLATES[kind]), FAMILIES[kind]) for kind in ("qwen3", "gemma3")]
    # One whose confidences part at the first token.
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["Confidence: 0", "Confidence: 1"])
    return [*(one.trie for one in renderers), Renderer(tokenizer, FAMILIES["llama"]).trie, renderers[0].long_trie()]


def drawn(trie, draw, count, spread=4.0):
    """Logits, with numbers behind the children of a place that are higher than all others."""
    reading = Reading(trie)
    rows = np.full((count, len(trie.places), reading.children), 1e9, dtype=np.float32)
    for row, (at, place) in itertools.product(rows, enumerate(trie.places)):
        row[at, : len(place.tokens)] = [draw.gauss(0, spread) for _ in place.tokens]
    return reading, rows


def one_by_one(trie, rows, options, temperature):
    for row, offered in zip(rows, options, strict=True):
        read = [values[: len(place.tokens)].tolist() for values, place in zip(row, trie.places, strict=True)]
        verdict = None
        with suppress(EdgeError):
            verdict = plain_reading(trie, read, offered, temperature)
        yield verdict


def allowed(trie, draw, count):
    most = len(trie.labels[0].steps)
    return [draw.randint(2 if most <= MAX_OPTIONS else MAX_OPTIONS + 1, most) for _ in range(count)]


@pytest.mark.parametrize("temperature", [1.0, 0.3, 2.5])
@pytest.mark.parametrize("spread", [0.5, 20.0])
def test_the_numbers_are_those_of_the_definition(tries, temperature, spread):
    draw = random.Random(1)
    assert len(tries[-1].labels[0].branchings) > 1, "some labels take two tokens"
    for trie in tries:
        reading, rows = drawn(trie, draw, MANY, spread)
        options = allowed(trie, draw, MANY)
        found = reading.verdicts(rows, options, temperature)
        for verdict, expected in zip(found, one_by_one(trie, rows, options, temperature), strict=True):
            assert [len(row) for row in verdict.joint] == [len(row) for row in expected.joint]
            assert max(abs(a - b) for a, b in zip(sum(verdict.joint, ()), sum(expected.joint, ()), strict=True)) < 1e-12
            assert (verdict.greedy_bucket, verdict.paths) == (expected.greedy_bucket, expected.paths)
        assert len({verdict.greedy_bucket for verdict in found}) > 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_spoils_the_questions_that_it_belongs_to_and_no_other(tries, bad):
    draw = random.Random(2)
    failed = 0
    for trie in tries:
        reading, rows = drawn(trie, draw, MANY)
        options = allowed(trie, draw, MANY)
        for number in range(0, MANY, 2):
            at = draw.randrange(len(trie.places))
            child = draw.randrange(len(trie.places[at].tokens))
            rows[number, at, slice(None) if number % 4 else child] = bad
        found = reading.verdicts(rows, options, 1.0)
        expected = [*one_by_one(trie, rows, options, 1.0)]
        assert [verdict is None for verdict in found] == [verdict is None for verdict in expected]
        assert all(found[1::2])
        failed += found.count(None)
        for verdict, plain in zip(found, expected, strict=True):
            if verdict is not None:
                assert max(abs(a - b) for a, b in zip(sum(verdict.joint, ()), sum(plain.joint, ()), strict=True)) < 1e-12
    assert failed >= MANY // 2


def test_of_equal_logits_the_first_child_is_greedy(tries):
    for trie in tries:
        reading, rows = drawn(trie, random.Random(3), 1, 0.0)
        options = allowed(trie, random.Random(3), 1)
        (expected,) = one_by_one(trie, rows, options, 1.0)
        assert reading.verdicts(rows, options)[0].greedy_bucket == expected.greedy_bucket

"""Prompts in one row: nothing but them is computed, and each gets the numbers that it gets alone."""

import random
from dataclasses import replace

import pytest

from app.config.settings import Settings
from app.core.question import LongQuestion, Question
from app.edge.batching import Bounds, choose
from app.edge.build import build_batcher
from app.edge.engine import VerdictEngine
from app.edge.rendering import Renderer
from app.telemetry.metrics import Metrics
from tests.support.recorders import shapes_of
from tests.support.reference import largest_difference
from tests.support.tiny import FAMILIES, TEMPLATES, tiny_model, tiny_tokenizer

TEXT = "It was the best of times, it was the worst of times. "
QUESTIONS = [Question(TEXT * times + "Which?", ("best", "worst", "both")[: 2 + times % 2]) for times in range(6)]


@pytest.fixture(scope="module")
def parts():
    tokenizer = tiny_tokenizer(TEMPLATES["qwen3"])
    return tiny_model("qwen3", len(tokenizer)), Renderer(tokenizer, FAMILIES["qwen3"])


def test_one_row_holds_the_prompts_and_their_tries_and_nothing_else(parts):
    model, renderer = parts
    packed, padded = (VerdictEngine(model, renderer, name="x", pack=pack) for pack in (True, False))
    prompts = [packed.prepare(question) for question in QUESTIONS]
    with shapes_of(model) as shapes:
        packed.verdicts(prompts)
        packed.verdicts(prompts[:1])
        padded.verdicts(prompts)
    assert shapes == [
        (1, sum(prompt.columns for prompt in prompts)),
        (1, prompts[0].columns),
        (6, max(prompt.columns for prompt in prompts)),
    ]


@pytest.mark.parametrize("mixed", [False, True])
def test_the_numbers_are_those_of_a_prompt_alone_whatever_stands_beside_it(parts, mixed):
    model, renderer = parts
    engine = VerdictEngine(model, renderer, name="x")
    prompts = [engine.prepare(question) for question in QUESTIONS]
    if mixed:
        # As if it did not begin with the system prompt: then nobody's is taken from the cache.
        prompts[1] = replace(prompts[1], shares_prefix=False, cached=0)
    alone = [engine.verdicts([prompt])[0] for prompt in prompts]
    assert largest_difference(alone[0].joint, alone[2].joint) > 1e-3, "different questions have different numbers"
    draw = random.Random(0)
    for _ in range(4):
        order = draw.sample(range(len(prompts)), 4)
        for at, verdict in zip(order, engine.verdicts([prompts[at] for at in order]), strict=True):
            assert largest_difference(verdict.joint, alone[at].joint) < 1e-6
            assert verdict.greedy_bucket == alone[at].greedy_bucket


def test_a_prompt_that_a_window_does_not_reach_over_is_computed_alone():
    tokenizer = tiny_tokenizer(TEMPLATES["gemma3"])
    renderer = Renderer(tokenizer, FAMILIES["gemma3"])
    # The last position behind the third prompt is the first one that the window does not reach over.
    last = len(renderer.prompt(QUESTIONS[2]).ids) - 1 + max(renderer.trie.depths)
    for window, together in ((last, 2), (last + 1, 3)):
        model = tiny_model("gemma3", len(tokenizer), window=window)
        engine = VerdictEngine(model, renderer, name="x")
        prompts = [engine.prepare(question) for question in QUESTIONS]
        with shapes_of(model) as shapes:
            engine.verdicts(prompts)
        assert shapes == [(1, sum(one.columns for one in prompts[:together])), *((1, one.columns) for one in prompts[together:])]


def test_questions_with_more_options_than_letters_share_a_row_too(parts):
    model, renderer = parts
    engine = VerdictEngine(model, renderer, name="x")
    engine.read_long_labels()
    long = [LongQuestion(TEXT * times + "Which?", tuple(f"option {number}" for number in range(27 + times))) for times in range(3)]
    prompts = [engine.prepare(question) for question in [*long, *QUESTIONS[:2]]]
    for verdict, prompt in zip(engine.verdicts(prompts), prompts, strict=True):
        assert largest_difference(verdict.joint, engine.verdicts([prompt])[0].joint) < 1e-6


async def test_a_gateway_lets_questions_of_any_lengths_share_a_pass_where_rows_are_packed(parts):
    model, renderer = parts
    for pack, together in ((True, 4), (False, 1)):
        engine = VerdictEngine(model, renderer, name="x", pack=pack)
        batcher = build_batcher(Settings(), engine, Metrics())
        prompts = [engine.prepare(QUESTIONS[at]) for at in (0, 5, 0, 5)]
        bounds = batcher._queue._bounds
        assert bounds == Bounds(4, 8192, 1.0 if pack else 0.1)
        assert len(choose([One(prompt) for prompt in prompts[:4]], bounds)) >= together
        await batcher.close()


class One:
    """A question that waits."""

    since, due, yields = 0.0, float("inf"), False

    def __init__(self, prompt):
        self.prompt = prompt

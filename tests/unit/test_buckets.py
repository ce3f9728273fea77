"""Passes of a few fixed shapes give the numbers of passes of any shape, recorded or not; the path of a GPU, here on a CPU."""

import asyncio
import copy
import itertools
import random
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import LlamaForCausalLM

from app.config.settings import Settings
from app.core.errors import EdgeError
from app.core.prompt import PromptFamily
from app.core.question import LongQuestion, Question
from app.edge.buckets import ROWS, Bucket, Buckets
from app.edge.build import build_batcher
from app.edge.engine import VerdictEngine
from app.edge.loader import LoadedModel
from app.edge.rendering import Renderer
from app.edge.split_attention import _causal_parts, _fast_parts
from app.telemetry.metrics import Metrics
from tests.support.families import family_model
from tests.support.recorders import Memory, Unable, shapes_of
from tests.support.reference import largest_difference
from tests.support.tiny import tiny_tokenizer

TOKENIZER = tiny_tokenizer()
RENDERER = Renderer(TOKENIZER, PromptFamily.LLAMA)
TEXT = "It was the best of times, it was the worst of times. "
# Some prompts are longer than a window of so many tokens, some are not.
WINDOW = 200
# A pass on a GPU may be larger. Few shapes are recorded within these.
COLUMNS = 512
KINDS = {
    "qwen3": {},
    "gemma3_text": {"sliding_window": WINDOW},
    "gpt2": {},
    "smollm3": {"sliding_window": WINDOW},
}


def questions(draw, count, most=8):
    return [
        Question(TEXT * draw.randrange(most) + f"Which of {number}?", tuple("abcdefghijklmnopqrstuvwxyz"[: draw.randint(2, 26)]))
        for number in range(count)
    ]


def assert_same(found, expected, within=1e-5):
    for verdict, plain in zip(found, expected, strict=True):
        assert largest_difference(verdict.joint, plain.joint) < within
        assert verdict.greedy_bucket == plain.greedy_bucket


@pytest.mark.parametrize(("kind", "share"), [*((kind, True) for kind in KINDS), ("gpt2", False)])
def test_the_verdicts_are_those_of_passes_of_any_shape_in_their_order(kind, share):
    model = family_model(kind, len(TOKENIZER), **KINDS[kind])
    plain, padded, recorded = (
        VerdictEngine(model, RENDERER, name="x", share_prefix=share, pack=False, buckets=buckets, pass_columns=COLUMNS)
        for buckets in (False, True, True)
    )
    memory = Memory()
    done = recorded.record(memory, longest=200)
    assert done.shapes == done.possible == len(memory.shapes) > 5
    told = []
    recorded.tell_passes(told.append)
    draw = random.Random(kind)
    prompts = [plain.prepare(question) for question in questions(draw, 11, 5)]
    # As if it did not begin with the system prompt.
    prompts[3] = replace(prompts[3], shares_prefix=False, cached=0)
    expected = plain.verdicts(prompts)
    bucket_shares = [[[sum(row) for row in verdict.joint]] for verdict in expected[:2]]
    assert largest_difference(*bucket_shares) > 1e-3, "different questions have different numbers"
    assert_same(padded.verdicts(prompts), expected)
    assert_same(recorded.verdicts(prompts), expected)
    assert set(told) == {"replayed", "eager"}
    for _ in range(3):
        some = draw.sample(range(len(prompts)), draw.randint(1, 6))
        assert_same(recorded.verdicts([prompts[at] for at in some], temperature=1.0), [expected[at] for at in some])


def test_few_shapes_reach_the_model_whatever_comes():
    model = family_model("qwen3", len(TOKENIZER))
    engine = VerdictEngine(model, RENDERER, name="x", buckets=True, pass_columns=2048)
    assert engine.uses_buckets
    assert not engine.packs_rows
    nodes = len(RENDERER.trie)
    possible = {
        (bucket.rows, bucket.width + nodes) for bucket in Buckets(nodes, engine.prefix_tokens, 2048).all(500 - engine.prefix_tokens)
    }
    draw = random.Random(0)
    with shapes_of(model) as shapes:
        for count in (1, 2, 3, 5, 9, 20):
            prompts = [engine.prepare(question) for question in questions(draw, count)]
            assert max(len(prompt.ids) for prompt in prompts) <= 500
            engine.verdicts(prompts)
    assert {*shapes} <= possible
    assert len({*shapes}) > 4
    assert max(rows * columns for rows, columns in shapes) <= 2048


def test_a_prompt_that_a_window_does_not_reach_over_has_a_pass_of_its_own_size():
    renderer = RENDERER
    prompts = [renderer.prompt(Question(TEXT * times + "Which?", ("a", "b"))) for times in (0, 2, 4)]
    last = len(prompts[1].ids) - 1 + max(renderer.trie.depths)
    for window, apart in ((last, 2), (last + 1, 1)):
        model = family_model("mistral", len(TOKENIZER), sliding_window=window)
        engine = VerdictEngine(model, renderer, name="x", buckets=True, pass_columns=COLUMNS)
        plain = VerdictEngine(model, renderer, name="x", pack=False)
        recorded = engine.record(Memory(), longest=200)
        assert recorded.shapes
        told = []
        engine.tell_passes(told.append)
        asked = [engine.prepare(Question(TEXT * times + "Which?", ("a", "b"))) for times in (0, 2, 4)]
        assert_same(engine.verdicts(asked), plain.verdicts(asked))
        assert told.count("eager") == 1
        with shapes_of(model) as shapes:
            engine.verdicts(asked)
        assert shapes[-1] == (apart, max(prompt.columns for prompt in asked))


def test_one_question_whose_numbers_are_not_finite_fails_alone():
    model = family_model("llama", len(TOKENIZER))
    plain = VerdictEngine(model, RENDERER, name="x", pack=False)
    asked = [Question(TEXT + "Which?", ("a", "b")), Question("Қазақстан?", ("a", "b")), Question(TEXT * 2, ("a", "b", "c"))]
    prompts = [plain.prepare(question) for question in asked]
    expected = plain.verdicts(prompts)
    others = {token for at in (0, 2) for token in prompts[at].ids} | {*RENDERER.trie.tokens, *plain._layout.model.tokens, 0}
    token = next(token for token in prompts[1].ids if token not in others)
    broken = copy.deepcopy(model)
    with torch.no_grad():
        broken.get_input_embeddings().weight[token] = float("nan")
    engine = VerdictEngine(broken, RENDERER, name="x", buckets=True, pass_columns=COLUMNS)
    engine.record(Memory(), longest=200)
    with pytest.raises(EdgeError, match="1 of 3 questions") as failed:
        engine.verdicts(prompts)
    said = failed.value.verdicts
    assert said[1] is None
    assert_same([said[0], said[2]], [expected[0], expected[2]])


def test_a_recording_that_gives_other_numbers_is_not_used(caplog):
    model = family_model("llama", len(TOKENIZER))
    engine, plain = (
        VerdictEngine(model, RENDERER, name="x", buckets=buckets, pack=False, pass_columns=COLUMNS) for buckets in (True, False)
    )
    # The third one gives the numbers of the prompts with which it was recorded.
    done = engine.record(Memory(broken={2}), longest=200)
    assert done.shapes == done.possible - 1
    assert "differs from the pass itself; it is not used" in caplog.text
    prompts = [plain.prepare(question) for question in questions(random.Random(5), 9, 3)]
    assert_same(engine.verdicts(prompts), plain.verdicts(prompts))


def test_where_passes_cannot_be_recorded_each_is_made_anew(caplog):
    model = family_model("llama", len(TOKENIZER))
    engine, plain = (
        VerdictEngine(model, RENDERER, name="x", buckets=buckets, pack=False, pass_columns=COLUMNS) for buckets in (True, False)
    )
    assert engine.record(Unable(), longest=200).shapes == 0
    assert caplog.messages == [
        "passes of this model are not recorded (operation not permitted when stream is capturing); each is made anew, which is slower"
    ]
    told = []
    engine.tell_passes(told.append)
    prompts = [plain.prepare(question) for question in questions(random.Random(5), 5, 3)]
    assert_same(engine.verdicts(prompts), plain.verdicts(prompts))
    assert {*told} == {"eager"}


def test_recording_ends_when_its_time_or_memory_is_used_up():
    engine = VerdictEngine(family_model("llama", len(TOKENIZER)), RENDERER, name="x", buckets=True)
    assert engine.record(Memory(), longest=200, seconds=-1.0).shapes == 0
    full = Memory()
    full.bytes = 10**12
    assert engine.record(full, longest=200).shapes == 0
    assert engine.record(longest=200) is None, "a CPU records nothing"
    assert VerdictEngine(family_model("llama", len(TOKENIZER)), RENDERER, name="x").record(Memory()) is None


def test_questions_with_more_options_than_letters_are_padded_too():
    model = family_model("qwen3", len(TOKENIZER))
    engine, plain = (
        VerdictEngine(model, RENDERER, name="x", buckets=buckets, pack=False, pass_columns=COLUMNS) for buckets in (True, False)
    )
    for one in (engine, plain):
        one.read_long_labels()
    long = [LongQuestion(TEXT * times + "Which?", tuple(f"option {number}" for number in range(27 + times))) for times in range(3)]
    prompts = [plain.prepare(question) for question in [*long, *questions(random.Random(1), 3)]]
    assert_same(engine.verdicts(prompts), plain.verdicts(prompts))


def test_where_the_end_of_the_prompt_is_read_it_is_found_behind_any_padding():
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["Confidence: 0", "Confidence: 1"])
    renderer = Renderer(tokenizer, PromptFamily.LLAMA)
    model = family_model("llama", len(tokenizer))
    engine, plain = (
        VerdictEngine(model, renderer, name="x", buckets=buckets, pack=False, pass_columns=COLUMNS) for buckets in (True, False)
    )
    engine.record(Memory(), longest=150)
    prompts = [plain.prepare(question) for question in questions(random.Random(1), 5, 3)]
    assert_same(engine.verdicts(prompts), plain.verdicts(prompts))


@pytest.mark.parametrize("columns", [300, 2048, 8192])
def test_every_prompt_is_in_one_pass_that_holds_it(columns):
    draw = random.Random(columns)
    buckets = Buckets(30, 75, columns)
    for count, longest in itertools.product((1, 2, 3, 7, 40, 300), (60, 900)):
        lengths = [draw.randint(1, longest) for _ in range(count)]
        seen = []
        for bucket, rows in buckets.passes(lengths):
            assert bucket.rows in ROWS
            assert 0 < len(rows) <= bucket.rows
            assert max(lengths[row] for row in rows) <= bucket.width
            assert (bucket.width + 30 + 75) % 16 == 0
            assert bucket.rows < 16 or bucket.width > 512 or bucket.width - max(lengths[row] for row in rows) < 16, "padding costs time"
            assert bucket.rows * (bucket.width + 30) <= columns or bucket.rows == 1
            # Empty rows cost time where passes are large.
            assert (bucket.rows - len(rows)) * (bucket.width + 30) <= 1024
            if bucket.rows * (bucket.width + 30) <= columns:
                assert bucket in buckets.all(900)
            seen += rows
        assert sorted(seen) == [*range(count)]
    assert len(Buckets(30, 75, 8192).all(1024)) < 150
    assert Bucket(1, buckets.width(1)) in buckets.all(1)


@pytest.mark.parametrize("key_heads", [1, 2, 4])
@pytest.mark.parametrize("before", [0, 5])
def test_the_kernels_of_a_gpu_are_asked_for_the_same_sums(key_heads, before):
    torch.manual_seed(0)
    rows, nodes, batch = 37, 7, 3
    query = torch.randn(batch, 4, rows + nodes, 8)
    key, value = (torch.randn(batch, key_heads, before + rows + nodes, 8) for _ in range(2))
    mask = torch.randn(batch, 1, nodes, before + rows + nodes)
    given = (query, key, value, mask, rows, before, {"dropout_p": 0.0, "scale": 0.3})
    for fast, plain in zip(_fast_parts(*given), _causal_parts(*given), strict=True):
        assert torch.allclose(fast, plain, atol=1e-5)
    whole = torch.cat([torch.full((rows, rows), float("-inf")).triu(1)], dim=0)
    causal = torch.cat([torch.zeros(rows, before), whole, torch.full((rows, nodes), float("-inf"))], dim=1)
    expected = scaled_dot_product_attention(query[:, :, :rows], key, value, attn_mask=causal, scale=0.3, enable_gqa=True)
    assert torch.allclose(_fast_parts(*given)[0], expected, atol=1e-5)


def test_where_passes_of_fixed_shapes_are_not_exact_they_are_not_made(caplog):
    """A model that reads its padding: nothing but the proof shows it."""
    caplog.set_level("INFO")

    class ReadsPadding(LlamaForCausalLM):
        def forward(self, input_ids=None, **inputs):
            hidden = super().forward(input_ids=input_ids, **inputs)
            # Column by column the answer is right as long as no prompt is padded.
            hidden.logits = hidden.logits + (input_ids == 0).sum(dim=1)[:, None, None] * torch.arange(hidden.logits.shape[-1])
            return hidden

    loaded = LoadedModel(
        ReadsPadding(family_model("llama", len(TOKENIZER)).config).eval(), TOKENIZER, PromptFamily.LLAMA, "reads padding", ""
    )
    made = []

    def make(*, split, buckets=None):
        made.append((split, buckets))
        return VerdictEngine(loaded.model, RENDERER, name="x", split=split, buckets=split and buckets is not False)

    engine = loaded._exact(make)
    assert (engine.splits_attention, engine.uses_buckets) == (True, False)
    assert any("passes over 'reads padding' have no fixed shapes (with them: " in message for message in caplog.messages)
    assert made[0] == (True, None)


def test_a_gateway_counts_passes_by_how_they_were_made():
    engine = VerdictEngine(family_model("llama", len(TOKENIZER)), RENDERER, name="x", buckets=True)
    nodes, skip = len(RENDERER.trie), engine.prefix_tokens
    prompt = engine.prepare(Question("Which?", ("a", "b")))
    width = Buckets(nodes, skip, 8192).width(len(prompt.ids) - skip)
    assert engine.record(Memory(), shapes=[Bucket(1, width)]).shapes == 1
    metrics = Metrics()

    async def wired():
        await build_batcher(Settings(), engine, metrics).close()

    asyncio.run(wired())
    engine.verdicts([prompt])
    engine.verdicts([prompt])
    engine.verdicts([prompt, prompt])
    text = metrics.exposition().decode()
    assert 'foggate_edge_passes_total{way="replayed"} 2.0' in text
    assert 'foggate_edge_passes_total{way="eager"} 1.0' in text

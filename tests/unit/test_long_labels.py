"""Questions with more options than letters: the joint is that of plain decoding of whole strings, and the path of letters does not change."""

import logging

import pytest
import torch
from transformers import LlamaForCausalLM

from app.core.buckets import BUCKET_LABELS
from app.core.errors import ConfigError, EdgeError, InvalidQuestion
from app.core.prompt import PromptFamily, answer_text
from app.core.question import LETTERS, LONG_LABELS, MAX_OPTIONS, LongQuestion, Question, labels_of
from app.core.verdict import Signal
from app.edge.engine import VerdictEngine
from app.edge.loader import LoadedModel
from app.edge.rendering import Renderer
from app.edge.trie import build_long_trie
from tests.support.families import family_model
from tests.support.reference import largest_difference, reference_joint
from tests.support.tiny import FAMILIES, TEMPLATES, tiny_model, tiny_tokenizer

# Some pairs of letters are one token in it, most are two; and one word goes over the boundary of a blank.
PAIRS = ["Final answer: AB AC AD BA BB BC CA CB"] * 40


def many(options, text="Which?"):
    return LongQuestion(text, tuple(f"o{number}" for number in range(options)))


QUESTIONS = [many(27), Question("Few?", ("one", "two", "three")), many(60, "\nWhich of these?"), many(30, "Another, which is longer?")]


def long_engine(model, renderer, **kwargs):
    engine = VerdictEngine(model, renderer, name="tiny", **kwargs)
    engine.read_long_labels()
    return engine


@pytest.fixture(scope="module", params=["qwen3", "gemma3"])
def parts(request):
    tokenizer = tiny_tokenizer(TEMPLATES[request.param], PAIRS)
    model = tiny_model(request.param, len(tokenizer))
    family = FAMILIES[request.param]
    return model, Renderer(tokenizer, family), [reference_joint(model, tokenizer, family, question) for question in QUESTIONS]


def test_labels_are_letters_as_long_as_there_are_enough():
    assert labels_of(4) == tuple("ABCD")
    assert labels_of(26) == tuple(LETTERS)
    assert labels_of(27)[:2] == ("AA", "AB")
    assert labels_of(27)[-1] == "BA"
    assert len(set(labels_of(255))) == 255
    assert {len(label) for label in LONG_LABELS} == {2}, "no label is the beginning of another"


def test_only_a_long_question_has_more_options_than_letters():
    options = tuple(map(str, range(27)))
    with pytest.raises(InvalidQuestion, match="2 to 26, got 27"):
        Question("?", options)
    question = LongQuestion("?", options)
    assert question.text_of("AB") == "1"
    with pytest.raises(InvalidQuestion, match="2 to 255, got 256"):
        LongQuestion("?", tuple(map(str, range(256))))
    with pytest.raises(InvalidQuestion, match="options AA and BA are the same"):
        LongQuestion("?", (*options[:-1], options[0]))
    assert LongQuestion("?", ("a", "b")).labels == ("A", "B")


def test_some_labels_are_one_token_and_some_are_two(parts):
    labels = parts[1].long_trie().labels[2]
    assert {1, 2} <= {len(steps) for steps in labels.steps}


def test_every_path_spells_the_tokens_of_the_whole_string(parts):
    renderer, trie = parts[1], parts[1].long_trie()
    prompt = renderer.render(Question("What?", ("x", "y")))
    head = renderer.encode(prompt)
    for bucket, confidence in enumerate(BUCKET_LABELS):
        labels = trie.labels[bucket]
        for name, steps in list(zip(LONG_LABELS, labels.steps, strict=True))[::17]:
            node, child = (labels.branchings[steps[-1][0]].node, labels.branchings[steps[-1][0]].tokens[steps[-1][1]])
            spelt = [trie.tokens[at] for at in reversed(trie.ancestors(node))] + [child]
            assert head + spelt == renderer.encode(prompt + answer_text(confidence, name))


@pytest.mark.parametrize("share_prefix", [True, False])
def test_the_joint_is_that_of_plain_decoding_in_a_mixed_batch(parts, share_prefix):
    model, renderer, expected = parts
    engine = long_engine(model, renderer, share_prefix=share_prefix)
    verdicts = engine.verdicts([engine.prepare(question) for question in QUESTIONS])
    for question, verdict, (joint, greedy_text) in zip(QUESTIONS, verdicts, expected, strict=True):
        assert verdict.is_sound(len(question.options))
        assert largest_difference(verdict.joint, joint) < 1e-5
        assert tuple(verdict.answer_probabilities) == question.labels
        written = answer_text(BUCKET_LABELS[verdict.greedy_bucket], verdict.answer(Signal.VERBALIZED))
        # Greedy decoding chooses token by token; the answer is the most probable label. They are the same where the labels are single tokens.
        assert greedy_text.startswith(written.split("\n")[0])
    assert max(max(row) for row in expected[0][0]) > 0.05, "a uniform distribution could not fail"


@pytest.mark.parametrize("kind", ["gemma2", "mistral", "granite"])
def test_families_with_windows_and_scales_are_read_exactly_too(kind):
    tokenizer = tiny_tokenizer(corpus=PAIRS)
    model = family_model(kind, len(tokenizer))
    engine = long_engine(model, Renderer(tokenizer, PromptFamily.LLAMA))
    joint, _ = reference_joint(model, tokenizer, PromptFamily.LLAMA, QUESTIONS[0])
    assert largest_difference(engine.verdicts([engine.prepare(QUESTIONS[0])])[0].joint, joint) < 1e-5


def test_all_255_labels_can_be_offered(parts):
    engine = long_engine(*parts[:2], max_prompt_tokens=4000)
    verdict = engine.verdicts([engine.prepare(many(255))])[0]
    assert tuple(verdict.answer_probabilities) == LONG_LABELS
    assert abs(sum(verdict.answer_probabilities.values()) - 1) < 1e-9


def test_the_path_of_letters_neither_costs_more_nor_gives_other_numbers(parts):
    model, renderer, _ = parts
    plain, both = VerdictEngine(model, renderer, name="tiny"), long_engine(model, renderer)
    seen = []
    hook = model.model.register_forward_pre_hook(lambda _m, _a, kwargs: seen.append(kwargs["input_ids"].shape), with_kwargs=True)
    try:
        one, other = (engine.verdicts([engine.prepare(QUESTIONS[1])])[0] for engine in (plain, both))
    finally:
        hook.remove()
    assert one == other
    assert len(seen) == 2
    assert seen[0] == seen[1]


def test_without_long_labels_the_engine_refuses_before_it_reads_anything(parts):
    engine = VerdictEngine(*parts[:2], name="tiny")
    with pytest.raises(EdgeError, match="not take more than 26 options"):
        engine.prepare(QUESTIONS[0])
    assert engine.prepare(QUESTIONS[1]).options == 3


def test_a_tokenizer_that_writes_two_labels_alike_is_refused():
    tokenizer = tiny_tokenizer()
    with pytest.raises(ConfigError, match="one option label is the start of another"):
        build_long_trie(lambda text: tokenizer.encode(text.replace("AB", "AA"), add_special_tokens=False), "x")


class IgnoresMasksOfMany(LlamaForCausalLM):
    """Sees everything when it computes many tokens at once, as it does for the labels of a long question only."""

    def forward(self, input_ids, attention_mask=None, **kwargs):
        if attention_mask is not None and input_ids.shape[1] > 280:
            attention_mask = torch.zeros_like(attention_mask)
        return super().forward(input_ids, attention_mask=attention_mask, **kwargs)


def loaded(model):
    return LoadedModel(model, tiny_tokenizer(corpus=PAIRS), PromptFamily.LLAMA, "tiny", "")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_long_labels_are_proven_when_a_gateway_loads_its_model(dtype, caplog):
    with caplog.at_level(logging.INFO):
        engine = loaded(family_model("llama", len(tiny_tokenizer(corpus=PAIRS))).to(dtype)).engine(long_labels=True)
    assert "one pass with long labels over 'tiny' gives what decoding gives" in caplog.text
    assert engine.prepare(QUESTIONS[0]).options == 27
    assert engine.prepare(QUESTIONS[0]).options > MAX_OPTIONS


def test_where_the_proof_of_long_labels_fails_letters_are_served_without_them(caplog):
    config = family_model("llama", len(tiny_tokenizer(corpus=PAIRS))).config
    with caplog.at_level(logging.WARNING):
        engine = loaded(IgnoresMasksOfMany(config).eval()).engine(long_labels=True)
    assert "takes no question with more than 26 options: read in one pass, a probability is off by" in caplog.text
    with pytest.raises(EdgeError):
        engine.prepare(QUESTIONS[0])
    assert engine.verdicts([engine.prepare(QUESTIONS[1])])[0].is_sound(3)

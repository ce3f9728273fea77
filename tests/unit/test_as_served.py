"""What serves on a GPU is compared with decoding after its layers are compiled and its passes recorded; here on a CPU."""

import logging

import pytest
import torch

from app.config.settings import Settings
from app.core.prompt import PromptFamily
from app.core.question import Question
from app.edge.buckets import Buckets
from app.edge.build import build_engine, check_as_served
from app.edge.engine import VerdictEngine
from app.edge.recorded import matches
from app.edge.rendering import Renderer
from tests.support.families import family_model
from tests.support.recorders import Memory
from tests.support.reference import largest_difference
from tests.support.tiny import tiny_tokenizer

TOKENIZER = tiny_tokenizer()
RENDERER = Renderer(TOKENIZER, PromptFamily.LLAMA)
QUESTIONS = [Question("It was the best of times. " * times + "Which?", ("best", "worst", "both")) for times in (0, 1, 2)]


class Aging(Memory):
    """Its replays give what the pass gives when they are compared with it, and something else afterwards."""

    def record(self, run, table):
        replay, calls = super().record(run, table), []

        def aged(given):
            calls.append(given)
            logits = replay(given)
            if len(calls) > 1:
                logits[:, :, 0] += 0.01
            return logits

        return aged


@pytest.mark.parametrize(
    ("dtype", "recorder", "stays"), [(torch.float32, Memory, True), (torch.float32, Aging, False), (torch.bfloat16, Memory, True)]
)
def test_recordings_that_do_not_answer_as_decoding_does_are_dropped_at_the_start(dtype, recorder, stays, caplog):
    caplog.set_level(logging.INFO)
    model = family_model("qwen3", len(TOKENIZER), num_hidden_layers=2).to(dtype)
    engine = VerdictEngine(model, RENDERER, name="the model", buckets=True, pass_columns=512)
    prompts = [engine.prepare(question) for question in QUESTIONS]
    written = engine.verdicts(prompts)
    assert engine.record(recorder(), longest=200).shapes > 0
    check_as_served(model, engine)
    ways = []
    engine.tell_passes(ways.append)
    for verdict, plain in zip(engine.verdicts(prompts), written, strict=True):
        assert largest_difference(verdict.joint, plain.joint) < 1e-5
    assert set(ways) == {"replayed" if stays else "eager"}
    assert ("'the model' are not used, which is slower (a probability is off by" in caplog.text) is not stays


class Prepared:
    """A model whose engine notes how it is made ready."""

    def __init__(self):
        self.model, self.done = family_model("llama", len(TOKENIZER)), []

    def engine(self, **_):
        return self

    def compile(self):
        self.done.append("compile")

    def record(self):
        self.done.append("record")


@pytest.mark.parametrize(
    ("serves", "given", "done"),
    [(True, {}, ["compile", "record"]), (True, {"compile": "off"}, ["record"]), (True, {"graphs": "off"}, ["compile"]), (False, {}, [])],
)
def test_only_an_engine_that_serves_takes_the_time_to_be_made_ready(serves, given, done):
    loaded = Prepared()
    build_engine(Settings(edge=given), loaded, serves=serves)
    assert loaded.done == done


def test_logits_match_where_their_probabilities_do_however_large_they_are():
    expected = torch.tensor([[[40.4, 36.2, 35.0]]])
    assert matches(expected + 3.0, expected, 0.1), "what all share changes no probability"
    assert matches(expected + torch.tensor([0.04, -0.04, 0.0]), expected, 0.1)
    assert not matches(expected + torch.tensor([-0.8, 0.8, 0.0]), expected, 0.1), "two percent of the largest logit, and another answer"
    for damaged in (torch.nan, torch.inf):
        assert not matches(expected * damaged, expected, 0.1)
        assert not matches(expected, expected * damaged, 0.1)


class Small(Memory):
    """Has too little memory for its first shape, the largest one."""

    def record(self, run, table):
        if not self.shapes:
            self.shapes.append(None)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().record(run, table)


def test_a_shape_for_which_memory_is_lacking_costs_the_others_nothing():
    model = family_model("qwen3", len(TOKENIZER), num_hidden_layers=1)
    engine = VerdictEngine(model, RENDERER, name="x", buckets=True, pass_columns=512)
    recorded = engine.record(Small(), longest=200)
    assert recorded.shapes == recorded.possible - 1 > 3


def test_single_prompts_are_recorded_however_few_columns_a_pass_may_have():
    shapes = Buckets(34, 83, 64).all(1000)
    assert {bucket.rows for bucket in shapes} == {1}
    assert max(bucket.width for bucket in shapes) >= 1000

"""Compiled layers give the numbers of layers as they are written, and no question waits for a compiler. Compiled to torch's own operations."""

from dataclasses import replace

import pytest
import torch
import torch._dynamo

from app.core.prompt import PromptFamily
from app.core.question import Question
from app.edge import fused
from app.edge.engine import VerdictEngine
from app.edge.rendering import Renderer
from tests.support.families import family_model
from tests.support.reference import largest_difference
from tests.support.tiny import tiny_tokenizer

TOKENIZER = tiny_tokenizer()
RENDERER = Renderer(TOKENIZER, PromptFamily.LLAMA)
QUESTIONS = [Question("It was the best of times. " * times + "Which?", ("best", "worst", "both")) for times in (0, 1, 2, 3, 9)]


def test_compiled_layers_give_the_same_numbers_and_are_compiled_once():
    model = family_model("qwen3", len(TOKENIZER), num_hidden_layers=2)
    engine = VerdictEngine(model, RENDERER, name="x", buckets=True)
    prompts = [engine.prepare(question) for question in QUESTIONS]
    written = engine.verdicts(prompts)
    torch._dynamo.utils.counters.clear()
    assert engine.compile(backend="eager") is not None
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert before == 2, "one row, and several; the layers share their code"
    assert not torch._dynamo.utils.counters["graph_break"]
    for some in (prompts, prompts[:1], prompts[2:4]):
        for verdict, plain in zip(engine.verdicts(some), written[prompts.index(some[0]) :], strict=False):
            assert largest_difference(verdict.joint, plain.joint) < 1e-5
    # Without the prefix the code would be another one.
    odd = replace(prompts[0], shares_prefix=False, cached=0)
    assert largest_difference(engine.verdicts([odd])[0].joint, written[0].joint) < 1e-5
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == before
    assert all(layer._compiled_call_impl is None for layer in fused.layers_of(model)), "outside such passes nothing is compiled"


@pytest.mark.parametrize("fails", [True, False])
def test_layers_that_cannot_be_compiled_or_give_other_numbers_are_not_used(fails, caplog):
    def backend(graph, inputs):
        if fails:
            raise RuntimeError("no compiler here")
        return lambda *given: [one.flip(-1) for one in graph(*given)]

    engine = VerdictEngine(family_model("llama", len(TOKENIZER), num_hidden_layers=1), RENDERER, name="x", buckets=True)
    prompts = [engine.prepare(question) for question in QUESTIONS]
    written = engine.verdicts(prompts)
    assert engine.compile(backend=backend) is None
    assert ("are not compiled (" if fails else "differ from the layers as they are written; they are not used") in caplog.text
    assert largest_difference(engine.verdicts(prompts)[0].joint, written[0].joint) < 1e-6


def test_where_a_window_is_shorter_than_the_system_prompt_nothing_is_compiled(caplog):
    caplog.set_level("INFO")
    engine = VerdictEngine(family_model("mistral", len(TOKENIZER)), RENDERER, name="x", buckets=True)
    assert engine.compile(backend="eager") is None
    assert caplog.messages == ["the layers of this model are not compiled: a window of its layers is shorter than any prompt"]
    # Every prompt is then read in a pass of its own size.
    assert len(engine.verdicts([engine.prepare(question) for question in QUESTIONS])) == len(QUESTIONS)

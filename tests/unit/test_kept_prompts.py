"""A question that comes again in another order of its options: the same verdict as without kept keys and values, for less work."""

import pytest
import torch

from app.core.permutation import in_order, orders
from app.core.question import Question
from app.edge.engine import VerdictEngine
from app.edge.kept_prompts import KeptPrompts
from app.edge.rendering import Renderer
from tests.support.reference import largest_difference
from tests.support.tiny import FAMILIES, TEMPLATES, tiny_model, tiny_tokenizer

LONG = "It was the best of times, it was the worst of times. " * 6
QUESTIONS = [
    Question(LONG + "Which was it?", ("best", "worst", "neither", "both")),
    Question("\n\n" + LONG + "begins with a newline, which keeps it from sharing the system prompt", ("one", "two", "three")),
    Question("Қазақстанның астанасы қай қала, осы қалалардың ішінде?", ("Астана", "Алматы")),
]


@pytest.fixture(scope="module", params=["qwen3", "gemma3"])
def parts(request):
    tokenizer = tiny_tokenizer(TEMPLATES[request.param])
    return tiny_model(request.param, len(tokenizer)), Renderer(tokenizer, FAMILIES[request.param])


def engine_of(parts, **kwargs):
    return VerdictEngine(parts[0], parts[1], name="tiny", **kwargs)


@pytest.mark.parametrize(("share_prefix", "pack"), [(True, True), (False, True), (True, False)])
def test_another_order_of_a_kept_question_gets_the_verdict_that_it_gets_anywhere(parts, share_prefix, pack):
    plain, keeping = engine_of(parts, share_prefix=share_prefix), engine_of(parts, share_prefix=share_prefix, pack=pack, keep_prompts=8)
    # In one batch, so that they are kept out of one row, or two of the three out of padded rows.
    keeping.verdicts([keeping.prepare(question) for question in QUESTIONS])
    again = [in_order(question, order) for question in QUESTIONS for order in orders(len(question.options), 3)[1:]]
    prompts = [plain.prepare(question) for question in again]
    for verdict, expected in zip(keeping.verdicts(prompts), plain.verdicts(prompts), strict=True):
        assert largest_difference(verdict.joint, expected.joint) < 1e-5
        assert verdict.greedy_bucket == expected.greedy_bucket


def test_the_question_is_computed_once(parts):
    model, engine = parts[0], engine_of(parts, keep_prompts=1)
    widths = []
    hook = model.get_input_embeddings().register_forward_pre_hook(lambda _, inputs: widths.append(inputs[0].shape[1]))
    try:
        engine.verdicts([engine.prepare(QUESTIONS[0])])
        engine.verdicts([engine.prepare(in_order(QUESTIONS[0], (1, 2, 3, 0)))])
        # Another prompt takes the only place.
        engine.verdicts([engine.prepare(QUESTIONS[2])])
        engine.verdicts([engine.prepare(QUESTIONS[0])])
    finally:
        hook.remove()
    question = len(engine.renderer.encode(LONG))
    assert widths[1] < widths[0] - question / 2
    assert widths[3] == widths[0]


def test_a_batch_of_kept_and_new_questions_keeps_its_order(parts):
    plain, keeping = engine_of(parts), engine_of(parts, keep_prompts=8)
    keeping.verdicts([keeping.prepare(QUESTIONS[0])])
    mixed = [QUESTIONS[2], in_order(QUESTIONS[0], (2, 3, 0, 1)), QUESTIONS[1]]
    prompts = [plain.prepare(question) for question in mixed]
    for verdict, expected in zip(keeping.verdicts(prompts), plain.verdicts(prompts), strict=True):
        assert largest_difference(verdict.joint, expected.joint) < 1e-5


def test_the_last_token_is_always_computed_and_short_beginnings_are_not_used():
    kept = KeptPrompts(2)
    ids = tuple(range(20))
    kept.add(ids, [(torch.zeros(1, 1, 20, 2), torch.zeros(1, 1, 20, 2))])
    longest, keys_values = kept.beginning(ids, known=4)
    assert longest == 19
    assert keys_values[0][0].shape == (1, 1, 19, 2)
    assert kept.beginning((*range(10), 77, 78), known=4) is None
    assert kept.beginning((*range(15), 77, 78), known=4)[0] == 15

"""Passes side by side: the numbers are those of one pass, in any order, and nothing of one pass is seen by another."""

import gc
import random
import threading

import pytest
import torch

from app.config.settings import Settings
from app.core.errors import EdgeError
from app.core.prompt import PromptFamily
from app.core.question import LongQuestion, Question
from app.edge.build import batch_size, build_engine, queue_size
from app.edge.engine import VerdictEngine
from app.edge.loader import LoadedModel
from app.edge.pass_threads import PassThreads, divided, keeps_nothing
from app.edge.rendering import Renderer
from app.edge.split_attention import NAME, split_attention
from tests.support.families import FAMILIES as FAMILIES_OF_MODELS
from tests.support.families import family_model
from tests.support.recorders import shapes_of
from tests.support.reference import largest_difference
from tests.support.tiny import FAMILIES, TEMPLATES, tiny_model, tiny_tokenizer

TEXT = "It was the best of times, it was the worst of times. "
QUESTIONS = [Question(TEXT * (times % 6) + f"Which of {times}?", ("best", "worst", "both")[: 2 + times % 2]) for times in range(12)]
TOKENIZER = tiny_tokenizer(TEMPLATES["qwen3"])
RENDERER = Renderer(TOKENIZER, FAMILIES["qwen3"])


@pytest.fixture(autouse=True)
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def threads_of_passes():
    return [thread for thread in threading.enumerate() if thread.name == "foggate-pass"]


def assert_they_end(threads):
    gc.collect()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def make(model=None, **more):
    return VerdictEngine(model or tiny_model("qwen3", len(TOKENIZER)), RENDERER, name="x", **{"side_by_side": 2, **more})


@pytest.mark.parametrize("count", [2, 3])
def test_the_verdicts_are_those_of_one_pass_in_their_order_while_the_passes_run_at_the_same_time(count):
    model = tiny_model("qwen3", len(TOKENIZER))
    engine, one = make(model, side_by_side=count), make(model, side_by_side=1)
    prompts = [engine.prepare(question) for question in QUESTIONS]
    alone = [one.verdicts([prompt])[0] for prompt in prompts]
    assert largest_difference(alone[0].joint, alone[2].joint) > 1e-3, "different questions have different numbers"
    draw = random.Random(0)
    # Each pass waits here for the others.
    meeting = threading.Barrier(count, timeout=60)

    def meet(module, given):
        meeting.wait()

    handle = model.model.layers[0].register_forward_pre_hook(meet)
    for size in (count, 7, 12):
        order = draw.sample(range(len(prompts)), size)
        for at, verdict in zip(order, engine.verdicts([prompts[at] for at in order]), strict=True):
            assert largest_difference(verdict.joint, alone[at].joint) < 1e-6
            assert verdict.greedy_bucket == alone[at].greedy_bucket
    handle.remove()
    with shapes_of(model) as shapes:
        engine.verdicts(prompts)
        assert len(shapes) == count
        # Alone, with all threads.
        engine.verdicts(prompts[:1])
        assert shapes[count:] == [(1, prompts[0].columns)]
    assert model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("kind", FAMILIES_OF_MODELS)
def test_every_family_gives_the_numbers_of_one_pass(kind):
    wide = {"sliding_window": 4096} if "sliding_window" in FAMILIES_OF_MODELS[kind] else {}
    model = family_model(kind, len(TOKENIZER), **wide)
    engine, one = make(model), make(model, side_by_side=1)
    prompts = [engine.prepare(question) for question in QUESTIONS]
    expected = one.verdicts(prompts)
    for _ in range(3):
        for found, alike in zip(engine.verdicts(prompts), expected, strict=True):
            assert largest_difference(found.joint, alike.joint) < 1e-5
            assert found.greedy_bucket == alike.greedy_bucket
    assert (engine.side_by_side == 2) is engine.packs_rows


def test_a_model_goes_back_to_its_own_attention_only_when_nobody_is_inside():
    model = tiny_model("qwen3", len(TOKENIZER))
    first, second = split_attention(model), split_attention(model)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert model.config._attn_implementation == NAME
    second.__exit__(None, None, None)
    assert model.config._attn_implementation == "sdpa"


def test_prompts_that_are_kept_are_kept_of_all_passes():
    model = tiny_model("qwen3", len(TOKENIZER))
    engine, one = make(model, keep_prompts=64), make(model, side_by_side=1)
    prompts = [engine.prepare(question) for question in QUESTIONS]
    engine.verdicts(prompts)
    turned = [engine.prepare(Question(question.question, question.options[::-1])) for question in QUESTIONS]
    with shapes_of(model) as shapes:
        verdicts = engine.verdicts(turned)
    # Each alone, and only what is new in it.
    assert len(shapes) == len(turned)
    assert all(columns < prompt.columns for (_, columns), prompt in zip(shapes, turned, strict=True))
    for found, expected in zip(verdicts, one.verdicts(turned), strict=True):
        assert largest_difference(found.joint, expected.joint) < 1e-6


def test_a_window_that_is_too_short_and_long_labels_are_read_as_ever():
    tokenizer = tiny_tokenizer(TEMPLATES["gemma3"])
    renderer = Renderer(tokenizer, FAMILIES["gemma3"])
    model = tiny_model("gemma3", len(tokenizer), window=200)
    engine, one = (VerdictEngine(model, renderer, name="x", side_by_side=count) for count in (2, 1))
    for each in (engine, one):
        each.read_long_labels()
    asked = [*QUESTIONS, *(LongQuestion(f"Which of {number}?", tuple(f"option {at}" for at in range(27 + number))) for number in range(3))]
    prompts = [engine.prepare(question) for question in asked]
    for found, expected in zip(engine.verdicts(prompts), one.verdicts(prompts), strict=True):
        assert largest_difference(found.joint, expected.joint) < 1e-6


def test_a_pass_that_fails_fails_all_its_questions_and_the_next_ones_are_answered():
    model = tiny_model("qwen3", len(TOKENIZER))
    engine = make(model)
    prompts = [engine.prepare(question) for question in QUESTIONS]
    expected = engine.verdicts(prompts)
    longest = max(prompt.columns for prompt in prompts)

    def fail(module, given):
        if given[0].shape[1] >= longest:
            raise MemoryError("out of memory")

    handle = model.model.embed_tokens.register_forward_hook(lambda module, given, out: fail(module, [out]))
    with pytest.raises(MemoryError):
        engine.verdicts(prompts)
    assert model.config._attn_implementation == "sdpa"
    handle.remove()
    for found, before in zip(engine.verdicts(prompts), expected, strict=True):
        assert largest_difference(found.joint, before.joint) < 1e-6


def test_numbers_that_are_not_finite_are_an_error_with_the_verdicts_on_the_others():
    model = tiny_model("qwen3", len(TOKENIZER))
    engine = make(model)
    asked = [*QUESTIONS[:5], Question("~ ~ ~", ("best", "worst"))]
    prompts = [engine.prepare(question) for question in asked]
    (rare, *_) = set(prompts[5].ids) - {token for prompt in prompts[:5] for token in prompt.ids}
    with torch.no_grad():
        model.model.embed_tokens.weight[rare] = float("nan")
    with pytest.raises(EdgeError, match="1 of 6 questions is not finite") as raised:
        engine.verdicts(prompts)
    assert [verdict is None for verdict in raised.value.verdicts] == [False] * 5 + [True]


def test_a_model_that_notes_something_of_a_pass_computes_one_at_a_time():
    model = tiny_model("qwen3", len(TOKENIZER))
    layer = model.model.layers[0]
    assert make(model).side_by_side == 2
    handle = layer.register_forward_hook(lambda module, given, out: setattr(module, "last_seen", out))
    engine = make(model)
    assert (engine.side_by_side, engine.useful_batch_size) == (1, 4)
    handle.remove()


NOTES = {
    "a new buffer": lambda layer: layer.register_buffer("noted", torch.zeros(1)),
    "a buffer that is written to": lambda layer: layer.kept.copy_(torch.ones(1)),
    "an entry of a dictionary": lambda layer: layer.seen.update(last=object()),
    "an entry of a list": lambda layer: layer.order.append(object()),
    "an attribute": lambda layer: setattr(layer, "last", object()),
}


@pytest.mark.parametrize("note", NOTES.values(), ids=NOTES)
@torch.inference_mode()
def test_whatever_a_module_notes_is_seen(note):
    with torch.inference_mode(mode=False):
        layer = torch.nn.Linear(2, 2)
        layer.register_buffer("kept", torch.zeros(1))
        layer.seen, layer.order = {}, []
    assert keeps_nothing(layer, lambda: layer(torch.ones(1, 2)))[1]
    assert not keeps_nothing(layer, lambda: note(layer))[1]


def test_models_that_cannot_pack_and_those_without_a_prefix_compute_one_at_a_time():
    for more in ({"split": False}, {"pack": False}, {"buckets": True}, {"share_prefix": False}):
        engine = make(**more)
        assert engine.side_by_side == 1
        engine.verdicts([engine.prepare(question) for question in QUESTIONS[:2]])


def test_the_threads_share_the_cores_and_end_with_their_engine():
    seen, before = [], set(threads_of_passes())
    torch.set_num_threads(3)
    threads = PassThreads(2)
    ending = set(threads_of_passes()) - before
    assert len(ending) == 2
    both = threading.Barrier(2, timeout=60)
    threads.run(lambda _: (both.wait(), seen.append(torch.get_num_threads())), [0, 1])
    assert sorted(seen) == [1, 2]
    # What began before, and what begins now, computes with all of them.
    assert torch.get_num_threads() == 3
    later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert seen[2] == 3
    del threads
    assert_they_end(ending)


def test_an_engine_that_was_used_lets_its_threads_end():
    before = set(threads_of_passes())
    engine = make()
    engine.verdicts([engine.prepare(question) for question in QUESTIONS])
    ending = set(threads_of_passes()) - before
    assert len(ending) == 2
    del engine
    assert_they_end(ending)


def test_parts_hold_every_question_once_and_are_of_about_the_same_size():
    draw = random.Random(1)
    for _ in range(200):
        columns = [draw.randint(1, 2000) for _ in range(draw.randint(1, 20))]
        parts = divided(columns, draw.randint(1, 5))
        assert sorted(at for part in parts for at in part) == list(range(len(columns)))
        assert all(parts)
        sizes = [sum(columns[at] for at in part) for part in parts]
        assert max(sizes) - min(sizes) <= max(columns)


@pytest.mark.parametrize(("threads", "given", "passes", "size"), [(2, "auto", 2, 8), (1, "auto", 1, 4), (2, 1, 1, 4), (1, 3, 3, 12)])
def test_two_threads_are_two_passes_unless_the_setting_says_otherwise(threads, given, passes, size):
    torch.set_num_threads(threads)
    loaded = LoadedModel(family_model("llama", len(TOKENIZER)), TOKENIZER, PromptFamily.LLAMA, "tiny", "")
    settings = Settings(edge={"side_by_side": given})
    engine = build_engine(settings, loaded)
    assert (engine.side_by_side, batch_size(settings, engine), queue_size(settings, engine)) == (passes, size, max(128, 32 * size))


class Stopped(BaseException):
    """As Ctrl-C is."""


def test_who_is_stopped_leaves_when_all_parts_have_ended():
    threads, both, ended = PassThreads(2), threading.Barrier(3, timeout=60), []

    def work(part):
        both.wait()
        ended.append(part)

    class Parts:
        """Stops the one who hands them out behind the second."""

        def __iter__(self):
            yield from (0, 1)
            threading.Timer(0.2, both.wait).start()
            raise Stopped

        def __len__(self):
            return 2

    with pytest.raises(Stopped):
        threads.run(work, Parts())
    assert sorted(ended) == [0, 1]


class WrongInSharedRows(torch.nn.Module):
    """A layer that is wrong where several prompts stand in one row: where its first position comes again."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, hidden, *given, position_ids, **named):
        out = self.layer(hidden, *given, position_ids=position_ids, **named)
        return out + 3.0 * torch.randn_like(out) if (position_ids[0] == position_ids.min()).sum() > 1 else out


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("side_by_side", [1, 2, 3])
def test_what_is_wrong_only_where_prompts_share_a_row_is_not_served(dtype, side_by_side, caplog):
    caplog.set_level("INFO")
    model = family_model("llama", len(TOKENIZER)).to(dtype)
    loaded = LoadedModel(model, TOKENIZER, PromptFamily.LLAMA, "tiny", "")
    model.model.layers[1] = WrongInSharedRows(model.model.layers[1])
    engine = build_engine(Settings(edge={"side_by_side": side_by_side}), loaded)
    assert "whole masks" in caplog.text
    assert not engine.packs_rows


def test_what_is_noted_only_of_longer_passes_is_found_by_the_proof(caplog):
    caplog.set_level("INFO")
    model = family_model("llama", len(TOKENIZER))
    loaded = LoadedModel(model, TOKENIZER, PromptFamily.LLAMA, "tiny", "")
    short, layer = loaded.engine().prefix_tokens, model.model.layers[0]
    layer.register_forward_pre_hook(lambda module, given: setattr(module, "last", object()) if given[0].shape[1] > short else None)
    engine = build_engine(Settings(), loaded)
    assert "note something of a pass" in caplog.text
    assert engine.side_by_side == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_engine_that_serves_is_proven_with_its_passes_side_by_side(dtype, caplog):
    caplog.set_level("INFO")
    model = family_model("llama", len(TOKENIZER)).to(dtype)
    engine = build_engine(Settings(), LoadedModel(model, TOKENIZER, PromptFamily.LLAMA, "tiny", ""))
    assert engine.side_by_side == 2
    assert "gives what decoding gives" in caplog.text
    assert "whole masks" not in caplog.text

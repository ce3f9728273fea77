"""The proof at load: a model that one pass misreads is refused with the difference, and what was proven is not proven again."""

import copy
import logging
import threading

import pytest
import torch
from transformers import LlamaForCausalLM

from app.core.errors import ConfigError
from app.core.prompt import PromptFamily
from app.core.question import Question
from app.edge import stamps
from app.edge.engine import VerdictEngine
from app.edge.full_precision import InFloat32
from app.edge.loader import LoadedModel, load_model
from app.edge.proof import TOLERANCE, probes, prove
from app.edge.rendering import Renderer
from app.edge.weights import cast_as_loaded
from tests.support.families import family_model
from tests.support.reference import largest_difference, reference_joint
from tests.support.tiny import tiny_tokenizer

TOKENIZER = tiny_tokenizer()
RENDERER = Renderer(TOKENIZER, PromptFamily.LLAMA)
QUESTION = Question("What is this?", ("one", "two", "three"))


class IgnoresMasks(LlamaForCausalLM):
    """Sees everything before a token, whatever mask it is given."""

    def forward(self, input_ids, attention_mask=None, **kwargs):
        return super().forward(input_ids, attention_mask=None, **kwargs)


class IgnoresPositions(LlamaForCausalLM):
    """Counts columns, whatever positions it is given."""

    def forward(self, input_ids, position_ids=None, **kwargs):
        return super().forward(input_ids, position_ids=None, **kwargs)


class IgnoresTheCache(LlamaForCausalLM):
    """Reads a prompt without the prefix that was computed before."""

    def forward(self, input_ids, attention_mask=None, past_key_values=None, **kwargs):
        if attention_mask is None:
            return super().forward(input_ids, past_key_values=past_key_values, **kwargs)
        return super().forward(input_ids, attention_mask=attention_mask[..., -input_ids.shape[1] :], **kwargs)


class IgnoresPositionsInHalfPrecision(LlamaForCausalLM):
    """As a kernel that is wrong in one dtype only."""

    def forward(self, input_ids, position_ids=None, **kwargs):
        half = self.model.embed_tokens(input_ids).dtype is torch.bfloat16
        return super().forward(input_ids, position_ids=None if half else position_ids, **kwargs)


class ScalesItsLogits(LlamaForCausalLM):
    """A family of tomorrow, which does with its logits what no other does."""

    def forward(self, input_ids, **kwargs):
        output = super().forward(input_ids, **kwargs)
        output.logits = torch.tanh(output.logits / 5) * 7
        return output


def llama(as_class=LlamaForCausalLM, dtype=torch.float32):
    model = family_model("llama", len(TOKENIZER))
    model.__class__ = as_class
    if dtype is not torch.float32:
        cast_as_loaded(model, dtype)
    return model


def engine_of(model, **kwargs):
    return LoadedModel(model, TOKENIZER, PromptFamily.LLAMA, "tiny", "").engine(**kwargs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("wrong", [IgnoresMasks, IgnoresPositions, IgnoresTheCache])
def test_a_model_that_one_pass_misreads_is_refused_with_the_difference(wrong, dtype):
    with pytest.raises(ConfigError) as refused:
        engine_of(llama(wrong, dtype))
    message = refused.value.message
    assert message.startswith("the model 'tiny' cannot be used: read in one pass, a probability is off by 0.")
    assert "(at most 0.0001 is allowed)" in message
    assert "\n" not in message


def test_a_fault_that_only_the_prefix_shows_is_no_fault_without_it():
    engine_of(llama(IgnoresTheCache), share_prefix=False)


def test_a_dtype_that_is_wrong_alone_is_refused_alone():
    engine_of(llama(IgnoresPositionsInHalfPrecision))
    with pytest.raises(
        ConfigError, match=r"cannot be used in bfloat16 on cpu: .* by [\d.]+, .* at most by 0\.\d+; set edge.dtype to float32"
    ):
        engine_of(llama(IgnoresPositionsInHalfPrecision, torch.bfloat16))


def test_what_a_family_does_with_its_logits_is_done():
    model = llama(ScalesItsLogits)
    engine = engine_of(model)
    joint, _ = reference_joint(model, TOKENIZER, PromptFamily.LLAMA, QUESTION)
    assert largest_difference(engine.verdicts([engine.prepare(QUESTION)])[0].joint, joint) < 1e-5
    assert largest_difference(joint, reference_joint(llama(), TOKENIZER, PromptFamily.LLAMA, QUESTION)[0]) > 1e-3


def test_weights_that_are_not_finite_are_refused():
    model = llama()
    with torch.no_grad():
        model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(ConfigError, match=r"^the model 'tiny' cannot be used: the edge model's output on 2 of 2 questions is not finite$"):
        engine_of(model)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_proof_says_what_it_found_and_leaves_the_model_as_it_was(dtype):
    model = llama(dtype=dtype)
    before = copy.deepcopy(model.state_dict())
    make = lambda: VerdictEngine(model, RENDERER, name="tiny")  # noqa: E731
    engine = make()
    proof = prove(model, make, engine)
    assert proof.difference < TOLERANCE / 10
    assert (proof.rounding is None) == (dtype is torch.float32)
    if proof.rounding is not None:
        assert 10 * TOLERANCE < proof.rounding < 0.2, "rounding alone would hide what the proof looks for"
        assert "in the dtype that is served, rounding moves one by up to 0.0" in str(proof)
    assert all(torch.equal(value, before[name]) and value.dtype is dtype for name, value in model.state_dict().items())


def test_in_float32_means_float32_everywhere():
    model = llama(dtype=torch.bfloat16)
    exact = copy.deepcopy(model)
    cast_as_loaded(exact, torch.float32)
    ids = torch.tensor([RENDERER.encode("What is this?")])
    with torch.inference_mode(), InFloat32():
        inside = model(ids).logits
        assert torch.zeros(1, dtype=torch.bfloat16).dtype is torch.float32
    with torch.inference_mode():
        assert torch.equal(inside, exact(ids).logits)
        assert not torch.equal(inside, model(ids).logits.float())


def test_one_question_is_longer_than_a_window_that_prompts_can_exceed():
    def lengths(limit=2048, **changes):
        model = family_model("mistral", len(TOKENIZER), **changes)
        engine = VerdictEngine(model, RENDERER, name="x", max_prompt_tokens=limit)
        return [len(engine.prepare(question).ids) for question in probes(engine, model.config)]

    short = lengths(sliding_window=None)
    assert lengths(sliding_window=24) == short, "already longer"
    assert [len(question.options) for question in probes(VerdictEngine(llama(), RENDERER, name="x"), llama().config)] == [2, 4, 10]
    first, long, last = lengths(sliding_window=700)
    assert (first, last) == (short[0], short[2])
    assert 700 < long < 800
    assert lengths(sliding_window=700, limit=700) == short, "no prompt can be longer"
    assert lengths(sliding_window=None, a_chunk_of_tomorrow=700)[1] == long
    assert lengths(limit=min(short)) == [min(short)]
    with pytest.raises(ConfigError, match=r"a prompt may have 9 tokens, and a short question has \d+"):
        lengths(limit=9)


def test_a_window_that_a_model_does_not_name_is_found_by_the_long_question():
    """The engine is told of a wider window than the layers have."""
    model = family_model("mistral", len(TOKENIZER), sliding_window=300)
    VerdictEngine(model, RENDERER, name="x")
    engine_of(model)
    narrower = copy.deepcopy(model)
    narrower.config.sliding_window = 280

    def make():
        engine = VerdictEngine(model, RENDERER, name="x")
        model.config.sliding_window, engine._masks._window = 280, 300
        return engine

    with pytest.raises(ConfigError, match="is off by"):
        prove(model, make, make())


def saved(tmp_path):
    llama().save_pretrained(tmp_path / "m")
    TOKENIZER.save_pretrained(tmp_path / "m")
    return tmp_path / "m"


def proofs_made(caplog, loaded, **kwargs):
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="app.edge.loader"):
        loaded.engine(**kwargs)
    return [record.getMessage() for record in caplog.records if "one pass over" in record.getMessage()]


def test_what_was_proven_is_not_proven_again_until_something_changes(tmp_path, caplog):
    folder = saved(tmp_path)
    load = lambda **kwargs: load_model(str(folder), **{"cache_dir": tmp_path, "device": "cpu", "dtype": "float32", **kwargs})  # noqa: E731
    (said,) = proofs_made(caplog, load())
    assert said.startswith("one pass over 'm' gives what decoding gives: largest difference of a probability ")
    assert said.endswith(" s")
    loaded = load()
    assert proofs_made(caplog, loaded) == []
    for changed, kwargs in (
        (load(), {"share_prefix": False}),
        (load(dtype="bfloat16"), {}),
        (load(family=PromptFamily.QWEN), {}),
    ):
        assert len(proofs_made(caplog, changed, **kwargs)) == 1
        assert proofs_made(caplog, changed, **kwargs) == []
    loaded.model.config.rms_norm_eps = 1e-3
    assert len(proofs_made(caplog, loaded)) == 1
    with torch.no_grad():
        loaded.model.lm_head.weight += 1
    loaded.model.save_pretrained(folder)
    assert len(proofs_made(caplog, load())) == 1, "other weights"
    for stamp in (tmp_path / "proofs").iterdir():
        stamp.write_text("{")
    assert len(proofs_made(caplog, load())) == 1, "a damaged stamp"


def test_a_model_that_is_refused_gets_no_stamp(tmp_path):
    loaded = load_model(str(saved(tmp_path)), cache_dir=tmp_path, device="cpu", dtype="float32")
    loaded.model.__class__ = IgnoresMasks
    for _ in range(2):
        with pytest.raises(ConfigError, match="is off by"):
            loaded.engine()
    assert not list(tmp_path.glob("proofs/*"))


def test_without_a_writable_folder_each_start_makes_its_proof(tmp_path, caplog):
    (tmp_path / "cache").write_text("a file where the folder should be")
    loaded = load_model(str(saved(tmp_path)), cache_dir=tmp_path / "cache", device="cpu", dtype="float32")
    assert len(proofs_made(caplog, loaded)) == 1
    assert len(proofs_made(caplog, loaded)) == 1


def test_stamps_are_written_by_many_at_once(tmp_path):
    facts = {"weights": "a", "code": "b"}
    seen = []

    def write():
        for _ in range(20):
            stamps.write_stamp(tmp_path, facts, "x" * 10_000)
            seen.append(stamps.is_stamped(tmp_path, facts))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 160
    assert len(list(tmp_path.iterdir())) == 1
    assert not stamps.is_stamped(tmp_path, facts | {"code": "c"})

"""Attention in parts gives what one mask over everything gives, and a model that it does not fit is read with whole masks."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import LlamaForCausalLM

from app.core.errors import EdgeError
from app.core.prompt import PromptFamily
from app.core.question import Question
from app.edge.loader import LoadedModel
from app.edge.masks import additive
from app.edge.split_attention import attend, can_split, split_attention
from tests.support.families import family_model
from tests.support.reference import largest_difference, reference_joint
from tests.support.tiny import tiny_tokenizer

TOKENIZER = tiny_tokenizer()
QUESTION = Question("It was the best of times. " * 12 + "Which?", ("best", "worst", "both"))
NODES = 7


def seen(ends, skip, width):
    """Which key each query sees: a prompt's rows what stands before them, the trie's rows the prompt up to its end and a few nodes."""
    allowed = torch.ones(len(ends), width + NODES, skip + width + NODES, dtype=torch.bool)
    allowed[:, :width] = allowed[:, :width].tril(skip)
    for row, end in enumerate(ends):
        allowed[row, width:, skip + end : skip + width] = False
    allowed[:, width:, skip + width :] = torch.eye(NODES, dtype=torch.bool) | (torch.arange(NODES) == 0)
    return allowed


@pytest.mark.parametrize("ends", [[1], [40], [127], [128], [129], [300], [256, 256], [300, 17, 140]])
@pytest.mark.parametrize("skip", [0, 5, 83])
@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_the_parts_are_the_whole(ends, skip, key_heads):
    torch.manual_seed(0)
    batch, width = len(ends), max(ends)
    query = torch.randn(batch, 4, width + NODES, 8)
    key, value = (torch.randn(batch, key_heads, skip + width + NODES, 8) for _ in range(2))
    mask = additive(seen(ends, skip, width), torch.float32)[:, None]
    whole = scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=0.3, enable_gqa=True).transpose(1, 2)
    answer = mask[:1, :, width:] if min(ends) == width else mask[:, :, width:]
    parts, none = attend(SimpleNamespace(), query, key, value, answer, scaling=0.3)
    assert none is None
    assert parts.is_contiguous()
    # What stands in the padding is looked at by nobody.
    for row, end in enumerate(ends):
        for rows in (slice(0, end), slice(width, None)):
            assert torch.allclose(parts[row, rows], whole[row, rows], atol=1e-5)


def test_a_whole_mask_is_taken_as_it_is():
    query, key, value = (torch.randn(1, 2, 9, 8) for _ in range(3))
    mask = additive(torch.ones(9, 9, dtype=torch.bool).triu(), torch.float32)[None, None]
    found, _ = attend(SimpleNamespace(), query, key, value, mask)
    assert torch.equal(found, scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2))


@pytest.mark.parametrize("given", [{"softcap": 30.0}, {"position_bias": torch.zeros(1)}])
def test_what_is_not_computed_is_refused(given):
    query = torch.randn(1, 2, 9, 8)
    with pytest.raises(EdgeError, match="caps its attention or adds a bias"):
        attend(SimpleNamespace(), query, query, query, torch.zeros(1, 1, 3, 9), **given)
    with pytest.raises(EdgeError, match="drops the mask"):
        attend(SimpleNamespace(), query, query, query, None)


def test_the_configuration_is_left_as_it_was():
    model = family_model("llama", len(TOKENIZER))
    assert can_split(model)
    inside = []

    def fail():
        with split_attention(model):
            inside.append(model.config._attn_implementation)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert inside == ["foggate_split"]
    assert model.config._attn_implementation == "sdpa"
    model.config._attn_implementation = "eager"
    assert not can_split(model)


class WantsWholeMasks(LlamaForCausalLM):
    """Its own code needs one row of the mask for each token."""

    def forward(self, input_ids, attention_mask=None, **kwargs):
        if attention_mask is not None and attention_mask.shape[2] != input_ids.shape[1]:
            raise ValueError("one row for each token is needed")
        return super().forward(input_ids, attention_mask=attention_mask, **kwargs)


class MisreadsParts(LlamaForCausalLM):
    """It lets the trie's tokens see everything."""

    def forward(self, input_ids, attention_mask=None, **kwargs):
        if attention_mask is not None and attention_mask.shape[2] != input_ids.shape[1]:
            attention_mask = torch.zeros_like(attention_mask)
        return super().forward(input_ids, attention_mask=attention_mask, **kwargs)


@pytest.mark.parametrize(("kind", "splits"), [(LlamaForCausalLM, True), (WantsWholeMasks, False), (MisreadsParts, False)])
def test_a_model_that_it_does_not_fit_is_read_with_whole_masks(kind, splits, tmp_path, caplog):
    caplog.set_level("INFO")
    model = family_model("llama", len(TOKENIZER))
    model.__class__ = kind
    loaded = LoadedModel(model, TOKENIZER, PromptFamily.LLAMA, "x", "abc", tmp_path)
    joint, _ = reference_joint(model, TOKENIZER, PromptFamily.LLAMA, QUESTION)
    # The second one finds the stamp of the first one's proof.
    for again in (False, True):
        caplog.clear()
        engine = loaded.engine()
        assert engine.splits_attention is splits
        assert ("is computed with whole masks" in caplog.text) is not splits, "each start says that it is slower than it could be"
        assert ("by an earlier proof in" in caplog.text) is (again and not splits)
        assert largest_difference(engine.verdicts([engine.prepare(QUESTION)])[0].joint, joint) < 1e-5
    assert len([*tmp_path.iterdir()]) == 1


class ShortOfMemory(LlamaForCausalLM):
    """Memory lacks for parts, as long as it lacks."""

    lacks = True

    def forward(self, input_ids, attention_mask=None, **kwargs):
        if self.lacks and attention_mask is not None and attention_mask.shape[2] != input_ids.shape[1]:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(input_ids, attention_mask=attention_mask, **kwargs)


def test_a_start_that_lacked_memory_for_the_proof_decides_nothing_for_later_starts(tmp_path):
    model = family_model("llama", len(TOKENIZER))
    model.__class__ = ShortOfMemory
    loaded = LoadedModel(model, TOKENIZER, PromptFamily.LLAMA, "x", "abc", tmp_path)
    assert not loaded.engine().splits_attention
    model.lacks = False
    assert loaded.engine().splits_attention

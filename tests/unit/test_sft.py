"""What is trained is what is read: the tokens, the loss, the merge."""

import json

import pytest
import torch
from safetensors.torch import load_file

from app.core.buckets import BUCKET_LABELS
from app.core.errors import ConfigError
from app.core.prompt import answer_text, chat_messages
from app.core.question import Question
from app.data.dataset import Item
from app.edge.foggen import ORIGIN
from app.edge.loader import load_model
from app.edge.rendering import Renderer
from app.training.batches import Collator, RowDataset, completion_loss
from app.training.checkpoint import load_base, sign
from app.training.config import LoraConfig, SftConfig
from app.training.label_file import Labelled
from app.training.rows import TrainingRows, balanced, common_prefix, to_example
from app.training.sft import train
from tests.support.chains import base_folder
from tests.support.tiny import FAMILIES, TEMPLATES, tiny_tokenizer

KINDS = ("qwen3", "gemma3")


def rows(count=8):
    items = [Item(Question(f"What is {n}?\nSay it. " * (1 + n % 3), tuple("wxyz"[: 2 + n % 3]), "law", f"q{n}"), "A") for n in range(count)]
    return [Labelled(item, item.question.letters[n % len(item.question.letters)], n % 5) for n, item in enumerate(items)]


@pytest.mark.parametrize("kind", KINDS)
def test_training_feeds_exactly_the_tokens_that_the_trie_reads_and_the_template_writes(kind):
    tokenizer, family = tiny_tokenizer(TEMPLATES[kind]), FAMILIES[kind]
    renderer = Renderer(tokenizer, family)
    for row in rows(10):
        example = to_example(renderer, row)
        answer = answer_text(BUCKET_LABELS[row.bucket], row.letter)
        rendered = tokenizer.apply_chat_template(
            chat_messages(row.item.question, family), tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        end = tokenizer.eos_token_id
        assert [*example.prompt, *example.completion] == [*tokenizer.encode(rendered + answer, add_special_tokens=False), end]
        assert example.prompt == renderer.prompt(row.item.question).ids
        # The trie reads the bucket at these nodes and the letter behind the last one.
        leaf = renderer.trie.leaves[row.bucket]
        nodes = [renderer.trie.tokens[node] for node in reversed(renderer.trie.ancestors(leaf))]
        letter = renderer.trie.letters[row.bucket][row.item.question.letters.index(row.letter)]
        assert list(example.completion) == [*nodes, letter, end]


def test_the_whole_conversation_as_the_chat_template_writes_it_begins_with_the_trained_tokens():
    """The assistant's turn of the template itself: prompt, answer, end of turn."""
    tokenizer, family = tiny_tokenizer(), FAMILIES["qwen3"]
    row = rows()[3]
    messages = [
        *chat_messages(row.item.question, family),
        {"role": "assistant", "content": answer_text(BUCKET_LABELS[row.bucket], row.letter)},
    ]
    whole = tokenizer.encode(tokenizer.apply_chat_template(messages, tokenize=False), add_special_tokens=False)
    example = to_example(Renderer(tokenizer, family), row)
    fed = [*example.prompt, *example.completion]
    assert whole[: len(fed)] == fed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("learn_confidence", [True, False])
def test_the_loss_is_that_of_the_answer_tokens_alone(kind, learn_confidence, tmp_path):
    """Against the plain model, one row at a time without padding; a warm-up's row leaves out what tells the buckets apart."""
    loaded = load_model(str(base_folder(tmp_path / "base", kind)), cache_dir=tmp_path, dtype="float32", device="cpu")
    renderer = Renderer(loaded.tokenizer, loaded.family)
    examples = [to_example(renderer, row, learn_confidence=learn_confidence) for row in rows(5)]
    # `Confidence`, `:`, ` `, then 0 or 1, the point, and behind 0. one of 0, 2, 5, 7.
    places = [set() if learn_confidence else {3} if BUCKET_LABELS[row.bucket] == "1.0" else {3, 5} for row in rows(5)]
    drawn = {example.completion: place for example, place in zip(examples, places, strict=True)}
    dataset = RowDataset(TrainingRows(renderer, rows(5), seed=None, learn_confidence=learn_confidence))
    batch = Collator(0)([dataset[index] for index in range(len(dataset))])
    with torch.no_grad():
        ours = completion_loss(loaded.model(**{key: value for key, value in batch.items() if key != "labels"}), batch["labels"])
        total, count = 0.0, 0
        for example in examples:
            ids = torch.tensor([[*example.prompt, *example.completion]])
            log_p = torch.log_softmax(loaded.model(ids).logits[0].float(), dim=-1)
            for at, token in enumerate(example.completion, start=len(example.prompt)):
                if at - len(example.prompt) in drawn[example.completion]:
                    continue
                total -= float(log_p[at - 1, token])
                count += 1
    assert count == sum(len(example.completion) for example in examples) - sum(map(len, places)) == int((batch["labels"] != -100).sum())
    assert float(ours) == pytest.approx(total / count, rel=1e-4)


def trained(checkpoint, folder, **changes):
    loaded = checkpoint.loaded
    renderer = Renderer(loaded.tokenizer, loaded.family)
    sft = SftConfig(**{"learning_rate": 5e-3, "epochs": 3, "batch_size": 4, "micro_batch_size": 2, **changes})
    lessons = TrainingRows(renderer, rows(), seed=0 if sft.shuffle_options else None)
    done = train(loaded.model, lessons, folder, base_name="tiny", sft=sft, lora=LoraConfig(), seed=0)
    sign(folder, checkpoint.fingerprint)
    return done, renderer.prompt(rows()[0].item.question).ids


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_is_trained_reproducibly_and_merged_as_what_it_computes(kind, tmp_path):
    base = load_base(str(base_folder(tmp_path / "base", kind)), cache_dir=tmp_path, family="auto", device="cpu")
    before = {name: value.clone() for name, value in base.loaded.model.state_dict().items()}
    done, probe = trained(base, tmp_path / "a")
    assert (done.steps, done.rows, len(done.loss)) == (6, 8, 6)
    assert done.loss[-1] < done.loss[0] - 0.1
    again, _ = trained(base, tmp_path / "b")
    assert again == done
    for name in ("adapter_model.safetensors", "adapter_config.json", ORIGIN):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    config = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["r"], config["lora_alpha"]) == ("tiny", 16, 32)
    assert set(config["target_modules"]) == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    after = base.loaded.model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], value) for name, value in before.items()), "the base is as it was"

    prints = [base.fingerprint]
    base.merge(tmp_path / "a", probe)
    merged = base.loaded.model.state_dict()
    lora = load_file(tmp_path / "a" / "adapter_model.safetensors")
    name = "model.layers.0.self_attn.q_proj"
    update = lora[f"base_model.model.{name}.lora_B.weight"] @ lora[f"base_model.model.{name}.lora_A.weight"] * 2
    assert torch.allclose(merged[f"{name}.weight"], before[f"{name}.weight"] + update, atol=1e-6)
    assert base.fingerprint not in prints
    with pytest.raises(ConfigError, match="was trained on weights"):
        base.merge(tmp_path / "a", probe)


@pytest.mark.parametrize("kind", [*KINDS, "llama"])
def test_a_shared_prefix_trains_the_same_adapter(kind, tmp_path):
    """Rows of different lengths, so that padding stands between the prefix and the rest."""
    base = load_base(str(base_folder(tmp_path / "base", kind)), cache_dir=tmp_path, family="auto", device="cpu")
    shared, _ = trained(base, tmp_path / "a")
    whole, _ = trained(base, tmp_path / "b", share_prefix=False)
    assert shared.loss == pytest.approx(whole.loss, rel=1e-4)
    one, other = (load_file(tmp_path / name / "adapter_model.safetensors") for name in "ab")
    for name, value in one.items():
        assert torch.allclose(value, other[name], atol=2e-4), name


def test_the_common_prefix_leaves_every_prompt_a_token_of_its_own():
    assert common_prefix([(1, 2, 3, 4), (1, 2, 5)]) == (1, 2)
    assert common_prefix([(1, 2, 3), (1, 2)]) == (1,)
    assert common_prefix([(1, 2), (1, 2)]) == (1,)
    assert common_prefix([(7, 2), (1, 2)]) == ()
    assert common_prefix([(1, 2, 3), (1, 5, 3), (1, 2, 3, 4)]) == (1,)


def test_gradient_checkpointing_trains_the_same_adapter(tmp_path):
    base = load_base(str(base_folder(tmp_path / "base")), cache_dir=tmp_path, family="auto", device="cpu")
    plain, _ = trained(base, tmp_path / "a")
    thrifty, _ = trained(base, tmp_path / "b", gradient_checkpointing=True)
    assert thrifty.loss == pytest.approx(plain.loss, rel=1e-3)


def test_a_damaged_adapter_and_one_of_another_base_are_refused(tmp_path):
    base = load_base(str(base_folder(tmp_path / "base")), cache_dir=tmp_path, family="auto", device="cpu")
    _, probe = trained(base, tmp_path / "a", epochs=1)
    other = base_folder(tmp_path / "other", "llama")
    with pytest.raises(ConfigError, match="belongs to another base model: it was trained on weights"):
        load_model(str(other), cache_dir=tmp_path, adapter=str(tmp_path / "a"), dtype="float32", device="cpu")
    served = load_model(str(tmp_path / "base"), cache_dir=tmp_path, adapter=str(tmp_path / "a"), dtype="float32", device="cpu")
    assert served.name == "base+a"
    weights = tmp_path / "a" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ConfigError, match="cannot be used"):
        base.merge(tmp_path / "a", probe)
    sign(tmp_path / "a", "000000000000")
    with pytest.raises(ConfigError, match="was trained on weights 000000000000, not on"):
        base.merge(tmp_path / "a", probe)


def test_balancing_repeats_rare_buckets_until_all_are_as_frequent():
    made = [row for row in rows(20) if row.bucket != 3]
    some = [row for row in made if row.bucket != 4] + [row for row in made if row.bucket == 4][:1]
    even = balanced(some, seed=0)
    counts = [sum(row.bucket == bucket for row in even) for bucket in range(5)]
    assert counts == [4, 4, 4, 0, 4]
    assert balanced(some, seed=0) == even
    assert balanced([], seed=0) == []

"""Rows of a training: their options, and with them their letters, stand in another order in every epoch."""

import functools
from collections import Counter

import pytest

from app.core.question import LETTERS, Question
from app.data.dataset import Item
from app.edge.loader import load_model
from app.edge.rendering import Renderer
from app.training.checkpoint import load_base, sign
from app.training.config import LoraConfig, SftConfig
from app.training.label_file import Labelled
from app.training.rows import TrainingRows, to_example
from app.training.sft import train
from tests.support.chains import base_folder
from tests.support.graded import NOUNS, WORDS, learnable_base
from tests.support.tiny import FAMILIES, TEMPLATES, tiny_tokenizer


def labelled(count, *, options=4, letter=None, bucket=2):
    """Questions of four words; the answer that is learned is the one under `letter`, or each in turn."""
    made = []
    for number in range(count):
        words = tuple(WORDS[(number + step) % len(WORDS)] for step in range(options))
        item = Item(Question(f"What is {NOUNS[number % len(NOUNS)]} {number}?", words, "law", f"q{number}"), "B")
        made.append(Labelled(item, letter or LETTERS[number % options], bucket))
    return made


@functools.cache
def tiny_renderer():
    return Renderer(tiny_tokenizer(TEMPLATES["qwen3"]), FAMILIES["qwen3"])


def training_rows(rows, *, seed=0, **kwargs):
    return TrainingRows(tiny_renderer(), rows, seed=seed, **kwargs)


def test_the_letters_go_with_the_options():
    rows = labelled(12)
    lessons = training_rows(rows)
    for epoch in range(5):
        for index, row in enumerate(rows):
            moved = lessons.row(index, epoch)
            before, after = row.item.question, moved.item.question
            assert sorted(after.options) == sorted(before.options)
            assert after.text_of(moved.letter) == before.text_of(row.letter)
            assert after.text_of(moved.item.gold) == before.text_of(row.item.gold)
            assert (after.question, after.id, after.domain, moved.bucket) == (before.question, before.id, before.domain, row.bucket)
            assert lessons.example(index, epoch) == to_example(lessons._renderer, moved)


@pytest.mark.parametrize("options", [2, 3, 4, 5])
def test_each_epoch_has_another_letter_and_in_as_many_epochs_as_options_each_comes_once(options):
    lessons = training_rows(labelled(40, options=options, letter="A"))
    for index in range(40):
        letters = [lessons.row(index, epoch).letter for epoch in range(2 * options)]
        assert sorted(letters[:options]) == list(LETTERS[:options])
        assert letters[options:] == letters[:options]


def test_the_letters_of_one_epoch_are_balanced_although_all_rows_had_the_same():
    """400 rows with the answer A, in the first epoch: chi-square of four letters, 3 degrees of freedom, p > 1e-4."""
    lessons = training_rows(labelled(400, letter="A"))
    counts = Counter(lessons.row(index, 0).letter for index in range(400))
    assert sum((counts[letter] - 100) ** 2 / 100 for letter in "ABCD") < 21.1
    others = Counter(lessons.row(index, 0).item.question.options.index(WORDS[(index + 1) % len(WORDS)]) for index in range(400))
    assert sum((others[place] - 100) ** 2 / 100 for place in range(4)) < 21.1


def test_the_seed_decides_and_repeated_rows_are_shuffled_apart():
    rows = labelled(30)
    orders = [[training_rows(rows, seed=seed).row(index, 1).item.question.options for index in range(30)] for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    lessons = training_rows([rows[0]] * 12)
    assert len({lessons.row(index, 0).item.question.options for index in range(12)}) > 4


def test_rows_whose_options_point_at_others_and_trainings_without_a_seed_keep_the_order():
    fixed = Labelled(Item(Question("Which?", ("red", "blue", "all of the above"), "law", "f"), "C"), "C", 1)
    lessons = training_rows([*labelled(3), fixed])
    assert lessons.fixed == 1
    assert all(lessons.row(3, epoch) == fixed for epoch in range(6))
    rows = labelled(3)
    assert [training_rows(rows, seed=None).row(index, 7) for index in range(3)] == rows


def test_the_prefix_is_what_the_prompts_of_all_epochs_begin_with():
    """One question, so that in one order everything up to the first option would be shared, and more by chance."""
    lessons = training_rows([Labelled(Item(Question("Which?", ("red", "real", "blue", "rest"), "law", "f"), "C"), "C", 1)])
    prefix = lessons.prefix(6)
    prompts = [lessons.example(0, epoch).prompt for epoch in range(6)]
    assert all(prompt[: len(prefix)] == prefix and len(prompt) > len(prefix) for prompt in prompts)
    assert len({prompt[len(prefix)] for prompt in prompts}) > 1, "it is the longest"
    assert len(prefix) < len(lessons.prefix(1))


def fed(folder, model, rows, **sft):
    """What the real Trainer gives the model, epoch by epoch: the rows' token ids without padding."""
    seen = []

    def note(module, args, kwargs):
        for ids, mask in zip(kwargs["input_ids"], kwargs["attention_mask"], strict=True):
            seen.append(tuple(ids[mask.bool()].tolist()))

    handle = model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        given = SftConfig(learning_rate=1e-3, batch_size=4, micro_batch_size=2, share_prefix=False, **sft)
        done = train(model, rows, folder, base_name="tiny", sft=given, lora=LoraConfig(), seed=0)
    finally:
        handle.remove()
    size = len(seen) // sft["epochs"]
    return done, [seen[at : at + size] for at in range(0, len(seen), size)]


@pytest.mark.parametrize("shuffle", [True, False])
def test_the_trainer_feeds_each_epochs_own_order(tmp_path, shuffle):
    loaded = load_model(str(base_folder(tmp_path / "base")), cache_dir=tmp_path, dtype="float32", device="cpu")
    lessons = TrainingRows(Renderer(loaded.tokenizer, loaded.family), labelled(8), seed=5 if shuffle else None)
    done, epochs = fed(tmp_path / "a", loaded.model, lessons, epochs=3)
    assert done.steps == 6
    for epoch, rows in enumerate(epochs):
        examples = [lessons.example(index, epoch) for index in range(8)]
        assert sorted(rows) == sorted((*example.prompt, *example.completion) for example in examples)
    assert (sorted(epochs[0]) != sorted(epochs[1]) != sorted(epochs[2])) == shuffle


def test_the_same_seed_writes_the_same_bytes_and_shuffling_other_ones(tmp_path):
    base = load_base(str(base_folder(tmp_path / "base")), cache_dir=tmp_path, family="auto", device="cpu")
    renderer = Renderer(base.loaded.tokenizer, base.loaded.family)
    sft = SftConfig(learning_rate=5e-3, epochs=2, batch_size=4, micro_batch_size=2)
    for name, seed in (("a", 0), ("b", 0), ("c", None)):
        train(
            base.loaded.model,
            TrainingRows(renderer, labelled(8), seed=seed),
            tmp_path / name,
            base_name="tiny",
            sft=sft,
            lora=LoraConfig(),
            seed=0,
        )
    one, same, other = ((tmp_path / name / "adapter_model.safetensors").read_bytes() for name in "abc")
    assert one == same != other


def test_rows_that_all_have_one_letter_teach_that_letter_only_where_nothing_is_shuffled(tmp_path):
    """The words say nothing, so all that can be learned is the letter: a bias that shuffling takes away."""
    folder = learnable_base(tmp_path / "base")
    share = {}
    for shuffle in (True, False):
        base = load_base(str(folder), cache_dir=tmp_path, family="auto", device="cpu")
        renderer = Renderer(base.loaded.tokenizer, base.loaded.family)
        out = tmp_path / f"shuffle-{shuffle}"
        sft = SftConfig(learning_rate=8e-3, epochs=2, batch_size=8, micro_batch_size=8)
        rows = TrainingRows(renderer, labelled(96, letter="C"), seed=0 if shuffle else None)
        train(base.loaded.model, rows, out, base_name="tiny", sft=sft, lora=LoraConfig(), seed=0)
        sign(out, base.fingerprint)
        questions = [row.item.question for row in labelled(20)]
        base.merge(out, renderer.prompt(questions[0]).ids)
        engine = base.engine(max_prompt_tokens=512)
        verdicts = engine.verdicts([engine.prepare(question) for question in questions])
        share[shuffle] = sum(verdict.answer_probabilities["C"] for verdict in verdicts) / len(verdicts)
    assert share[False] > 0.9
    assert share[True] < 0.5

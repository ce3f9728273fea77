"""What a training through the one pass is fed with: targets that follow the options, labels that differ, and a state that continues."""

import itertools
import json
from types import SimpleNamespace

import pytest
import torch

from app.core.errors import ConfigError
from app.core.question import LETTERS, Question
from app.data.dataset import Item
from app.edge.rendering import Renderer
from app.training.config import EvolveConfig
from app.training.entropy import check_labels
from app.training.joint_rows import JointRows, target_of
from app.training.joint_state import STATE, TrainingState, clear, load, save
from app.training.joint_steps import spread
from app.training.label import bucket_distribution
from app.training.label_file import Labelled
from app.training.own_letters import own_letters
from app.training.publish.report import joint_sentences
from app.training.summary import Evaluation
from tests.support.tiny import FAMILIES, TEMPLATES, tiny_tokenizer

WORDS = ("lamp", "chair", "apple", "horse", "piano")


@pytest.fixture(scope="module")
def renderer():
    return Renderer(tiny_tokenizer(TEMPLATES["qwen3"]), FAMILIES["qwen3"])


def labelled(count, *, domain="law", buckets=(0, 1, 2, 3, 4)):
    rows = []
    for number in range(count):
        size = 2 + number % 4
        item = Item(Question(f"What is {number}? " * (1 + number % 5), WORDS[:size], domain, f"{domain}{number}"), "B")
        kept = tuple(2 * (place + 1) / (size * (size + 1)) for place in range(size))
        rows.append(Labelled(item, LETTERS[number % size], buckets[number % len(buckets)], (number % 9) / 8, kept))
    return rows


def config_of(**changes):
    return EvolveConfig.model_validate({"data": {"train": {}}, "loss": "joint", "labels": {"target": "soft"}, **changes})


def test_the_kept_letters_go_with_the_options(renderer):
    rows = labelled(20)
    lessons = JointRows(renderer, rows, config_of(), seed=1)
    moved = 0
    for epoch in range(4):
        for index, row in enumerate(rows):
            prompt, target = lessons.row(index, epoch)
            shown = lessons._rows.row(index, epoch).item.question
            assert prompt == renderer.prompt(shown)
            of = dict(zip(row.item.question.options, row.kept, strict=True))
            assert target.kept == tuple(of[option] for option in shown.options)
            assert shown.options[target.letter] == row.item.question.text_of(row.letter)
            assert target.buckets == bucket_distribution(row.p_correct, 8)
            moved += shown.options != row.item.question.options
    assert moved > 40
    still = JointRows(renderer, rows, config_of(sft={"shuffle_options": False}), seed=1)
    assert all(still.row(index, epoch)[1].kept == row.kept for index, row in enumerate(rows) for epoch in range(3))


def test_every_epoch_has_each_row_once_in_steps_of_rows_of_similar_length(renderer):
    rows = labelled(45)
    config = config_of(sft={"batch_size": 8})
    lessons = JointRows(renderer, rows, config, seed=1)
    epochs = [lessons.batches(epoch) for epoch in (0, 1)]
    assert epochs[0] != epochs[1]
    assert epochs == [JointRows(renderer, rows, config, seed=1).batches(epoch) for epoch in (0, 1)]
    assert epochs[0] != JointRows(renderer, rows, config, seed=2).batches(0)
    for batches in epochs:
        assert sorted(index for batch in batches for index in batch) == list(range(45))
        assert sorted(map(len, batches)) == [5, 8, 8, 8, 8, 8]
        lengths = sorted(sorted(lessons._lengths[index] for index in batch) for batch in batches)
        assert all(shorter[-1] <= longer[0] for shorter, longer in itertools.pairwise(lengths))


def test_hard_targets_are_one_bucket_and_whether_the_checkpoint_answers_correctly():
    hard, brier = {"target": "hard"}, {"confidence_loss": "brier"}
    rows = labelled(8)
    for row in rows:
        target = target_of(row, config_of(labels=hard, joint=brier))
        assert (target.buckets[row.bucket], sum(target.buckets)) == (1.0, 1.0)
        # The last option is the checkpoint's most probable one here.
        assert target.correct == float(row.letter == row.item.question.letters[-1])
        assert target.kept == row.kept
        soft = target_of(row, config_of(joint={**brier, "letters": "gold"}))
        assert (soft.correct, soft.kept) == (row.p_correct, None)
    assert {target_of(row, config_of(labels=hard)).correct for row in rows} == {0.0, 1.0}


def test_labels_that_are_nearly_all_alike_are_refused_by_domain():
    alike = labelled(40, domain="math", buckets=(1,) * 19 + (2,))
    with pytest.raises(
        ConfigError, match=r"domain 'math' are nearly all alike \(38 × 0\.25, 2 × 0\.5: 0\.29 bits .*--allow-uniform-labels"
    ):
        check_labels([*labelled(40), *alike])
    found = check_labels([*labelled(40), *alike], allowed=True)
    assert found == {"law": pytest.approx(2.3219, abs=1e-4), "math": pytest.approx(0.2864, abs=1e-4)}
    # Of a few rows nothing can be said; of two buckets in nine of ten, one in ten is under the limit, and one in eight is not.
    assert check_labels(labelled(19, buckets=(1,))) == {"law": 0.0}
    with pytest.raises(ConfigError, match=r"0\.47 bits"):
        check_labels(labelled(40, buckets=(1,) * 9 + (2,)))
    assert check_labels(labelled(40, buckets=(1,) * 7 + (2,)))["law"] == pytest.approx(0.5436, abs=1e-4)


def evaluations(*aurocs):
    return [Evaluation(step=10 * at, auroc=auroc, accuracy=0.5, mean=0.5) for at, auroc in enumerate(aurocs)]


@pytest.mark.parametrize(
    ("aurocs", "best", "over"),
    [
        # The checkpoint before the training (step 0) is no adapter.
        ((0.9, 0.6), 10, False),
        ((0.5, 0.7, 0.6), 20 - 10, False),
        ((0.5, 0.7, 0.6, 0.65), 10, True),
        ((0.5, 0.7, 0.6, 0.7), 30, False),
        ((0.5, None, None), 20, False),
        ((0.5, 0.6, None, None), 10, True),
    ],
)
def test_the_best_step_is_kept_and_two_evaluations_without_a_better_one_end_it(aurocs, best, over):
    state = TrainingState("x", step=10 * len(aurocs), evaluations=evaluations(*aurocs))
    assert (state.best_step, state.is_over(1000, 2)) == (best, over)
    assert not state.is_over(1000, 0)
    assert state.is_over(state.step, 0)


def test_a_state_is_read_as_it_was_written_or_not_at_all(tmp_path):
    weight = torch.nn.Parameter(torch.randn(3, 2))
    optimizer = torch.optim.AdamW([weight], lr=0.1)
    weight.sum().backward()
    optimizer.step()
    weights = {"a": weight.detach().clone()}
    state = TrainingState("o", 3, weights, weights, optimizer.state_dict(), [0.1], [0.2], [0.3], evaluations(0.5, None))
    save(tmp_path, state)
    known = load(tmp_path, "o")
    assert (known.step, known.loss, known.evaluations) == (3, [0.3], state.evaluations)
    assert torch.equal(known.weights["a"], weights["a"])
    assert torch.equal(known.optimizer["state"][0]["exp_avg"], state.optimizer["state"][0]["exp_avg"])
    # Of other rows or weights: the training begins anew.
    assert load(tmp_path, "other") == TrainingState("other")
    (tmp_path / STATE).write_bytes((tmp_path / STATE).read_bytes()[:200])
    with pytest.raises(ConfigError, match=r"training\.state is damaged: delete it"):
        load(tmp_path, "o")
    clear(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_report_says_how_the_loss_was_computed():
    (said,) = joint_sentences(SimpleNamespace(config=config_of(joint={"confidence_loss": "brier"})))
    assert "through the one pass: soft targets, brier of the confidence (weight 1), letters: keep (weight 1)" in said
    assert joint_sentences(SimpleNamespace(config=EvolveConfig(data={"train": {}}))) == []


def test_some_dev_rows_are_spread_over_the_domains():
    dev = [row.item for name, count in (("law", 5), ("math", 2), ("art", 4)) for row in labelled(count, domain=name)]
    chosen = spread(dev, ["law", "math", "art"], 8)
    assert [item.question.domain for item in chosen] == ["law", "math", "art"] * 2 + ["law", "art"]
    assert len({item.id for item in chosen}) == 8
    assert spread(dev, ["law", "math", "art"], None) == spread(dev, ["law", "math", "art"], 99) == dev


class Reader:
    """An engine that counts what it reads; the distribution depends on the question's id."""

    name, fingerprint = "reader", "f"

    def __init__(self, renderer, fail_at=None):
        self.renderer, self.fail_at, self.asked = renderer, fail_at, 0

    def prepare(self, question):
        return self.renderer.prompt(question)

    def verdicts(self, prompts, *, temperature):
        assert temperature == 1.0
        if self.fail_at is not None and self.asked >= self.fail_at:
            raise KeyboardInterrupt
        self.asked += len(prompts)
        made = []
        for prompt in prompts:
            weights = [1 + (len(prompt.ids) * (place + 1)) % 7 for place in range(prompt.options)]
            letters = {LETTERS[place]: weight / sum(weights) for place, weight in enumerate(weights)}
            made.append(type("V", (), {"answer_probabilities": letters})())
        return made


def test_own_letters_are_read_once_and_continued_after_a_kill(tmp_path, renderer):
    items = [row.item for row in labelled(10)]
    whole = own_letters(Reader(renderer), items, tmp_path / "whole.jsonl", batch_size=3, dtype="float32")
    assert list(whole) == [item.id for item in items]
    assert all(
        sum(letters) == pytest.approx(1) and len(letters) == len(item.question.options)
        for item, letters in zip(items, whole.values(), strict=True)
    )
    out = tmp_path / "killed.jsonl"
    with pytest.raises(KeyboardInterrupt):
        own_letters(Reader(renderer, fail_at=6), items, out, batch_size=3, dtype="float32")
    with out.with_name("killed.jsonl.partial").open("a") as file:
        file.write('{"id": "law9", "let')
    again = Reader(renderer)
    assert own_letters(again, items, out, batch_size=3, dtype="float32") == whole
    assert again.asked == 4
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert own_letters(Reader(renderer, fail_at=0), items, out, batch_size=3, dtype="float32") == whole
    with pytest.raises(ConfigError, match="letters made with dtype float32, not bfloat16"):
        own_letters(Reader(renderer), items, out, batch_size=3, dtype="bfloat16")
    out.write_text(json.dumps({"id": "law1"}) + "\n")
    with pytest.raises(ConfigError, match=r"killed\.jsonl is damaged: delete it"):
        own_letters(Reader(renderer), items, out, batch_size=3, dtype="float32")

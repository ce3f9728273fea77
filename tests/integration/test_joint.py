"""Chains that are trained through the one pass: they can be killed, refuse labels that say nothing, and make confidence a signal."""

import json

import pytest
import yaml

from app.core.errors import ConfigError
from app.core.verdict import Signal
from app.data.dataset import Item
from app.training.chain import open_chain
from app.training.checkpoint import load_base
from app.training.config import load_config
from app.training.evolve import run_rounds
from app.training.joint import fine_tune_jointly
from app.training.label_file import Labelled
from tests.integration.test_evolve import OPEN, artefacts, opened, run_killed
from tests.support.chains import chain_config
from tests.support.graded import LETTERS, graded, learnable_base, measure

JOINT = {"loss": "joint", "joint": {"evaluate_every": 2, "evaluate_rows": 6}, "labels": {"source": "gold", "target": "soft"}, **OPEN}
SFT = {"learning_rate": 1e-3, "epochs": 2, "batch_size": 4, "micro_batch_size": 2}


async def test_killed_and_resumed_a_joint_chain_ends_with_the_same_bytes(tmp_path):
    path = chain_config(
        tmp_path / "in", rounds=0, sft={**SFT, "epochs": 1}, **{**JOINT, "joint": {"evaluate_every": 1, "evaluate_rows": 6}}
    )
    run_rounds(opened(path, tmp_path / "whole"))
    killed = await run_killed(path, tmp_path / "killed", "http://127.0.0.1:9", kills=2, seed=2)
    assert killed["kills"] == 2
    whole = artefacts(tmp_path / "whole")
    assert artefacts(tmp_path / "killed") == whole
    assert {"R00/letters.jsonl", "R00/adapter/adapter_model.safetensors"} <= set(whole)
    assert not [name for name in whole if name.endswith((".partial", ".state"))]


def trained(chain, folder, *, rows=16):
    """The adapter of a round on rows of R0, without the round's other steps."""
    folder.mkdir(exist_ok=True)
    labelled = [Labelled(item, item.gold, index % 5, (index % 9) / 8) for index, item in enumerate(chain.pools.new[0][:rows])]
    return fine_tune_jointly(chain, folder, labelled, seed=1, new=rows, replay=0)


def stop_at(chain, step):
    """Stop a training like a kill, when so many steps are done."""

    def progress(name, done, _of):
        if name.endswith("training") and done == step:
            raise KeyboardInterrupt

    chain.progress = progress


def test_a_training_continues_from_its_last_evaluation(tmp_path):
    """Also with dropout, whose draws must not depend on where the run was killed."""
    path, out = chain_config(tmp_path / "in", buffer_rows=16, sft=SFT, lora={"r": 4, "dropout": 0.2}, **JOINT), tmp_path / "run"
    chain = opened(path, out)
    model, seen = chain.checkpoint.loaded.model, []
    before = {name: value.clone() for name, value in model.state_dict().items()}
    summary = trained(chain, out / "whole")
    stop_at(chain, 5)
    with pytest.raises(KeyboardInterrupt):
        trained(chain, out / "killed")
    assert list(model.state_dict()) == list(before), "the adapter is taken off the model whatever happens"
    assert all(bool((model.state_dict()[name] == value).all()) for name, value in before.items())
    chain.progress = lambda name, done, of: seen.append((done, of)) if name.endswith("training") else None
    assert trained(chain, out / "killed") == summary
    assert seen == [(5, 8), (6, 8), (7, 8), (8, 8)], "steps 1 to 4 stand in the state"
    files = [
        {path.relative_to(out / name): path.read_bytes() for path in (out / name).rglob("*") if path.is_file()}
        for name in ("whole", "killed")
    ]
    assert files[0] == files[1]
    assert [entry.step for entry in summary.joint.evaluations] == [0, 2, 4, 6, 8]
    assert len(summary.loss) == len(summary.joint.confidence) == len(summary.joint.letters) == summary.steps == 8
    # The adapter is that of the best step, not of the last one.
    best = max(summary.joint.evaluations[1:], key=lambda entry: (entry.auroc or 0, entry.step))
    assert summary.joint.best_step == best.step


def test_gradient_checkpointing_and_micro_batches_of_one_train_the_same_adapter(tmp_path):
    losses = []
    for name, changes in (("plain", {"micro_batch_size": 4}), ("thrifty", {"micro_batch_size": 1, "gradient_checkpointing": True})):
        path = chain_config(tmp_path / name, kind="gemma3", sft={**SFT, "epochs": 1, **changes}, **JOINT)
        losses.append(trained(opened(path, tmp_path / name / "run"), tmp_path / name / "run/R00", rows=8).loss)
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_labels_that_are_all_alike_are_refused_before_anything_is_trained(tmp_path):
    alike = {**JOINT, "labels": {**JOINT["labels"], "buckets": [0.25] * 9}}
    data = {"train": {"law": ["law.jsonl"]}, "test": ["test.jsonl"], "dev_rows": 8}
    path = chain_config(tmp_path / "in", domains=["law"], data=data, buffer_rows=20, rounds=0, **alike)
    chain = opened(path, tmp_path / "run")
    with pytest.raises(ConfigError, match=r"domain 'law' are nearly all alike \(20 × 0\.25: 0\.00 bits"):
        run_rounds(chain)
    assert not (tmp_path / "run/R00/adapter").exists()
    chain.allow_uniform_labels = True
    stop_at(chain, 1)
    with pytest.raises(KeyboardInterrupt):
        run_rounds(chain)


KINDS = ("named", "random")


def asked(base, items):
    """The questions with a correct answer that the model gives to those of the first kind, and does not give to the others.

    So a model of random weights knows something, and its knowledge costs no training; nothing but the text tells the kinds apart.
    """
    engine = base.engine(max_prompt_tokens=512)
    verdicts = [verdict for item in items for verdict in engine.verdicts([engine.prepare(item.question)])]
    answers = [verdict.answer(Signal.EXPECTED) for verdict in verdicts]
    letters = [LETTERS[(LETTERS.index(a) + i.id.startswith("random")) % 4] for a, i in zip(answers, items, strict=True)]
    return [Item(item.question, letter) for item, letter in zip(items, letters, strict=True)]


@pytest.mark.timeout(1800)
def test_confidence_becomes_a_signal_and_the_answers_are_kept(tmp_path):
    """One round with soft targets and kept letters: the AUROC of the confidence rises on held-out questions, and accuracy stays."""
    folder = learnable_base(tmp_path / "base")
    base = load_base(str(folder), cache_dir=tmp_path, family="auto", device="cpu")
    items, test = asked(base, graded(160, 1, KINDS)), asked(base, graded(80, 3, KINDS))
    rows = [
        {"id": i.id, "domain": "graded", "question": i.question.question, "options": i.question.options, "answer": i.gold} for i in items
    ]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = {
        "base": str(folder),
        "dtype": "float32",
        "domains": ["graded"],
        "rounds": 0,
        "buffer_rows": 128,
        "data": {"train": {"graded": ["train.jsonl"]}, "dev_rows": 32},
        "labels": {"source": "gold", "target": "soft"},
        "loss": "joint",
        "joint": {"evaluate_every": 64, "letters_weight": 5},
        "sft": {"learning_rate": 2e-3, "epochs": 4, "batch_size": 8, "micro_batch_size": 8, "shuffle_options": False},
    }
    (tmp_path / "evolve.yaml").write_text(yaml.safe_dump(settings))
    chain = open_chain(load_config(tmp_path / "evolve.yaml"), tmp_path / "run", resume=False, cache_dir=tmp_path, teacher=None)
    before = measure(chain.engine, test, KINDS)
    run_rounds(chain)
    after = measure(chain.engine, test, KINDS)
    summary = json.loads((tmp_path / "run/R00/train.json").read_text())["joint"]
    said = f"before {before}, after {after}, {summary}"
    assert (before.accuracy["named"], before.accuracy["random"]) == (1.0, 0.0)
    assert before.auroc < 0.75, said
    assert after.auroc > 0.9, said
    assert after.accuracy["named"] >= 0.85, said
    assert after.confidence["named"] > after.confidence["random"] + 0.08, said
    # More was learned than the mean of the targets.
    assert sum(summary["confidence"][-8:]) / 8 < summary["constant"], said

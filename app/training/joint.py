"""One round's training through the one pass: the loss is computed on what the engine reads, and the best adapter on dev rows is kept.

The loop is this project's own and not a Trainer's: a row's order depends on the seed, the epoch and nothing else, so that a training
that is killed continues from its last evaluation and ends with the same bytes (docs/decisions/0008-the-joint-loss-has-a-loop.md).
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.training.chain import Chain
from app.training.checkpoint import sign
from app.training.entropy import check_labels
from app.training.joint_loss import bounds
from app.training.joint_rows import JointRows
from app.training.joint_state import TrainingState, clear
from app.training.joint_steps import Steps
from app.training.label_file import Labelled
from app.training.lora import put_on, take_off, write_adapter
from app.training.origin import digest
from app.training.own_letters import own_letters
from app.training.summary import ADAPTER, JointSummary, TrainingSummary, read_summary, write_summary
from app.training.trainer import refuse_launchers

LETTERS_FILE = "letters.jsonl"


def fine_tune_jointly(chain: Chain, folder: Path, rows: Sequence[Labelled], *, seed: int, new: int, replay: int) -> TrainingSummary:
    """Train the adapter of a round; an adapter that exists already is kept.

    `train.json` is written before the adapter appears under its name, so that where the adapter is, everything is.

    Args:
        chain: the run; its checkpoint is trained on, and is unchanged afterwards.
        folder: folder of the round.
        rows: labelled questions.
        seed: seed of the adapter's first weights, of the order of rows, and of the order of their options.
        new: number of new rows, for `train.json`.
        replay: number of replayed rows, for `train.json`.

    Raises:
        ConfigError: the labels of a domain hardly differ, a launcher of several processes started this one, a file is damaged, or the
            loss is not finite.
    """
    adapter = folder / ADAPTER
    if not adapter.is_dir():
        refuse_launchers(os.environ)
        entropy = check_labels(rows, allowed=chain.allow_uniform_labels)
        rows = _with_letters(chain, folder, rows)
        config = chain.config
        lessons = JointRows(chain.engine.renderer, rows, config, seed=seed)
        origin = digest(
            [chain.checkpoint.fingerprint, seed, *([r.item.id, r.letter, r.bucket, r.p_correct, r.kept] for r in rows)],
        )
        scratch = folder / (ADAPTER + ".partial")
        shutil.rmtree(scratch, ignore_errors=True)
        state = _train(chain, folder, lessons, origin=origin, seed=seed, out=scratch)
        sign(scratch, chain.checkpoint.fingerprint)
        constant, floor = bounds(lessons.targets, config.joint.confidence_loss)
        found = TrainingSummary(
            steps=state.step,
            rows=len(rows),
            new=new,
            replay=replay,
            fixed_order=lessons.fixed,
            loss=state.loss,
            joint=JointSummary(
                best_step=state.best_step,
                evaluations=state.evaluations,
                confidence=state.confidence,
                letters=state.letters,
                constant=round(constant, 6),
                floor=round(floor, 6),
                label_entropy=entropy,
            ),
        )
        write_summary(folder, found)
        scratch.replace(adapter)
    clear(folder)
    return read_summary(folder)


def _with_letters(chain: Chain, folder: Path, rows: Sequence[Labelled]) -> Sequence[Labelled]:
    """The rows with the checkpoint's own letters, where the loss needs them."""
    joint, labels = chain.config.joint, chain.config.labels
    if joint.letters == "gold" and not (joint.confidence_loss == "brier" and labels.target == "hard"):
        return rows
    items = list({row.item.id: row.item for row in rows}.values())
    letters = own_letters(
        chain.engine,
        items,
        folder / LETTERS_FILE,
        batch_size=chain.config.label_batch_size,
        dtype=chain.state.dtype,
        on_progress=lambda done: chain.progress(f"{folder.name} reading letters", done, len(items)),
    )
    return [replace(row, kept=letters[row.item.id]) for row in rows]


def _train(chain: Chain, folder: Path, lessons: JointRows, *, origin: str, seed: int, out: Path) -> TrainingState:
    """Train, and write the best adapter to a folder. The checkpoint's model is as it was afterwards, whatever happens."""
    config, model = chain.config, chain.checkpoint.loaded.model
    adapted = put_on(model, config.lora, seed=seed, base_name=config.base)
    try:
        steps = Steps(model, lessons, config, seed=seed, dev=chain.pools.dev, domains=config.domains)
        state = steps.run(folder, origin, on_step=lambda step, of: chain.progress(f"{folder.name} training", step, of))
        steps.set_weights(state.best)
        write_adapter(adapted, out)
    finally:
        take_off(adapted, checkpointing=config.sft.gradient_checkpointing)
    return state

"""The chain R0 … Rn: label with the current checkpoint, fine-tune, merge, measure, gate. The file to read first here.

A round is four steps, and each leaves a file under its final name only when it is whole; so a killed run continues from the
last finished step and ends as it would have ended without the kill. Everything random is drawn by seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.core.buckets import BUCKET_LABELS
from app.core.errors import ConfigError
from app.data.dataset import Item
from app.training.binding import learn_binding
from app.training.chain import BASE, Chain, Clock
from app.training.joint import fine_tune_jointly
from app.training.label import label_rows
from app.training.label_file import Labelled, read_labels, to_labelled
from app.training.measure import dev_metrics
from app.training.promotion import compared_with, decide_round
from app.training.rows import balanced
from app.training.sft import fine_tune
from app.training.state import RoundEntry

LABELS_FILE = "labels.jsonl"


def run_rounds(chain: Chain, *, until: int | None = None) -> None:
    """Run the rounds that are missing, R0 first.

    Args:
        chain: the run.
        until: number of the round to stop after; None runs all.

    Raises:
        ConfigError: the teacher fails or names no option too often; a round has no rows at all; the run was begun before its
            dev records were kept.
    """
    _measure_base(chain)
    if chain.config.binding is not None and chain.state.binding is None:
        learn_binding(chain, chain.config.binding)
    # Before anything is trained: the folder that the next round will be compared with must hold its records.
    compared_with(chain, chain.state.promoted)
    last = chain.config.rounds if until is None else min(until, chain.config.rounds)
    for number in range(len(chain.state.rounds), last + 1):
        run_round(chain, number)


def run_round(chain: Chain, number: int) -> None:
    """Run one round, from the current checkpoint to the next. Raises ConfigError as `run_rounds` does."""
    config, folder = chain.config, chain.folder(number)
    folder.mkdir(exist_ok=True)
    clock = Clock()
    rows = _labelled(chain, number)
    clock.stop("label")
    seed = config.seed * 1000 + number
    labelled = [*rows.new, *rows.replay]
    if config.labels.balance:
        labelled = balanced(labelled, seed)
    new, replay = len(rows.new), len(rows.replay)
    if config.loss == "joint":
        done = fine_tune_jointly(chain, folder, labelled, seed=seed, new=new, replay=replay)
    else:
        done = fine_tune(chain, folder, labelled, sft=config.sft, lora=config.lora, seed=seed, new=new, replay=replay)
    clock.stop("train")
    trained_on = chain.checkpoint.fingerprint
    chain.merge(folder)
    metrics = dev_metrics(chain, folder)
    reasons, comparison = decide_round(chain, folder, metrics, against=chain.state.promoted)
    clock.stop("measure")
    kept = not reasons or config.gate.on_failure == "continue"
    buckets = [sum(row.bucket == bucket for row in rows.new) for bucket in range(len(BUCKET_LABELS))]
    chain.finish_round(
        RoundEntry(
            round=number,
            domain=chain.pools.domain[number],
            new_rows=new,
            replay_rows=replay,
            buckets=dict(zip(BUCKET_LABELS, buckets, strict=True)),
            steps=done.steps,
            trained_on=trained_on,
            checkpoint=chain.checkpoint.fingerprint,
            promoted=not reasons,
            reasons=reasons,
            gate=comparison,
            kept=kept,
            seconds=clock.seconds,
        )
    )
    if not kept:
        chain.reload()


@dataclass(frozen=True, slots=True)
class _RoundRows:
    new: list[Labelled]
    replay: list[Labelled]


def _labelled(chain: Chain, number: int) -> _RoundRows:
    """The new rows of a round, labelled by the current checkpoint, and its replayed rows."""
    config, folder = chain.config, chain.folder(number)
    new = _label(chain, chain.pools.new[number], folder / LABELS_FILE)
    wanted = chain.pools.replay(number, config.replay_rows, config.seed)
    if config.labels.relabel_replay:
        replay = _label(chain, wanted, folder / "replay_labels.jsonl")
    else:
        known = {}
        for earlier in range(number):
            known.update({row.id: row for row in read_labels(chain.folder(earlier) / LABELS_FILE)})
        # A row on which the teacher named no option has no label to replay.
        replay = to_labelled(wanted, [known[item.id] for item in wanted if item.id in known])
    if not new and not replay:
        raise ConfigError(f"round {number} has neither new rows nor rows to replay")
    return _RoundRows(new, replay)


def _label(chain: Chain, items: Sequence[Item], out: Path) -> list[Labelled]:
    labels = chain.config.labels
    rows = label_rows(
        chain.engine,
        items,
        chain.letters(items),
        out,
        source=labels.source,
        samples=labels.samples,
        temperature=labels.temperature,
        method=labels.method,
        table=labels.buckets,
        seed=chain.config.seed,
        batch_size=chain.config.label_batch_size,
        dtype=chain.state.dtype,
        on_progress=lambda done: chain.progress(f"{out.parent.name} labelling", done, len(items)),
    )
    return to_labelled(items, rows)


def _measure_base(chain: Chain) -> None:
    """Measure what the base can do before anything is taught; once, while the base is the checkpoint."""
    if chain.state.binding is None and not chain.state.rounds:
        folder = chain.out / BASE
        folder.mkdir(exist_ok=True)
        dev_metrics(chain, folder)

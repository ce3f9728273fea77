"""The chain R0 … Rn: label with the current checkpoint, fine-tune, merge, measure, gate. The file to read first here.

A round is four steps, and each leaves a file under its final name only when it is whole; so a killed run goes on from the
last finished step, and what it ends with is what it would have ended with. Nothing is random but by seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import ConfigError
from app.core.verdict import BUCKET_LABELS
from app.data.dataset import Item
from app.training.chain import Chain
from app.training.judge import compared_with, judge_round
from app.training.label import Labelled, label_rows, read_labels, to_labelled
from app.training.rows import balanced
from app.training.steps import Clock, dev_metrics, fine_tune, letters_of
from app.training.warmup import warm_up


def run_rounds(chain: Chain, *, until: int | None = None) -> None:
    """Run what is missing, R0 first, up to round `until` (or the last).

    Raises:
        ConfigError: the teacher fails or names no option too often; a round has no rows at all; the run was begun before its
            dev records were kept.
    """
    _base_metrics(chain)
    if chain.config.warmup is not None and chain.state["warmup"] is None:
        warm_up(chain, chain.config.warmup)
    # Before anything is trained: what the next round will be compared with.
    compared_with(chain, chain.promoted)
    last = chain.config.rounds if until is None else min(until, chain.config.rounds)
    for number in range(len(chain.state["rounds"]), last + 1):
        run_round(chain, number)


def run_round(chain: Chain, number: int) -> None:
    """One round, from the current checkpoint to the next."""
    config, folder = chain.config, chain.folder(number)
    folder.mkdir(exist_ok=True)
    clock = Clock()
    rows = _labelled(chain, number)
    clock.stop("label")
    seed = config.seed * 1000 + number
    labelled = [*rows.new, *rows.replay]
    if config.labels.balance:
        labelled = balanced(labelled, seed)
    done = fine_tune(
        chain,
        folder,
        labelled,
        sft=config.sft,
        lora=config.lora,
        seed=seed,
        note={"new": len(rows.new), "replay": len(rows.replay)},
    )
    clock.stop("train")
    base_before = chain.checkpoint.fingerprint
    chain.merge(folder)
    metrics = dev_metrics(chain, folder)
    reasons, judged = judge_round(chain, folder, metrics, against=chain.promoted)
    clock.stop("measure")
    kept = not reasons or config.gate.on_failure == "continue"
    counts = [sum(row.bucket == bucket for row in rows.new) for bucket in range(len(BUCKET_LABELS))]
    chain.state["rounds"].append(
        {
            "round": number,
            "domain": chain.pools.domain[number],
            "new_rows": len(rows.new),
            "replay_rows": len(rows.replay),
            "buckets": dict(zip(BUCKET_LABELS, counts, strict=True)),
            "steps": done["steps"],
            "trained_on": base_before,
            "checkpoint": chain.checkpoint.fingerprint,
            "promoted": not reasons,
            "reasons": reasons,
            "gate": judged,
            "kept": kept,
            "seconds": clock.seconds,
        }
    )
    chain.save()
    if not kept:
        chain.reload()


@dataclass(frozen=True, slots=True)
class _RoundRows:
    new: list[Labelled]
    replay: list[Labelled]


def _labelled(chain: Chain, number: int) -> _RoundRows:
    """The round's new rows, labelled by the current checkpoint, and its replayed ones."""
    config, folder = chain.config, chain.folder(number)
    new = _label(chain, chain.pools.new[number], folder / "labels.jsonl")
    wanted = chain.pools.replay(number, config.replay_rows, config.seed)
    if config.labels.relabel_replay:
        replay = _label(chain, wanted, folder / "replay_labels.jsonl")
    else:
        known = {}
        for earlier in range(number):
            known.update({row["id"]: row for row in read_labels(chain.folder(earlier) / "labels.jsonl")})
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
        letters_of(chain, items),
        out,
        source=labels.source,
        samples=labels.samples,
        temperature=labels.temperature,
        method=labels.method,
        table=labels.buckets,
        seed=chain.config.seed,
        batch_size=chain.config.label_batch_size,
        dtype=chain.state["dtype"],
        on_progress=lambda done: chain.progress(f"{out.parent.name} labelling", done, len(items)),
    )
    return to_labelled(items, rows)


def _base_metrics(chain: Chain) -> None:
    """What the base can do before anything is taught; measured once, while the base is the checkpoint."""
    if chain.state["warmup"] is None and not chain.state["rounds"]:
        folder = chain.out / "base"
        folder.mkdir(exist_ok=True)
        dev_metrics(chain, folder)

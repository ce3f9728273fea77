"""The chain R0 … Rn: label with the current checkpoint, fine-tune, merge, measure, gate. The file to read first here.

A round is four steps, and each leaves a file under its final name only when it is whole; so a killed run goes on from the
last finished step, and what it ends with is what it would have ended with. Nothing is random but by seed.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from app.domain import BUCKET_LABELS
from app.edge.engine import VerdictEngine
from app.edge.loader import compute_dtype
from app.errors import ConfigError
from app.evaluation.collect import EdgeIdentity
from app.evaluation.dataset import Item
from app.files import write_json
from app.training.chain import TEACHER, Chain, read_json
from app.training.checkpoint import sign
from app.training.label import Labelled, label_rows, read_labels, to_labelled
from app.training.measure import dev_records, gate, metrics_of
from app.training.sft import balanced, to_example, train
from app.training.teacher import ask_teacher


def run_rounds(chain: Chain, *, until: int | None = None) -> None:
    """Run what is missing, R0 first, up to round `until` (or the last).

    Raises:
        ConfigError: the teacher fails or names no option too often; a round has no rows at all.
    """
    _base_metrics(chain)
    last = chain.config.rounds if until is None else min(until, chain.config.rounds)
    for number in range(len(chain.state["rounds"]), last + 1):
        run_round(chain, number)


def run_round(chain: Chain, number: int) -> None:
    """One round, from the current checkpoint to the next."""
    config, folder = chain.config, chain.folder(number)
    folder.mkdir(exist_ok=True)
    seconds: dict[str, float] = {}
    clock = _Clock(seconds)
    rows = _labelled(chain, number)
    clock.stop("label")
    entry_train = _train(chain, number, rows)
    clock.stop("train")
    base_before = chain.checkpoint.fingerprint
    chain.merge(number)
    metrics = _metrics(chain, folder / "metrics.json")
    clock.stop("measure")
    reasons = gate(metrics, _promoted_metrics(chain), config.gate)
    kept = not reasons or config.gate.on_failure == "continue"
    counts = [sum(row.bucket == bucket for row in rows.new) for bucket in range(len(BUCKET_LABELS))]
    chain.state["rounds"].append(
        {
            "round": number,
            "domain": chain.pools.domain[number],
            "new_rows": len(rows.new),
            "replay_rows": len(rows.replay),
            "buckets": dict(zip(BUCKET_LABELS, counts, strict=True)),
            "steps": entry_train["steps"],
            "trained_on": base_before,
            "checkpoint": chain.checkpoint.fingerprint,
            "promoted": not reasons,
            "reasons": reasons,
            "kept": kept,
            "seconds": seconds,
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
        on_progress=lambda done: chain.progress(f"{out.parent.name} labelling", done, len(items)),
    )
    return to_labelled(items, rows)


def letters_of(chain: Chain, items: Sequence[Item]) -> Mapping[str, str]:
    """What is right, by id: the gold answers, or the teacher's."""
    if chain.config.labels.source == "gold":
        return {item.id: item.gold for item in items}
    assert chain.teacher is not None  # noqa: S101  # open_chain refuses a teacher without a cloud
    return asyncio.run(
        ask_teacher(
            items,
            chain.out / TEACHER,
            chain.teacher,
            max_unlabelled=chain.config.labels.max_unlabelled,
            on_progress=lambda done: chain.progress("asking the teacher", done, len(items)),
        )
    )


def _train(chain: Chain, number: int, rows: _RoundRows) -> dict[str, Any]:
    """Fine-tune; `train.json` first, then the adapter under its name, so that where the adapter is, all is."""
    config, folder = chain.config, chain.folder(number)
    adapter, summary = folder / "adapter", folder / "train.json"
    if adapter.is_dir():
        return read_json(summary)
    seed = config.seed * 1000 + number
    labelled = [*rows.new, *rows.replay]
    if config.labels.balance:
        labelled = balanced(labelled, seed)
    renderer = chain.engine.renderer
    scratch = folder / "adapter.partial"
    bf16 = compute_dtype(config.dtype, chain.checkpoint.loaded.model.device) is torch.bfloat16
    done = train(
        chain.checkpoint.loaded.model,
        [to_example(renderer, row) for row in labelled],
        scratch,
        base_name=config.base,
        sft=config.sft,
        lora=config.lora,
        seed=seed,
        bf16=bf16,
        on_step=lambda step, of: chain.progress(f"{folder.name} training", step, of),
    )
    sign(scratch, chain.checkpoint.fingerprint)
    write_json(summary, {"steps": done.steps, "rows": done.rows, "new": len(rows.new), "replay": len(rows.replay), "loss": list(done.loss)})
    scratch.replace(adapter)
    return read_json(summary)


def _metrics(chain: Chain, path: Path) -> dict[str, Any]:
    if path.exists():
        return read_json(path)
    records = measured(chain, EdgeIdentity(chain.engine.name, chain.engine.fingerprint))
    metrics = metrics_of(records, tau=chain.config.tau, seed=chain.config.seed)
    write_json(path, metrics)
    return metrics


def measured(chain: Chain, identity: EdgeIdentity, engine: VerdictEngine | None = None) -> list[dict[str, Any]]:
    """Records of the current checkpoint, or of another engine, on the dev rows."""
    dev = chain.pools.dev
    cloud = None if chain.config.labels.source == "gold" else letters_of(chain, dev)
    return dev_records(
        engine or chain.engine,
        dev,
        cloud,
        identity=identity,
        batch_size=chain.config.label_batch_size,
        on_progress=lambda done: chain.progress("measuring", done, len(dev)),
    )


def _base_metrics(chain: Chain) -> None:
    """What the base can do before anything is taught; measured once, while the base is the checkpoint."""
    path = chain.out / "base" / "metrics.json"
    if not path.exists() and not chain.state["rounds"]:
        path.parent.mkdir(exist_ok=True)
        _metrics(chain, path)


def _promoted_metrics(chain: Chain) -> dict[str, Any]:
    folder = chain.out / "base" if chain.promoted is None else chain.folder(chain.promoted)
    return read_json(folder / "metrics.json")


class _Clock:
    """Seconds since the last stop, by name."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        self._since = time.monotonic()

    def stop(self, name: str) -> None:
        now = time.monotonic()
        self._seconds[name] = round(now - self._since, 1)
        self._since = now

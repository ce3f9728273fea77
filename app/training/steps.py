"""The steps that rounds and the warm-up share: fine-tune, measure, and who says what is right."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.core import interrupts
from app.data.dataset import Item
from app.data.files import write_json
from app.data.records import Record, append
from app.edge.engine import VerdictEngine
from app.evaluation.collect import EdgeIdentity
from app.training.begun import read_json
from app.training.chain import TEACHER, Chain
from app.training.checkpoint import sign
from app.training.config import LoraConfig, SftConfig
from app.training.label import Labelled
from app.training.measure import dev_records, metrics_of
from app.training.rows import TrainingRows
from app.training.sft import train
from app.training.teacher import ask_teacher

# Of a round's folder: what was measured on the dev rows, and row by row.
METRICS, DEV_RECORDS = "metrics.json", "dev.jsonl"


def fine_tune(
    chain: Chain,
    folder: Path,
    rows: Sequence[Labelled],
    *,
    sft: SftConfig,
    lora: LoraConfig,
    seed: int,
    note: Mapping[str, int],
    learn_confidence: bool = True,
) -> dict[str, Any]:
    """Train an adapter; `train.json` first, then the adapter under its name, so that where the adapter is, all is.

    Args:
        chain: its checkpoint is trained on, and stays what it is.
        folder: of the round; an adapter that is there already is kept.
        rows: questions and what the model is to say.
        sft: learning rate, epochs, batch sizes, whether options are shuffled.
        lora: rank and scale.
        seed: of the adapter's first weights, of the order of rows, and of that of their options.
        note: what `train.json` says besides.
        learn_confidence: see `app.training.rows.to_example`.
    """
    adapter, summary = folder / "adapter", folder / "train.json"
    if adapter.is_dir():
        return read_json(summary)
    scratch = folder / "adapter.partial"
    lessons = TrainingRows(chain.engine.renderer, rows, seed=seed if sft.shuffle_options else None, learn_confidence=learn_confidence)
    done = train(
        chain.checkpoint.loaded.model,
        lessons,
        scratch,
        base_name=chain.config.base,
        sft=sft,
        lora=lora,
        seed=seed,
        on_step=lambda step, of: chain.progress(f"{folder.name} training", step, of),
    )
    sign(scratch, chain.checkpoint.fingerprint)
    write_json(summary, {"steps": done.steps, "rows": done.rows, **note, "fixed_order": lessons.fixed, "loss": list(done.loss)})
    scratch.replace(adapter)
    return read_json(summary)


def dev_metrics(chain: Chain, folder: Path) -> dict[str, Any]:
    """Metrics of the current checkpoint on the dev rows; measured unless the folder holds them, of this checkpoint and with its records."""
    path, records = folder / METRICS, folder / DEV_RECORDS
    made_of = chain.checkpoint.fingerprint
    if path.exists() and records.exists() and (known := read_json(path)).get("checkpoint") == made_of:
        return known
    found = measured(chain)
    # First the records, so that where the metrics are, all is.
    write_records(records, found)
    metrics = {"checkpoint": made_of, **metrics_of(found, tau=chain.config.tau, seed=chain.config.seed)}
    write_json(path, metrics)
    return metrics


def measured(chain: Chain, engine: VerdictEngine | None = None, *, identity: EdgeIdentity | None = None) -> list[Record]:
    """Records of the current checkpoint, or of another engine, on the dev rows; under its own name unless they are to bear another."""
    engine = engine or chain.engine
    dev = chain.pools.dev
    cloud = None if chain.config.labels.source == "gold" else letters_of(chain, dev)
    return dev_records(
        engine,
        dev,
        cloud,
        identity=identity or EdgeIdentity(engine.name, engine.fingerprint, prompt_fingerprint=engine.prompt_fingerprint),
        batch_size=chain.config.label_batch_size,
        on_progress=lambda done: chain.progress("measuring", done, len(dev)),
    )


def letters_of(chain: Chain, items: Sequence[Item]) -> Mapping[str, str]:
    """What is right, by id: the gold answers, or the teacher's."""
    if chain.config.labels.source == "gold":
        return {item.id: item.gold for item in items}
    assert chain.teacher is not None  # noqa: S101  # open_chain refuses a teacher without a cloud
    return interrupts.run(
        ask_teacher(
            items,
            chain.out / TEACHER,
            chain.teacher,
            max_unlabelled=chain.config.labels.max_unlabelled,
            on_progress=lambda done: chain.progress("asking the teacher", done, len(items)),
        )
    )


def write_records(path: Path, records: Sequence[Record]) -> None:
    """Under its name only when it is whole; as `foggate eval collect` writes them."""
    scratch = path.with_name(path.name + ".partial")
    with scratch.open("w", encoding="utf-8") as file:
        for record in records:
            append(file, record)
    scratch.replace(path)


class Clock:
    """Seconds since the last stop, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def stop(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = round(now - self._since, 1)
        self._since = now

"""A checkpoint on rows that it was never trained on: records as `foggate eval collect` writes them, and the metrics of a folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from app.core.verdict import EdgeReply
from app.data.dataset import Item
from app.data.records import Record, append
from app.edge.engine import VerdictEngine
from app.evaluation.collect import EdgeIdentity, edge_fields, empty_record
from app.training.chain import Chain
from app.training.metrics import METRICS_FILE, Metrics, metrics_of, read_metrics, write_metrics

DEV_RECORDS = "dev.jsonl"
PERFECT_CLOUD = "gold answers (a perfect cloud)"


def dev_metrics(chain: Chain, folder: Path) -> Metrics:
    """Metrics of the current checkpoint on the dev rows.

    They are measured unless the folder holds them with their records, and they are those of this checkpoint.

    Args:
        chain: the run.
        folder: folder of a round, of symbol binding or of the base.

    Raises:
        ConfigError: `metrics.json` exists and is damaged.
    """
    made_of = chain.checkpoint.fingerprint
    if is_measured(folder) and (known := read_metrics(folder)).checkpoint == made_of:
        return known
    found = chain_records(chain)
    # The records come first, so that where the metrics are, everything is.
    write_records(folder / DEV_RECORDS, found)
    metrics = metrics_of(found, checkpoint=made_of, tau=chain.config.tau, seed=chain.config.seed)
    write_metrics(folder, metrics)
    return metrics


def is_measured(folder: Path) -> bool:
    """Whether a folder holds metrics and the records that they were computed from."""
    return (folder / METRICS_FILE).exists() and (folder / DEV_RECORDS).exists()


def chain_records(chain: Chain, engine: VerdictEngine | None = None, *, identity: EdgeIdentity | None = None) -> list[Record]:
    """Records of the dev rows of a chain.

    Args:
        chain: the run.
        engine: engine to ask; None asks that of the current checkpoint.
        identity: what the records say about the edge model; None takes the engine's own name and fingerprints.
    """
    engine = engine or chain.engine
    dev = chain.pools.dev
    return dev_records(
        engine,
        dev,
        None if chain.config.labels.source == "gold" else chain.letters(dev),
        identity=identity or identity_of(engine),
        batch_size=chain.config.label_batch_size,
        on_progress=lambda done: chain.progress("measuring", done, len(dev)),
    )


def dev_records(
    engine: VerdictEngine,
    dev: Sequence[Item],
    cloud: Mapping[str, str] | None,
    *,
    identity: EdgeIdentity,
    batch_size: int,
    on_progress: Callable[[int], None] = lambda _: None,
) -> list[Record]:
    """Ask an engine questions, and give the records in their order.

    Args:
        engine: engine of the checkpoint.
        dev: questions with gold answers.
        cloud: the teacher's letters by id; None takes the gold answers as those of a perfect cloud.
        identity: what the records say about the edge model.
        batch_size: number of questions per forward pass.
        on_progress: called with the number of questions that are done.
    """
    prepared = sorted(((engine.prepare(item.question), item) for item in dev), key=lambda pair: (len(pair[0].ids), pair[1].id))
    records = {}
    for start in range(0, len(prepared), batch_size):
        batch = prepared[start : start + batch_size]
        for (_, item), verdict in zip(batch, engine.verdicts([prompt for prompt, _ in batch]), strict=True):
            letter = item.gold if cloud is None else cloud.get(item.id)
            records[item.id] = {
                **empty_record(item, identity),
                **edge_fields(EdgeReply(verdict, identity.model, 0.0, 0.0, len(batch))),
                "cloud_answer": letter,
                "cloud_error": None if letter else "cloud_unparsable",
                "cloud_model": PERFECT_CLOUD if cloud is None else "teacher",
            }
        on_progress(len(records))
    return [records[item.id] for item in dev]


def identity_of(engine: VerdictEngine) -> EdgeIdentity:
    """Name and fingerprints of an engine, as its records carry them."""
    return EdgeIdentity(engine.name, engine.fingerprint, prompt_fingerprint=engine.prompt_fingerprint)


def write_records(path: Path, records: Sequence[Record]) -> None:
    """Write records whole or not at all. Raises OSError."""
    scratch = path.with_name(path.name + ".partial")
    with scratch.open("w", encoding="utf-8") as file:
        for record in records:
            append(file, record)
    scratch.replace(path)

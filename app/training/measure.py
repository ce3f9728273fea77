"""How good is a checkpoint on rows it was never trained on, as records and as metrics. The gate is in gate.py."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.core.verdict import EdgeReply, Signal
from app.data.dataset import Item
from app.data.records import Record
from app.edge.engine import VerdictEngine
from app.evaluation import statistics as st
from app.evaluation.collect import EdgeIdentity, edge_fields, empty_record
from app.evaluation.report import build_report
from app.evaluation.table import Table, to_table

PERFECT_CLOUD = "gold answers (a perfect cloud)"
_RESAMPLES = 1000
_MIN_DOMAIN = 5


def dev_records(
    engine: VerdictEngine,
    dev: Sequence[Item],
    cloud: Mapping[str, str] | None,
    *,
    identity: EdgeIdentity,
    batch_size: int,
    on_progress: Callable[[int], None] = lambda _: None,
) -> list[Record]:
    """Records of the dev rows, as `foggate eval collect` would write them.

    Args:
        engine: the checkpoint.
        dev: the dev rows.
        cloud: the teacher's letters by id; None takes the gold answers for a perfect cloud.
        identity: what the records say of the edge.
        batch_size: questions per forward pass.
        on_progress: told how many are done.
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


def metrics_of(records: Sequence[Record], *, tau: float, seed: int) -> dict[str, Any]:
    """What `metrics.json` holds: per domain and in the mean, rates as fractions; `entropy` in nats."""
    report = build_report(records, tau=tau, signal=Signal.VERBALIZED, resamples=_RESAMPLES, seed=seed)
    table = to_table(records)
    kept = ("n", "edge_only", "cloud_only", "system", "random", "cloud_rate", "lift", "lift_ci")
    return {
        "tau": tau,
        "cloud": report["cloud_model"],
        "mean": {key: report["mean"][key] for key in kept},
        "domains": {
            name: {**{key: row[key] for key in kept}, "buckets": row["buckets"], **_signals(table.of(name))}
            for name, row in report["domains"].items()
        },
        "signals": {
            name: {key: report["signals"][name][key] for key in ("edge_accuracy", "auroc", "auroc_ci", "ece_fixed", "brier", "mean")}
            for name in (Signal.VERBALIZED.value, Signal.EXPECTED.value)
        },
        "buckets": {label: row["n"] for label, row in report["buckets"].items()},
        "entropy": entropy([row["n"] for row in report["buckets"].values()]),
    }


def entropy(counts: Sequence[int]) -> float:
    """Entropy of a histogram, in nats."""
    total = sum(counts)
    return -math.fsum(count / total * math.log(count / total) for count in counts if count) + 0.0


def _signals(table: Table) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in (Signal.VERBALIZED.value, Signal.EXPECTED.value):
        signal, right = table.signal[name], table.edge_correct[name]
        found[f"auroc_{name}"] = st.auroc(signal, right) if len(right) >= _MIN_DOMAIN else None
        found[f"ece_{name}"] = st.ece_fixed(signal, right)
    return found

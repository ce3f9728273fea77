"""The metrics of a checkpoint as `metrics.json` holds them, computed from its records of the dev rows. Rates are fractions."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from app.core.verdict import Signal
from app.data.files import read_model, write_json
from app.data.records import Record
from app.evaluation import statistics as st
from app.evaluation.report import build_report
from app.evaluation.table import Table, to_table

METRICS_FILE = "metrics.json"
_RESAMPLES = 1000
# Smaller domains have no AUROC.
_MIN_DOMAIN = 5

# Both ends of a 95 % interval; None where the rows give none.
Interval = Annotated[list[float], Field(min_length=2, max_length=2)] | None


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RoutingMetrics(_Part):
    """The effect of routing at tau on the verbalized confidence.

    Attributes:
        n: number of dev rows.
        edge_only: accuracy of the edge model alone.
        cloud_only: accuracy of the cloud alone.
        system: accuracy with the routed questions answered by the cloud.
        random: accuracy of sending as many questions to the cloud at random.
        cloud_rate: share of the questions that is sent to the cloud.
        lift: `system` less `random`.
        lift_ci: interval of the lift.
    """

    n: int
    edge_only: float
    cloud_only: float
    system: float
    random: float
    cloud_rate: float
    lift: float
    lift_ci: Interval


class DomainMetrics(RoutingMetrics):
    """The effect of routing on one domain, with its verbalized confidences and the quality of the two signals that training changes."""

    buckets: dict[str, int]
    auroc_verbalized: float | None
    ece_verbalized: float
    auroc_expected: float | None
    ece_expected: float


class SignalMetrics(_Part):
    """How good one signal is on all dev rows. `mean` is its mean; `auroc` is None where all answers are correct or all are wrong."""

    edge_accuracy: float
    auroc: float | None
    auroc_ci: Interval
    ece_fixed: float
    brier: float
    mean: float


class SignalsMetrics(_Part):
    """The signals of a verdict. Files of earlier versions do not hold `top_probability` and `margin`."""

    verbalized: SignalMetrics
    expected: SignalMetrics
    top_probability: SignalMetrics | None = None
    margin: SignalMetrics | None = None


class Metrics(_Part):
    """The content of `metrics.json`.

    Attributes:
        checkpoint: fingerprint of the weights that were measured; None in files of the first version.
        tau: threshold of the routing.
        cloud: names of the cloud models whose answers were used.
        mean: mean over domains.
        domains: metrics by domain.
        signals: quality of the signals.
        buckets: number of dev rows by verbalized confidence.
        entropy: entropy of `buckets` in nats.
    """

    checkpoint: str | None = None
    tau: float
    cloud: list[str]
    mean: RoutingMetrics
    domains: dict[str, DomainMetrics]
    signals: SignalsMetrics
    buckets: dict[str, int]
    entropy: float


def metrics_of(records: Sequence[Record], *, checkpoint: str, tau: float, seed: int) -> Metrics:
    """Compute the metrics of a checkpoint.

    Args:
        records: its records of the dev rows.
        checkpoint: fingerprint of its weights.
        tau: threshold of the routing.
        seed: seed of the bootstrap.

    Raises:
        ConfigError: no record has an edge answer.
    """
    report = build_report(records, tau=tau, signal=Signal.VERBALIZED, resamples=_RESAMPLES, seed=seed)
    table = to_table(records)
    counts = {label: row["n"] for label, row in report["buckets"].items()}
    return Metrics.model_validate(
        {
            "checkpoint": checkpoint,
            "tau": tau,
            "cloud": report["cloud_model"],
            "mean": _chosen(RoutingMetrics, report["mean"]),
            "domains": {
                name: {**_chosen(RoutingMetrics, row), "buckets": row["buckets"], **_signals(table.of(name))}
                for name, row in report["domains"].items()
            },
            "signals": {name: _chosen(SignalMetrics, report["signals"][name]) for name in SignalsMetrics.model_fields},
            "buckets": counts,
            "entropy": entropy(list(counts.values())),
        }
    )


def entropy(counts: Sequence[int]) -> float:
    """Entropy of a histogram, in nats."""
    total = sum(counts)
    return -math.fsum(count / total * math.log(count / total) for count in counts if count) + 0.0


def read_metrics(folder: Path) -> Metrics:
    """The metrics that a folder holds. Raises ConfigError."""
    return read_model(folder / METRICS_FILE, Metrics, "metrics file")


def write_metrics(folder: Path, metrics: Metrics) -> None:
    """Write whole or not at all. Raises OSError."""
    write_json(folder / METRICS_FILE, metrics.model_dump(mode="json"))


def _chosen(model: type[BaseModel], row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a line of the report that a model keeps."""
    return {name: row[name] for name in model.model_fields}


def _signals(table: Table) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name in (Signal.VERBALIZED.value, Signal.EXPECTED.value):
        signal, correct = table.signal[name], table.edge_correct[name]
        found[f"auroc_{name}"] = st.auroc(signal, correct) if len(correct) >= _MIN_DOMAIN else None
        found[f"ece_{name}"] = st.ece_fixed(signal, correct)
    return found

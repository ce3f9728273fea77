"""Records → `report.json`: the reference table with intervals, and how good each signal is. Needs no model.

The schema is documented in docs/evaluation.md; rates and accuracies are fractions.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.domain import BUCKET_LABELS, BUCKETS, Signal
from app.errors import ConfigError
from app.evaluation import statistics as st
from app.evaluation.records import Record

# What the table's signal can be, plus the plain alternative that needs no trained confidence.
LARGEST_OPTION = "largest_option"
# Cloud rates at which routing curves are written down.
_RATES = tuple(step / 100 for step in range(101))
SIGNALS = (Signal.VERBALIZED.value, Signal.EXPECTED.value, LARGEST_OPTION)


@dataclass(frozen=True, slots=True)
class Table:
    """Complete records as columns, all of length n."""

    domain: tuple[str, ...]
    options: st.Floats
    signal: Mapping[str, st.Floats]
    edge_right: Mapping[str, st.Flags]
    cloud_right: st.Flags

    def of(self, domain: str) -> "Table":
        """The rows of one domain."""
        rows = np.array([name == domain for name in self.domain])
        return Table(
            tuple(name for name in self.domain if name == domain),
            self.options[rows],
            {name: values[rows] for name, values in self.signal.items()},
            {name: values[rows] for name, values in self.edge_right.items()},
            self.cloud_right[rows],
        )


def to_table(records: Sequence[Record]) -> Table:
    """Columns of the records that have both an edge and a cloud answer.

    Raises:
        ConfigError: there is none.
    """
    whole = [record for record in records if record["edge_answer"] is not None and record["cloud_answer"] is not None]
    if not whole:
        raise ConfigError("no record has both an edge and a cloud answer; collect with a cloud, or with --cloud-records")
    marginal = [max(record["answer_probabilities"], key=record["answer_probabilities"].__getitem__) for record in whole]
    gold = [record["gold"] for record in whole]
    greedy_right = np.array([record["edge_answer"] == right for record, right in zip(whole, gold, strict=True)])
    marginal_right = np.array([answer == right for answer, right in zip(marginal, gold, strict=True)])
    return Table(
        domain=tuple(record["domain"] for record in whole),
        options=np.array([len(record["answer_probabilities"]) for record in whole], dtype=np.float64),
        signal={
            Signal.VERBALIZED.value: np.array([record["confidence"] for record in whole], dtype=np.float64),
            Signal.EXPECTED.value: np.array([record["expected_confidence"] for record in whole], dtype=np.float64),
            LARGEST_OPTION: np.array([max(record["answer_probabilities"].values()) for record in whole], dtype=np.float64),
        },
        # The verbalized signal answers as decoding would; the continuous ones with the marginal.
        edge_right={Signal.VERBALIZED.value: greedy_right, Signal.EXPECTED.value: marginal_right, LARGEST_OPTION: marginal_right},
        cloud_right=np.array([record["cloud_answer"] == right for record, right in zip(whole, gold, strict=True)]),
    )


def build_report(records: Sequence[Record], *, tau: float, signal: Signal, resamples: int = 2000, seed: int = 0) -> dict[str, Any]:
    """The whole report.

    Args:
        records: as `collect` wrote them; incomplete ones are counted and left out.
        tau: the cut of the table.
        signal: the number that is compared with it.
        resamples: of the paired bootstrap, within each domain.
        seed: of the bootstrap.

    Raises:
        ConfigError: no complete record.
    """
    table = to_table(records)
    per_domain: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(table.domain):
        per_domain[name].append(index)
    domains: dict[str, Any] = {}
    drawn = []
    for number, name in enumerate(per_domain):
        row, means = _row(table.of(name), tau, signal.value, resamples, seed + number)
        domains[name] = row
        drawn.append(means)
    macro = _macro(domains, drawn)
    micro, _ = _row(table, tau, signal.value, resamples, seed)
    models = sorted({str(record["edge_model"]) for record in records})
    return {
        "tau": tau,
        "signal": signal.value,
        "n": len(table.domain),
        "left_out": len(records) - len(table.domain),
        "edge_model": models[0] if len(models) == 1 else models,
        "cloud_model": sorted({str(record.get("cloud_model")) for record in records if record["cloud_answer"] is not None}),
        "prompt_version": sorted({str(record["prompt_version"]) for record in records}),
        "resamples": resamples,
        "seed": seed,
        "domains": domains,
        "mean": macro,
        "micro_mean": micro,
        "signals": {name: _signal(table, name) for name in SIGNALS},
        "buckets": _buckets(table),
        "expected_vs_verbalized": _compare(table, tau, resamples, seed),
        "verdict": _verdict(macro),
    }


def _row(table: Table, tau: float, signal: str, resamples: int, seed: int) -> tuple[dict[str, Any], st.Floats]:
    """One line of the reference table, and the bootstrap's (cloud, edge, system, cloud_rate) for the macro mean."""
    routed = table.signal[signal] < tau
    edge, cloud = table.edge_right[signal], table.cloud_right
    columns = np.stack([cloud, edge, np.where(routed, cloud, edge), routed], axis=1).astype(np.float64)
    drawn = st.bootstrap_means(columns, resamples=resamples, seed=seed)
    point = columns.mean(axis=0)
    return {"n": len(columns), **_numbers(point), **_intervals(drawn), "chance": float(np.mean(1 / table.options))}, drawn


def _macro(domains: Mapping[str, Mapping[str, Any]], drawn: Sequence[st.Floats]) -> dict[str, Any]:
    """The plain mean over domains, as the reference prints it: each column by itself, the baseline per domain."""
    names = ("cloud_only", "edge_only", "system", "cloud_rate", "random", "lift")
    point = {name: float(np.mean([row[name] for row in domains.values()])) for name in names}
    lifts = np.mean([_lift(means) for means in drawn], axis=0)
    systems = np.mean([means[:, 2] for means in drawn], axis=0)
    gap = point["cloud_only"] - point["edge_only"]
    return {
        "n": sum(row["n"] for row in domains.values()),
        **point,
        "gap_recovered": (point["system"] - point["edge_only"]) / gap if gap > 0 else None,
        "system_ci": list(st.interval(systems)),
        "lift_ci": list(st.interval(lifts)),
    }


def _numbers(point: st.Floats) -> dict[str, Any]:
    cloud, edge, system, rate = (float(value) for value in point)
    by_lot = st.random_baseline(rate, cloud, edge)
    return {
        "cloud_only": cloud,
        "edge_only": edge,
        "random": by_lot,
        "system": system,
        "cloud_rate": rate,
        "lift": system - by_lot,
        "gap_recovered": (system - edge) / (cloud - edge) if cloud > edge else None,
    }


def _intervals(drawn: st.Floats) -> dict[str, list[float]]:
    names = ("cloud_only", "edge_only", "system", "cloud_rate")
    return {f"{name}_ci": list(st.interval(drawn[:, index])) for index, name in enumerate(names)} | {
        "lift_ci": list(st.interval(_lift(drawn)))
    }


def _lift(drawn: st.Floats) -> st.Floats:
    cloud, edge, system, rate = drawn.T
    return np.asarray(system - (rate * cloud + (1 - rate) * edge), dtype=np.float64)


def _signal(table: Table, name: str) -> dict[str, Any]:
    signal, right = table.signal[name], table.edge_right[name]
    curve = st.routing_curve(signal, right, table.cloud_right)
    return {
        "edge_accuracy": float(right.mean()),
        "auroc": st.auroc(signal, right),
        "ece_fixed": st.ece_fixed(signal, right),
        "ece_adaptive": st.ece_adaptive(signal, right),
        "brier": st.brier(signal, right),
        "aurc": st.aurc(signal, right),
        "apgr": st.apgr(curve),
        "apgr_oracle": st.apgr(st.oracle_curve(right, table.cloud_right)),
        "mean": float(signal.mean()),
        "routing_curve": [round(st.accuracy_at(curve, rate), 6) for rate in _RATES],
    }


def _buckets(table: Table) -> dict[str, dict[str, Any]]:
    """How often each confidence is said, and how often its answer is right."""
    said, right = table.signal[Signal.VERBALIZED.value], table.edge_right[Signal.VERBALIZED.value]
    return {
        label: {"n": int((said == value).sum()), "edge_accuracy": float(right[said == value].mean()) if (said == value).any() else None}
        for label, value in zip(BUCKET_LABELS, BUCKETS, strict=True)
    }


def _compare(table: Table, tau: float, resamples: int, seed: int) -> dict[str, Any]:
    """Accuracy of routing by `expected` less that of `verbalized` at tau, at the same cloud rate, all questions together."""
    verbalized, expected = Signal.VERBALIZED.value, Signal.EXPECTED.value

    def difference(rows: NDArray[np.int_]) -> tuple[float, float]:
        cloud = table.cloud_right[rows]
        routed = table.signal[verbalized][rows] < tau
        rate = float(routed.mean())
        by_verbalized = float(np.where(routed, cloud, table.edge_right[verbalized][rows]).mean())
        curve = st.routing_curve(table.signal[expected][rows], table.edge_right[expected][rows], cloud)
        return st.accuracy_at(curve, rate) - by_verbalized, rate

    point, rate = difference(np.arange(len(table.domain)))
    drawn = np.array([difference(rows)[0] for rows in st.bootstrap_rows(len(table.domain), resamples=resamples, seed=seed)])
    low, high = st.interval(drawn)
    if low > 0:
        said = "beats"
    elif high < 0:
        said = "is worse than"
    else:
        said = "cannot be told from"
    sentence = (
        f"At a cloud rate of {100 * rate:.1f} % routing by the expected confidence {said} routing by the verbalized one: "
        f"{100 * point:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]."
    )
    return {"cloud_rate": rate, "difference": point, "difference_ci": [low, high], "sentence": sentence}


def _verdict(macro: Mapping[str, Any]) -> str:
    low, high = macro["lift_ci"]
    if low > 0:
        return "Routing on this signal at this tau beats sending the same share to the cloud by lot."
    if high < 0:
        return (
            "Routing on this signal at this tau is worse than sending the same share to the cloud by lot: do not route on this signal here."
        )
    return "The interval of the lift over random includes zero: do not route on this signal here."

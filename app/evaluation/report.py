"""Records → `report.json`: the reference table with intervals, and how good each signal is. Needs no model.

The schema is documented in docs/evaluation.md; rates and accuracies are fractions.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.domain import BUCKET_LABELS, BUCKETS, Signal
from app.errors import ConfigError
from app.evaluation import statistics as st
from app.evaluation.costs import Price, costs
from app.evaluation.order import flip_rates
from app.evaluation.records import Record
from app.evaluation.table import SIGNALS, UNPARSABLE, Table, to_table

# Cloud rates at which routing curves are written down.
RATES = np.arange(101) / 100


def build_report(
    records: Sequence[Record],
    *,
    tau: float,
    signal: Signal,
    temperature: float = 1.0,
    prices: Mapping[str, Price] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """The whole report.

    Args:
        records: as `load_records` checked them; incomplete ones are counted and left out.
        tau: the cut of the table.
        signal: the number that is compared with it.
        temperature: of the expected confidence.
        prices: by model name; without them there are no costs.
        resamples: of the paired bootstrap, within each domain.
        seed: of the bootstrap.

    Raises:
        ConfigError: a domain without a complete record, or records of two edge models.
    """
    models = sorted({str(record["edge_model"]) for record in records})
    if len(models) > 1:
        raise ConfigError(f"records of two models are mixed: {', '.join(models)}")
    table = to_table(records, temperature=temperature)
    domains: dict[str, Any] = {}
    drawn = []
    for number, name in enumerate(table.domains):
        part = table.of(name)
        row, means = _row(part, tau, signal.value, resamples, seed + number)
        domains[name] = {**row, "buckets": {label: entry["n"] for label, entry in _buckets(part).items()}}
        drawn.append(means)
    macro = _macro(domains, drawn)
    micro, _ = _row(table, tau, signal.value, resamples, seed)
    order_check = flip_rates(records)
    return {
        "tau": tau,
        "signal": signal.value,
        "temperature": temperature,
        "n": len(table),
        "left_out": len(records) - len(table),
        "cloud_unparsable": sum(record.get("cloud_error") == UNPARSABLE for record in table.records),
        "edge_model": models[0],
        "edge_parameters": table.records[0].get("edge_parameters"),
        "cloud_model": sorted({str(record.get("cloud_model")) for record in table.records if record["cloud_answer"] is not None}),
        "prompt_version": sorted({str(record["prompt_version"]) for record in records}),
        "data_fingerprint": data_fingerprint(table),
        "resamples": resamples,
        "seed": seed,
        "domains": domains,
        "mean": macro,
        "micro_mean": micro,
        "signals": {name: _signal(table, name, resamples, seed) for name in SIGNALS},
        "buckets": _buckets(table),
        "option_counts": _option_counts(table, signal.value),
        "expected_vs_verbalized": _compare(table, tau, resamples, seed),
        "protocols": _protocols(table, tau, resamples, seed),
        **({"order_check": order_check} if order_check else {}),
        "costs": costs(table, table.signal[signal.value] < tau, prices or {}),
        "verdict": verdict_on(macro["lift_ci"]),
    }


def outcomes(table: Table, *, tau: float, signal: Signal) -> list[dict[str, Any]]:
    """One line a question: what was right, what was routed, and the signal. Comparisons of two reports are paired by it."""
    edge, routed = table.edge_right[signal.value], table.signal[signal.value] < tau
    return [
        {
            "id": record["id"],
            "fingerprint": record.get("fingerprint"),
            "domain": record["domain"],
            "edge_right": bool(edge[index]),
            "cloud_right": bool(table.cloud_right[index]),
            "routed": bool(routed[index]),
            "signal": float(table.signal[signal.value][index]),
        }
        for index, record in enumerate(table.records)
    ]


def data_fingerprint(table: Table) -> str:
    """12 hex digits of which questions these are, in whatever order."""
    keys = sorted(f"{record['id']} {record.get('fingerprint')} {record['gold']}" for record in table.records)
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:12]


def verdict_on(lift_ci: Sequence[float]) -> str:
    """Whether to route on a signal, in plain words, from the interval of its lift over random."""
    low, high = lift_ci
    if low > 0:
        return "Routing on this signal at this tau beats sending the same share to the cloud by lot."
    if high < 0:
        return (
            "Routing on this signal at this tau is worse than sending the same share to the cloud by lot: do not route on this signal here."
        )
    return "The interval of the lift over random includes zero: do not route on this signal here."


def _row(table: Table, tau: float, signal: str, resamples: int, seed: int) -> tuple[dict[str, Any], st.Floats]:
    """One line of the reference table, and the bootstrap's (cloud, edge, system, cloud_rate) for the macro mean."""
    row, drawn = routing_row(table.edge_right[signal], table.cloud_right, table.signal[signal] < tau, resamples=resamples, seed=seed)
    return {**row, "chance": float(np.mean(1 / table.options))}, drawn


def routing_row(
    edge_right: st.Flags, cloud_right: st.Flags, routed: st.Flags, *, resamples: int, seed: int
) -> tuple[dict[str, Any], st.Floats]:
    """What routing some questions buys, with intervals; and the bootstrap's (cloud, edge, system, cloud_rate), `[resamples, 4]`."""
    system = np.where(routed, cloud_right, edge_right)
    columns = np.stack([cloud_right, edge_right, system, routed], axis=1).astype(np.float64)
    drawn = st.bootstrap_means(columns, resamples=resamples, seed=seed)
    return {"n": len(columns), **_numbers(columns.mean(axis=0)), **_intervals(drawn)}, drawn


def _macro(domains: Mapping[str, Mapping[str, Any]], drawn: Sequence[st.Floats]) -> dict[str, Any]:
    """The plain mean over domains, as the reference prints it: each column by itself, the baseline per domain."""
    names = ("cloud_only", "edge_only", "system", "cloud_rate", "random", "lift")
    point = {name: float(np.mean([row[name] for row in domains.values()])) for name in names}
    lifts = np.mean([lift_of(means) for means in drawn], axis=0)
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
        "lift_ci": list(st.interval(lift_of(drawn)))
    }


def lift_of(drawn: st.Floats) -> st.Floats:
    """Lift over random of each resample's (cloud, edge, system, cloud_rate)."""
    cloud, edge, system, rate = drawn.T
    return np.asarray(system - (rate * cloud + (1 - rate) * edge), dtype=np.float64)


def _signal(table: Table, name: str, resamples: int, seed: int) -> dict[str, Any]:
    signal, right = table.signal[name], table.edge_right[name]
    curve = st.routing_curve(signal, right, table.cloud_right)
    return {
        "edge_accuracy": float(right.mean()),
        "auroc": st.auroc(signal, right),
        "auroc_ci": list(st.interval(st.bootstrap_auroc(signal, right, resamples=resamples, seed=seed))),
        "ece_fixed": st.ece_fixed(signal, right),
        "ece_adaptive": st.ece_adaptive(signal, right),
        "brier": st.brier(signal, right),
        "aurc": st.aurc(signal, right),
        "apgr": st.apgr(curve),
        "apgr_oracle": st.apgr(st.oracle_curve(right, table.cloud_right)),
        "mean": float(signal.mean()),
        "routing_curve": [round(st.accuracy_at(curve, rate), 6) for rate in RATES],
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

    routed = table.signal[verbalized] < tau
    rate = float(routed.mean())
    by_verbalized = np.where(routed, table.cloud_right, table.edge_right[verbalized])
    curve = st.routing_curve(table.signal[expected], table.edge_right[expected], table.cloud_right)
    point = st.accuracy_at(curve, rate) - float(by_verbalized.mean())
    # The same draws for both, so that the difference is paired; each resample has a cloud rate of its own.
    means = st.bootstrap_means(np.stack([routed, by_verbalized], axis=1).astype(float), resamples=resamples, seed=seed)
    by_expected = st.bootstrap_routing(
        table.signal[expected], table.edge_right[expected], table.cloud_right, means[:, :1], resamples=resamples, seed=seed
    )
    drawn = by_expected[:, 0] - means[:, 1]
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


def _option_counts(table: Table, signal: str) -> dict[str, Any]:
    """By how many options were offered: chance, and how often the edge is right."""
    found = {}
    for count in np.unique(table.options):
        right = table.edge_right[signal][table.options == count]
        found[str(int(count))] = {"n": len(right), "chance": float(1 / count), "edge_accuracy": float(right.mean())}
    return found


def _protocols(table: Table, tau: float, resamples: int, seed: int) -> dict[str, Any] | None:
    """The one-pass verdict beside free generation, on the questions that were generated; None where there are none."""
    part = table.rows(np.array([record.get("generated_text") is not None for record in table.records]))
    if not len(part):
        return None
    said = [(record["generated_confidence"], record["generated_answer"]) for record in part.records]
    read = [(record["confidence"], record["edge_answer"]) for record in part.records]
    on_format = np.array([bool(record["generated_on_format"]) for record in part.records])
    agree = np.array([one == other for one, other in zip(said, read, strict=True)])
    right = np.array([letter == record["gold"] for (_, letter), record in zip(said, part.records, strict=True)])
    # What cannot be parsed has no confidence: it goes to the cloud.
    routed = np.array([letter is None or confidence < tau for confidence, letter in said])
    one_pass, _ = _row(part, tau, Signal.VERBALIZED.value, resamples, seed)
    generate, _ = routing_row(right, part.cloud_right, routed, resamples=resamples, seed=seed)
    return {
        "n": len(part),
        "on_format": float(on_format.mean()),
        "parsed": float(np.mean([letter is not None for _, letter in said])),
        "agree_on_format": float(agree[on_format].mean()) if on_format.any() else None,
        "one_pass": one_pass,
        "generate": generate,
    }

"""Records → `report.json`: FogGen's table with intervals, and the quality of each signal. Needs no model.

The schema is documented in docs/evaluation.md; rates and accuracies are fractions. Numbers that need the cloud's answers are
computed on the questions that have one, and are absent where none has; all others are computed on every question.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.core.errors import ConfigError
from app.core.policy import Policy
from app.core.verdict import Signal
from app.data.calibration import Calibration
from app.data.records import Record
from app.evaluation import statistics as st
from app.evaluation.calibrated import about, note, served_table
from app.evaluation.costs import Price, costs
from app.evaluation.notes import notes
from app.evaluation.options_covered import left_out
from app.evaluation.order import flip_rates
from app.evaluation.protocols import protocols
from app.evaluation.recommend import WITHOUT_CLOUD, WITHOUT_COVERED, recommend
from app.evaluation.routing import Row, chance, edge_row, macro_row, routing_row, unrouted_row
from app.evaluation.signals import buckets, option_counts, other_signals, routing_quality, signal_quality
from app.evaluation.split import fingerprint_of
from app.evaluation.table import UNPARSABLE, Table
from app.evaluation.tau_steps import tau_steps


def build_report(
    records: Sequence[Record],
    *,
    tau: float,
    signal: Signal,
    temperature: float = 1.0,
    thresholds: Mapping[str, float] | None = None,
    calibration: Calibration | None = None,
    prices: Mapping[str, Price] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """The whole report.

    Args:
        records: records as `load_records` checked them; those without an edge answer are counted and left out.
        tau: threshold of every domain without its own.
        signal: the number that is compared with the thresholds.
        temperature: temperature of the expected confidence.
        thresholds: thresholds of single domains.
        calibration: calibration that the thresholds come from, to be shown beside them.
        prices: prices by name of the model; without them there are no costs.
        resamples: number of resamples of the paired bootstrap within each domain.
        seed: seed of the bootstrap.

    Raises:
        ConfigError: no record has an edge answer, the records are of two edge models, or they do not hold the signal; `fitted` needs the
            model of the calibration.
    """
    models = sorted({str(record["edge_model"]) for record in records})
    if len(models) > 1:
        raise ConfigError(f"records of two models are mixed: {', '.join(models)}")
    policy = Policy(tau, signal, temperature, thresholds or {})
    table = served_table(records, calibration, temperature=temperature)
    table.check_signal(signal)
    both = table.with_cloud()
    base = both if len(both) else table
    draw = _Draw(policy, resamples, seed)
    order_check = flip_rates(records)
    report = {
        "tau": tau,
        "signal": signal.value,
        "temperature": temperature,
        **({"thresholds": dict(thresholds)} if thresholds else {}),
        "n": len(base),
        "n_edge": len(table),
        "n_cloud": len(both),
        "left_out": len(records) - len(base),
        "cloud_unparsable": sum(record.get("cloud_error") == UNPARSABLE for record in both.records),
        "edge_model": models[0],
        "edge_parameters": table.records[0].get("edge_parameters"),
        "cloud_model": sorted({str(record.get("cloud_model")) for record in both.records if record["cloud_answer"] is not None}),
        "prompt_version": sorted({str(record["prompt_version"]) for record in records}),
        "data_fingerprint": data_fingerprint(table),
        "hardware": sorted({str(record["edge_hardware"]) for record in table.records if record.get("edge_hardware")}),
        "resamples": resamples,
        "seed": seed,
        "edge": {
            "all": draw.edge(table),
            "domains": {name: {"tau": policy.tau_for(name, None), **draw.edge(table.of(name))} for name in table.domains},
        },
        **draw.routing(table),
        "tau_steps": tau_steps(table.unseen(signal.value), signal),
        "signals": {name: draw.signal(table, both, name) for name in table.signals},
        "buckets": buckets(table),
        "option_counts": option_counts(table, signal.value),
        "protocols": protocols(base, tau, resamples=resamples, seed=seed),
        **({"order_check": order_check} if order_check else {}),
        "costs": costs(base, draw.routed(base), prices or {}),
    }
    if len(unseen := both.unseen(signal.value)):
        report["other_signals"] = other_signals(unseen, signal, taus_of(unseen, policy), resamples=resamples, seed=seed)
    said = notes(records, table, draw.routed(table))
    if outside := left_out(table, "of the records"):
        said.append(f"{outside}.")
    if calibration is not None:
        report["calibration"] = about(calibration)
        said += note(
            calibration,
            table.domains,
            [data_fingerprint(table), data_fingerprint(base)],
            policy.domains,
            held_out=None if table.held_out is None else len(table.judging(Signal.FITTED.value)),
        )
    # What goes to the cloud for its number of options is no merit of the signal.
    routed = both.rows(both.covered)
    alone = report if len(routed) == len(both) else draw.routing(routed) if len(routed) else None
    without = WITHOUT_COVERED if len(both) else WITHOUT_CLOUD
    return report | {"recommendation": _recommendation(alone) if len(both) and alone else without, "notes": said}


class _Draw:
    """The rows of one policy, all with the same bootstrap."""

    def __init__(self, policy: Policy, resamples: int, seed: int) -> None:
        self.policy, self.name, self.resamples, self.seed = policy, policy.signal.value, resamples, seed

    def routed(self, table: Table) -> st.Flags:
        """Which questions go to the cloud, `[n]`: the rule of `Policy.decide`."""
        return table.signal[self.name] < taus_of(table, self.policy)

    def edge(self, table: Table) -> Row:
        return edge_row(table, self.routed(table), self.name)

    def row(self, table: Table, seed: int) -> tuple[Row, st.Floats | None]:
        """A line of the table and its bootstrap; without any cloud answer only the edge's part, and no bootstrap."""
        both = table.with_cloud()
        if not len(both):
            row = unrouted_row(table.edge_correct[self.name], self.routed(table), resamples=self.resamples, seed=seed)
            return {**row, "chance": chance(table)}, None
        row, drawn = routing_row(both.edge_correct[self.name], both.cloud_correct, self.routed(both), resamples=self.resamples, seed=seed)
        return {**row, "chance": chance(both)}, drawn

    def routing(self, table: Table) -> dict[str, Any]:
        """`domains`, `mean` and `micro_mean`; the means are over the domains that have cloud answers, if any has."""
        domains, drawn = {}, {}
        for number, name in enumerate(table.domains):
            part = table.of(name)
            row, means = self.row(part, self.seed + number)
            domains[name] = {**row, "buckets": {label: entry["n"] for label, entry in buckets(part).items()}}
            if means is not None:
                drawn[name] = means
        counted = {name: domains[name] for name in drawn} or domains
        micro, _ = self.row(table, self.seed)
        return {"domains": domains, "mean": macro_row(counted, list(drawn.values())), "micro_mean": micro}

    def signal(self, table: Table, both: Table, name: str) -> dict[str, Any]:
        """The numbers of one signal, on the rows that may judge it."""
        unseen = both.unseen(name)
        return {
            **signal_quality(table.judging(name), name, resamples=self.resamples, seed=self.seed),
            **(routing_quality(unseen, name) if len(unseen) else {}),
        }


def _recommendation(report: Mapping[str, Any]) -> str:
    """On the macro mean; where that has no interval because a domain has one question only, on all questions together."""
    mean, micro = report["mean"], report["micro_mean"]
    row = mean if mean["lift_ci"] or not micro["lift_ci"] else micro
    # The cloud rate of all questions: one domain may be routed as a whole and another not at all, and the system still routes.
    return recommend(n=row["n"], cloud_rate=micro["cloud_rate"], lift=row["lift"], lift_ci=row["lift_ci"])


def taus_of(table: Table, policy: Policy) -> st.Floats:
    """The threshold of each question, `[n]`: its domain's, or the one for all."""
    return np.array([policy.tau_for(name, None) for name in table.domain.tolist()], dtype=np.float64)


def outcomes(table: Table, *, tau: float, signal: Signal, thresholds: Mapping[str, float] | None = None) -> list[dict[str, Any]]:
    """One line for each question: what was correct, what was routed, and the signal. Comparisons of two reports pair these lines.

    `cloud_correct` is None where the cloud has not answered, `signal` where the thresholds are not for the question's number of options.
    """
    policy, name = Policy(tau, signal, domains=thresholds or {}), signal.value
    edge, routed = table.edge_correct[name], table.signal[name] < taus_of(table, policy)
    return [
        {
            "id": record["id"],
            "fingerprint": record.get("fingerprint"),
            "domain": record["domain"],
            "edge_correct": bool(edge[index]),
            "cloud_correct": bool(table.cloud[index]) if known else None,
            "routed": bool(routed[index]),
            "signal": float(table.signal[name][index]) if covered else None,
        }
        for index, (record, known, covered) in enumerate(
            zip(table.records, table.cloud_known.tolist(), table.covered.tolist(), strict=True)
        )
    ]


def data_fingerprint(table: Table) -> str:
    """12 hex digits that identify the questions, in any order."""
    return fingerprint_of(table.records)

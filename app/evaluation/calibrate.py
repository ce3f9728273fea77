"""Records → cuts that reach a target: chosen on one half of the questions, checked on the other."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from app.calibration import Achieved, Calibration, DomainCut, Target, split_name
from app.domain import BUCKETS, Signal
from app.errors import ConfigError
from app.evaluation import statistics as st
from app.evaluation.records import Record
from app.evaluation.report import data_fingerprint, routing_row, verdict_on
from app.evaluation.risk import certify, clopper_pearson
from app.evaluation.table import Table, expected_at, to_table

# A cloud rate this near to the target counts as the target: with five buckets few rates can be reached.
RATE_TOLERANCE = 0.02
_TEMPERATURES = (0.05, 20.0)
_HALVES = 2


@dataclass(frozen=True, slots=True)
class Fit:
    """What calibration found, for the file and for people.

    Attributes:
        calibration: what is written.
        notes: sentences about what a reader must know (pooled domains, reachable rates, how delta was shared).
        temperature_report: log loss, Brier score and ECE on the test half before and after; empty without a temperature.
    """

    calibration: Calibration
    notes: tuple[str, ...]
    temperature_report: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def calibrate(
    records: Sequence[Record],
    *,
    target: Target,
    signal: Signal,
    with_temperature: bool = False,
    min_domain: int = 100,
    seed: int = 0,
    today: date,
    resamples: int = 2000,
) -> Fit:
    """Choose the cuts.

    Args:
        records: as `load_records` checked them.
        target: what the cuts must reach.
        signal: the number to cut.
        with_temperature: fit a temperature of the expected confidence first.
        min_domain: a domain with fewer questions in the fit half shares the global cut.
        seed: of the split into halves, of the certification's split and of the bootstrap.
        today: what the file says of its making.
        resamples: of the bootstrap behind the intervals.

    Raises:
        ConfigError: an unreachable target, with the best that can be reached; or a temperature on another signal.
    """
    if with_temperature and signal is not Signal.EXPECTED:
        raise ConfigError("a temperature changes the expected confidence only: say --signal expected")
    plain = to_table(records)
    order = np.random.default_rng(seed).permutation(len(plain))
    fit_rows, test_rows = order[: len(order) // _HALVES], order[len(order) // _HALVES :]
    if not len(fit_rows):
        raise ConfigError("one record cannot be split into a half to fit and a half to test")
    temperature, temperature_report = 1.0, {}
    table = plain
    if with_temperature:
        temperature = fit_temperature(plain.rows(fit_rows))
        table = to_table(records, temperature=temperature)
        temperature_report = {
            "before": _calibration_errors(plain.rows(test_rows)),
            "after": _calibration_errors(table.rows(test_rows)),
        }
    fit, test = table.rows(fit_rows), table.rows(test_rows)
    sizes = {name: int((fit.domain == name).sum()) for name in table.domains}
    own = [name for name, size in sizes.items() if target.per_domain and size >= min_domain]
    pooled = [name for name in sizes if target.per_domain and name not in own]
    # All promises hold together with probability 1 - delta: each gets its share of it (Bonferroni).
    # The global cut is one more, for the pooled and for domains that the data does not hold.
    parts = len(own) + 1
    chooser = _Chooser(target, signal, seed, delta=(target.delta or 0.0) / parts)
    tau = chooser.choose(fit, "all domains together")
    cuts = {name: chooser.choose(fit.of(name), f"the domain '{name}'") for name in own}
    taus = np.array([cuts.get(name, tau) for name in test.domain.tolist()])
    judge = _Judge(signal, target, resamples, seed)
    achieved = judge.judge(test, taus)
    models = {split_name(str(record["edge_model"])) for record in table.records}
    model, adapter = next(iter(models))
    calibration = Calibration(
        signal=signal.value,
        temperature=temperature,
        tau=tau,
        domains={name: DomainCut(tau=cut, n=sizes[name], achieved=judge.judge_domain(test.of(name), cut)) for name, cut in cuts.items()},
        pooled=pooled,
        target=target,
        achieved=achieved,
        verdict=verdict_on(achieved.lift_ci),
        n_fit=len(fit),
        n_test=len(test),
        seed=seed,
        data_fingerprint=data_fingerprint(table),
        edge_model=model,
        edge_adapter=adapter,
        edge_fingerprint=table.records[0].get("edge_fingerprint"),
        prompt_version=str(table.records[0]["prompt_version"]),
        cloud_model=sorted({str(record.get("cloud_model")) for record in table.records if record["cloud_answer"] is not None}),
        created=today,
    )
    return Fit(
        calibration, tuple(_notes(fit, signal, target, sizes=sizes, pooled=pooled, min_domain=min_domain, parts=parts)), temperature_report
    )


@dataclass(frozen=True, slots=True)
class _Chooser:
    target: Target
    signal: Signal
    seed: int
    delta: float

    def choose(self, table: Table, where: str) -> float:
        """The cut that reaches the target on these questions. Raises ConfigError."""
        signal, edge = table.signal[self.signal.value], table.edge_right[self.signal.value]
        if self.target.kind == "edge_error":
            found = certify(signal, ~edge, max_error=self.target.value, delta=self.delta, seed=self.seed)
            if found.tau is None:
                raise ConfigError(
                    f"an edge error of {self.target.value:g} cannot be promised for {where} (n = {len(table)}) at delta = {self.delta:.3g}: "
                    f"the best that can be is {found.bound:.3f}, on {found.kept} kept answers"
                )
            return found.tau
        cuts = candidate_cuts(signal, self.signal)
        routed = np.searchsorted(np.sort(signal), cuts, side="left")
        rates = routed / len(table)
        if self.target.kind == "cloud_rate":
            best = int(np.argmin(np.abs(rates - self.target.value)))
            if abs(rates[best] - self.target.value) > max(RATE_TOLERANCE, 1 / len(table)):
                raise ConfigError(
                    f"a cloud rate of {self.target.value:g} cannot be reached for {where} with the {self.signal.value} confidence; "
                    f"the best is {rates[best]:.3f}, reachable are {_listed(rates)}"
                    + ("; --signal expected reaches every rate" if self.signal is Signal.VERBALIZED else "")
                )
            return float(cuts[best])
        gain = np.concatenate([[0.0], np.cumsum((table.cloud_right.astype(float) - edge)[np.argsort(signal, kind="stable")])])
        accuracy = (edge.sum() + gain[routed]) / len(table)
        reaching = np.flatnonzero(accuracy >= self.target.value - 1e-12)
        if not len(reaching):
            best = int(np.argmax(accuracy))
            raise ConfigError(
                f"an accuracy of {self.target.value:g} cannot be reached for {where}: "
                f"the best is {accuracy[best]:.3f}, at a cloud rate of {rates[best]:.3f}"
            )
        return float(cuts[reaching[0]])


def candidate_cuts(signal: st.Floats, name: Signal) -> st.Floats:
    """Every cut that routes another set of questions, ascending, from nothing routed to as much as a cut of 1 can route.

    The buckets themselves for `verbalized`; between neighbouring values for a continuous signal, so that neither a
    rounding nor the next question sits on the edge.
    """
    if name is Signal.VERBALIZED:
        return np.array(BUCKETS)
    distinct = np.unique(signal)
    return np.concatenate([[0.0], (distinct[1:] + distinct[:-1]) / 2, [1.0]])


def fit_temperature(table: Table) -> float:
    """The temperature with the least log loss of the expected confidence, by golden-section search over its logarithm."""
    right = table.edge_right[Signal.EXPECTED.value]

    def loss(log_temperature: float) -> float:
        signal = np.array([expected_at(record, math.exp(log_temperature)) for record in table.records])
        return _log_loss(signal, right)

    low, high = map(math.log, _TEMPERATURES)
    ratio = (math.sqrt(5) - 1) / 2
    left, right_of = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = loss(left), loss(right_of)
    for _ in range(25):
        if at_left <= at_right:
            high, right_of, at_right = right_of, left, at_left
            left = high - ratio * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right_of, at_right
            right_of = low + ratio * (high - low)
            at_right = loss(right_of)
    return round(math.exp((low + high) / 2), 4)


def _calibration_errors(table: Table) -> dict[str, float]:
    signal, right = table.signal[Signal.EXPECTED.value], table.edge_right[Signal.EXPECTED.value]
    return {"log_loss": _log_loss(signal, right), "brier": st.brier(signal, right), "ece": st.ece_fixed(signal, right)}


def _log_loss(signal: st.Floats, right: st.Flags) -> float:
    clipped = np.clip(signal, 1e-6, 1 - 1e-6)
    return float(-np.mean(np.where(right, np.log(clipped), np.log1p(-clipped))))


@dataclass(frozen=True, slots=True)
class _Judge:
    """Says what cuts do on questions that had no part in choosing them."""

    signal: Signal
    target: Target
    resamples: int
    seed: int

    def judge(self, test: Table, taus: st.Floats | float) -> Achieved:
        """The numbers, and whether the target lies within what they can tell. `test` is not empty."""
        routed = test.signal[self.signal.value] < taus
        edge = test.edge_right[self.signal.value]
        row, _ = routing_row(edge, test.cloud_right, routed, resamples=self.resamples, seed=self.seed)
        kept, wrong = int((~routed).sum()), int((~edge[~routed]).sum())
        error_ci = clopper_pearson(wrong, kept)
        rate_ci = clopper_pearson(int(routed.sum()), len(test))
        held = {
            "cloud_rate": rate_ci[0] - RATE_TOLERANCE <= self.target.value <= rate_ci[1] + RATE_TOLERANCE,
            "accuracy": row["system_ci"][1] >= self.target.value,
            "edge_error": error_ci[0] <= self.target.value,
        }
        return Achieved(
            n=len(test),
            kept=kept,
            cloud_rate=row["cloud_rate"],
            cloud_rate_ci=rate_ci,
            accuracy=row["system"],
            accuracy_ci=tuple(row["system_ci"]),
            edge_error=wrong / kept if kept else None,
            edge_error_ci=error_ci if kept else None,
            lift=row["lift"],
            lift_ci=tuple(row["lift_ci"]),
            held=held[self.target.kind],
        )

    def judge_domain(self, test: Table, tau: float) -> Achieved | None:
        """The same for one domain; None where the test half holds none of it."""
        return self.judge(test, tau) if len(test) else None


def _notes(
    fit: Table, signal: Signal, target: Target, *, sizes: Mapping[str, int], pooled: Sequence[str], min_domain: int, parts: int
) -> list[str]:
    notes = []
    if signal is Signal.VERBALIZED:
        values = np.sort(fit.signal[signal.value])
        rates = np.searchsorted(values, np.array(BUCKETS), side="left") / len(values)
        notes.append(f"with five buckets the reachable cloud rates are {_listed(rates)} (fit half)")
    if pooled:
        listed = ", ".join(f"{name} ({sizes[name]})" for name in pooled)
        notes.append(f"pooled, because they have fewer than {min_domain} questions in the fit half: {listed}; they get the global cut")
    if target.kind == "edge_error" and parts > 1:
        notes.append(
            f"delta is shared among {parts} promises, so that all hold together: each is tested at {(target.delta or 0) / parts:.3g}"
        )
    return notes


def _listed(rates: Any) -> str:
    few = 12
    distinct = [f"{rate:.3f}" for rate in np.unique(rates)]
    return ", ".join(distinct) if len(distinct) <= few else f"{distinct[0]} … {distinct[-1]} in {len(distinct)} steps"

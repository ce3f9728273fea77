"""One threshold for one set of questions: the one that reaches the target, or the best one and what is missing."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from app.core.buckets import BUCKETS
from app.core.errors import ConfigError
from app.core.verdict import Signal
from app.data.calibration import ROUTES_ALL
from app.data.target import RATE_TOLERANCE, Target
from app.evaluation import statistics as st
from app.evaluation.cells import questions
from app.evaluation.risk import answers_needed, certify
from app.evaluation.table import Table


@dataclass(frozen=True, slots=True)
class Choice:
    """A threshold for some questions.

    Attributes:
        tau: threshold that reaches the target; if none does, the nearest one, and for an edge error one that routes everything.
        missed: a sentence that says why the target is not reached; None where it is reached.
        serves: which threshold this is where the target is missed, for people.
    """

    tau: float
    missed: str | None = None
    serves: str = "the nearest threshold"


@dataclass(frozen=True, slots=True)
class Chooser:
    """Chooses thresholds.

    Attributes:
        target: what the thresholds must reach.
        signal: the number that is compared with them.
        delta: probability with which one promise of an edge error may fail; other targets do not use it.
    """

    target: Target
    signal: Signal
    delta: float

    def choose(self, table: Table, proposing: st.Flags, where: str) -> float:
        """The threshold that reaches the target on these questions. Raises ConfigError where none does."""
        choice = self.attempt(table, proposing, where)
        if choice.missed:
            raise ConfigError(choice.missed)
        return choice.tau

    def attempt(self, table: Table, proposing: st.Flags, where: str) -> Choice:
        """The threshold that reaches the target on these questions, or the best one and why it does not.

        Args:
            table: at least one question, unless the target is an edge error.
            proposing: `[n]`, the questions that propose thresholds for an edge error (`risk.certify`).
            where: name of these questions for people, as in "the domain 'law'".
        """
        signal, edge = table.signal[self.signal.value], table.edge_correct[self.signal.value]
        if self.target.kind == "edge_error":
            return self._certified(table, proposing, where)
        thresholds = candidate_thresholds(signal, self.signal)
        routed = np.searchsorted(np.sort(signal), thresholds, side="left")
        rates = routed / len(table)
        if self.target.kind == "cloud_rate":
            return self._nearest(thresholds, rates, table, where)
        gain = np.concatenate([[0.0], np.cumsum((table.cloud_correct.astype(float) - edge)[np.argsort(signal, kind="stable")])])
        accuracy = (edge.sum() + gain[routed]) / len(table)
        reaching = np.flatnonzero(accuracy >= self.target.value)
        if len(reaching):
            return Choice(float(thresholds[reaching[0]]))
        best = int(np.argmax(accuracy))
        missed = (
            f"an accuracy of {self.target.value:g} cannot be reached for {where}: "
            f"the best is {accuracy[best]:.3f}, at a cloud rate of {rates[best]:.3f}{_sent_in_any_case(table)}"
        )
        return Choice(float(thresholds[best]), missed)

    def _certified(self, table: Table, proposing: st.Flags, where: str) -> Choice:
        signal, wrong = table.signal[self.signal.value], ~table.edge_correct[self.signal.value]
        found = certify(signal, wrong, max_error=self.target.value, delta=self.delta, proposing=proposing)
        if found.tau is not None:
            return Choice(found.tau)
        missed = (
            f"an edge error of {self.target.value:g} cannot be promised for {where} (n = {len(signal)}) at delta = {self.delta:.3g}: "
            f"the best that can be is {found.bound:.3f}, on {found.kept} kept answers; {_needed(self.target.value, self.delta)}{_sent_in_any_case(table)}"
        )
        return Choice(ROUTES_ALL, missed)

    def _nearest(self, thresholds: st.Floats, rates: st.Floats, table: Table, where: str) -> Choice:
        best = int(np.argmin(np.abs(rates - self.target.value)))
        if abs(rates[best] - self.target.value) <= max(RATE_TOLERANCE, 1 / len(table)):
            return Choice(float(thresholds[best]))
        missed = (
            f"a cloud rate of {self.target.value:g} cannot be reached for {where} with the {self.signal.words}; "
            f"the best is {rates[best]:.3f}, reachable are {listed(rates)}"
            + ("; every other --signal reaches every rate" if self.signal is Signal.VERBALIZED and table.covered.all() else "")
            + _sent_in_any_case(table)
        )
        return Choice(float(thresholds[best]), missed)


def _sent_in_any_case(table: Table) -> str:
    outside = int((~table.covered).sum())
    if not outside:
        return ""
    goes = "goes" if outside == 1 else "go"
    return (
        f"; {questions(outside)} of {len(table)} with another number of options than {table.option_numbers} {goes} to the cloud in any case"
    )


def _needed(max_error: float, delta: float) -> str:
    """A sentence with the fewest answers that such a promise needs."""
    needed = answers_needed(max_error, delta)
    if needed is None:
        return "an error of 0 cannot be promised with any number of answers"
    return (
        f"even without a single error it takes {needed:,} kept answers (n = log delta / log(1 - error), Clopper and Pearson 1934) among the third "
        "of the records that tests the promise"
    )


def candidate_thresholds(signal: st.Floats, name: Signal) -> st.Floats:
    """Every threshold that routes another set of questions, ascending, from nothing routed to as much as a threshold of 1 can route.

    The buckets themselves for `verbalized`; between neighbouring values for a continuous signal, so that neither a
    rounding nor the next question sits on the edge. Questions without a signal are routed by every threshold.
    """
    if name is Signal.VERBALIZED:
        return np.array(BUCKETS)
    distinct = np.unique(signal[np.isfinite(signal)])
    return np.concatenate([[0.0], (distinct[1:] + distinct[:-1]) / 2, [1.0]])


def listed(rates: Any) -> str:
    """Rates for a sentence; if they are many, only the lowest and the highest."""
    few = 12
    distinct = [f"{rate:.3f}" for rate in np.unique(rates)]
    return ", ".join(distinct) if len(distinct) <= few else f"{distinct[0]} … {distinct[-1]} in {len(distinct)} steps"

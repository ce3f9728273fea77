"""The signals of records whose questions were read in several orders of their options, by the rule of `app.core.permutation`."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.core.distribution import most_probable
from app.core.errors import ConfigError
from app.core.fitted import Logistic
from app.core.permutation import Permutation
from app.core.verdict import Signal
from app.evaluation import statistics as st
from app.evaluation.table import Table, signal_of


def rule_of(table: Table, band: float) -> Permutation:
    """The rule with which the questions of a table were read, and a band.

    Args:
        table: the records.
        band: width of the band below the threshold, in units of the signal.

    Raises:
        ConfigError: a question was read in its original order only, or one in more orders than another.
    """
    reads = {int((record.get("permuted") or {}).get("reads", 1)) for record in table.records}
    if 1 in reads or len(reads) != 1:
        raise ConfigError(
            "the records do not hold every question in the same number of orders of its options: collect them with edge.permute set to the "
            "number of orders (FOGGATE_EDGE__PERMUTE=2 foggate eval collect …)"
        )
    return Permutation(reads.pop(), band)


def reread(
    table: Table, rule: Permutation, signals: Sequence[Signal], *, temperature: float = 1.0, fitted: Logistic | None = None
) -> Table:
    """The table with the numbers that the rule compares with tau.

    Args:
        table: records with the mean over the orders that the rule reads; each signal is that of the first read.
        rule: the rule.
        signals: signals that are replaced; the written confidence is left as it is, since a mean over orders has none.
        temperature: temperature of the expected confidence.
        fitted: model of the signal `fitted`.
    """
    answers = [(record["answer_probabilities"], record["permuted"]["answer_probabilities"]) for record in table.records]
    same = np.array([most_probable(first) == most_probable(mean) for first, mean in answers])
    found: dict[str, st.Floats] = dict(table.signal)
    for signal in signals:
        if signal is Signal.VERBALIZED or signal.value not in found:
            continue
        means = [signal_of(record["permuted"], signal, temperature, fitted) for record in table.records]
        found[signal.value] = np.array(
            [
                rule.value(first, mean, same_answer=bool(agrees))
                for first, mean, agrees in zip(found[signal.value].tolist(), means, same, strict=True)
            ],
            dtype=np.float64,
        )
    return replace(table, signal=found)


def reread_share(first: st.Floats, rule: Permutation, taus: st.Floats) -> float:
    """Share of questions that are read again: those whose first signal is in the band below their threshold.

    Args:
        first: `[n]`, signals of the first read.
        rule: the rule.
        taus: `[n]`, thresholds.
    """
    wanted = [rule.wants(signal, tau) for signal, tau in zip(first.tolist(), taus.tolist(), strict=True)]
    return float(np.mean(wanted))

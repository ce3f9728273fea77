"""Records → columns: what every number of the report, the calibration and the comparison is computed from."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.buckets import BUCKET_LABELS, mean_confidence, tempered
from app.core.distribution import margin, most_probable, top_probability
from app.core.errors import ConfigError
from app.core.fitted import Logistic
from app.core.option_numbers import OptionNumbers
from app.core.verdict import STATED, Signal
from app.data.records import Record
from app.evaluation import statistics as st
from app.evaluation.features import has_features, record_features

# The signal of a question that the thresholds are not for: below every one of them, so that it goes to the cloud wherever a signal is compared.
NO_SIGNAL = -np.inf
# The failure that counts as a (wrong) answer: the cloud replied, and no offered letter could be read.
UNPARSABLE = "cloud_unparsable"


@dataclass(frozen=True, slots=True)
class Table:
    """Records with an edge answer as columns, all of length n.

    Attributes:
        options: number of offered options.
        signal: the numbers that can be compared with tau, by name of the signal, in the order of `Signal`; those that every record has.
            `NO_SIGNAL` for every question outside `option_numbers`.
        edge_correct: whether the edge answer is correct, by name of the signal; the verbalized signal has the answer that decoding
            would write, the others the argmax of the marginal.
        cloud: 1 where the cloud is correct, 0 where it is wrong (an unparsable reply is), NaN where it was not asked or failed.
        records: the records themselves, for rarely used keys.
        held_out: whether a row had no part in fitting the model of the signal `fitted`; None where no row had a part, as far as is known.
        option_numbers: numbers of options that the thresholds are for; None for all.
    """

    domain: NDArray[np.str_]
    options: st.Floats
    signal: Mapping[str, st.Floats]
    edge_correct: Mapping[str, st.Flags]
    cloud: st.Floats
    records: NDArray[np.object_]
    held_out: st.Flags | None = None
    option_numbers: OptionNumbers | None = None

    def __len__(self) -> int:
        return len(self.domain)

    @property
    def cloud_correct(self) -> st.Flags:
        """Whether the cloud is correct, `[n]`. Raises ValueError where a row has no cloud answer: an unknown answer is not a wrong one."""
        if not self.cloud_known.all():
            raise ValueError("some rows have no cloud answer")
        return np.asarray(self.cloud == 1, dtype=np.bool_)

    @property
    def cloud_known(self) -> st.Flags:
        """Whether the cloud has answered, `[n]`."""
        return np.asarray(~np.isnan(self.cloud), dtype=np.bool_)

    @property
    def covered(self) -> st.Flags:
        """Whether the thresholds are for a question, by its number of options, `[n]`."""
        return covered(self.options, self.option_numbers)

    def with_cloud(self) -> "Table":
        """The rows that have a cloud answer too."""
        return self.rows(self.cloud_known)

    @property
    def domains(self) -> list[str]:
        """Names in the order of their first record."""
        return list(dict.fromkeys(self.domain.tolist()))

    @property
    def signals(self) -> list[str]:
        """Names of the signals that every record has."""
        return list(self.signal)

    def check_signal(self, signal: Signal) -> None:
        """Refuse a signal that the records do not hold. Raises ConfigError."""
        if signal is Signal.FITTED and signal.value not in self.signal:
            raise ConfigError("the signal 'fitted' needs a calibration that holds its model, and records with all features of that model")
        if signal.value not in self.signal:
            raise ConfigError(
                f"the records do not hold the {signal.words}, because the edge model does not give it: choose --signal {' or '.join(self.signal)}"
            )

    def of(self, domain: str) -> "Table":
        """The rows of one domain."""
        return self.rows(self.domain == domain)

    def rows(self, chosen: NDArray[Any]) -> "Table":
        """Some rows, by flag or by number."""
        return Table(
            self.domain[chosen],
            self.options[chosen],
            {name: values[chosen] for name, values in self.signal.items()},
            {name: values[chosen] for name, values in self.edge_correct.items()},
            self.cloud[chosen],
            self.records[chosen],
            None if self.held_out is None else self.held_out[chosen],
            self.option_numbers,
        )

    def judging(self, name: str) -> "Table":
        """The rows that may judge a signal: those that have it, and for `fitted` those of them that had no part in fitting it."""
        unseen = self.unseen(name)
        return unseen if unseen.covered.all() else unseen.rows(unseen.covered)

    def unseen(self, name: str) -> "Table":
        """The rows that may judge what is routed by a signal: for `fitted` those that had no part in fitting it, for the others all."""
        return self if self.held_out is None or name != Signal.FITTED.value else self.rows(self.held_out)

    def with_numbers(self, option_numbers: OptionNumbers) -> "Table":
        """This table with thresholds for these numbers of options only: every other question has no signal."""
        has = covered(self.options, option_numbers)
        return replace(
            self, signal={name: np.where(has, values, NO_SIGNAL) for name, values in self.signal.items()}, option_numbers=option_numbers
        )

    def with_fitted(self, values: st.Floats) -> "Table":
        """This table with values of the signal `fitted`, `[n]`, of which those outside `option_numbers` are not used."""
        name, answers = Signal.FITTED.value, self.edge_correct[Signal.TOP_PROBABILITY.value]
        found = np.where(self.covered, values, NO_SIGNAL)
        return replace(self, signal={**self.signal, name: found}, edge_correct={**self.edge_correct, name: answers})

    def numbers(self, key: str) -> st.Floats:
        """A numeric key of the records; NaN where it is missing."""
        values = [record.get(key) for record in self.records]
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def covered(options: st.Floats, option_numbers: OptionNumbers | None) -> st.Flags:
    """Whether numbers of options are among some, `[n]`; None holds every number."""
    if option_numbers is None:
        return np.ones(len(options), dtype=np.bool_)
    return np.isin(options, option_numbers.numbers)


def answered(records: Sequence[Record], *, cloud_needed: bool) -> list[Record]:
    """The records that have an edge answer and, where it is needed, a cloud answer."""
    return [record for record in records if record["edge_answer"] is not None and (has_cloud(record) or not cloud_needed)]


def has_cloud(record: Record) -> bool:
    """Whether the cloud has answered, also if its reply named no option."""
    return record["cloud_answer"] is not None or record.get("cloud_error") == UNPARSABLE


def to_table(
    records: Sequence[Record],
    *,
    temperature: float = 1.0,
    cloud_needed: bool = True,
    fitted: Logistic | None = None,
    held_out: Collection[str] | None = None,
    option_numbers: OptionNumbers | None = None,
) -> Table:
    """Columns of the records that have an edge answer.

    Args:
        records: records as `load_records` checked them.
        temperature: temperature of the expected confidence (`tempered`).
        cloud_needed: whether to leave out the records without a cloud answer.
        fitted: model of the signal `fitted`; without one the table does not have this signal.
        held_out: ids of the records that had no part in fitting this model; None where no record had a part.
        option_numbers: numbers of options that the thresholds are for; None for all.

    Raises:
        ConfigError: no record is left, or none of a domain where the cloud is needed; or a temperature is asked for and the
            records do not know the model's tokens.
    """
    whole = answered(records, cloud_needed=cloud_needed)
    if not whole and not cloud_needed:
        raise ConfigError("no record has an edge answer: every question failed at the edge; collect again")
    if not whole:
        raise ConfigError("no record has both an edge and a cloud answer; collect with a cloud, or with --cloud-records")
    if cloud_needed and (empty := {record["domain"] for record in records} - {record["domain"] for record in whole}):
        raise ConfigError(f"no record of the domain '{min(empty)}' has both an edge and a cloud answer; collect again or leave it out")
    gold = [record["gold"] for record in whole]
    answers = [record["answer_probabilities"] for record in whole]
    marginal_correct = np.array([most_probable(said) == letter for said, letter in zip(answers, gold, strict=True)])
    greedy_correct = np.array([record["edge_answer"] == letter for record, letter in zip(whole, gold, strict=True)])
    given = [signal for signal in Signal if all(_has_signal(record, signal, fitted) for record in whole)]
    options = np.array([len(said) for said in answers], dtype=np.float64)
    has = covered(options, option_numbers)
    return Table(
        domain=np.array([record["domain"] for record in whole]),
        options=options,
        signal={
            signal.value: np.where(has, [signal_of(record, signal, temperature, fitted) for record in whole], NO_SIGNAL) for signal in given
        },
        edge_correct={signal.value: greedy_correct if signal is Signal.VERBALIZED else marginal_correct for signal in given},
        cloud=np.array(
            [float(record["cloud_answer"] == letter) if has_cloud(record) else np.nan for record, letter in zip(whole, gold, strict=True)]
        ),
        records=np.array(whole, dtype=object),
        held_out=None if held_out is None else np.array([record["id"] in held_out for record in whole]),
        option_numbers=option_numbers,
    )


def _has_signal(record: Record, signal: Signal, fitted: Logistic | None) -> bool:
    if signal is Signal.FITTED:
        return fitted is not None and has_features(record, fitted)
    return signal not in STATED or record["confidence"] is not None


def signal_of(record: Record, signal: Signal, temperature: float = 1.0, fitted: Logistic | None = None) -> float:
    """A signal of a record with an edge answer, as the gateway would compute it.

    Args:
        record: the record; it has what the signal needs.
        signal: the signal.
        temperature: temperature of the expected confidence.
        fitted: model of the signal `fitted`; no other signal needs it.

    Raises:
        ConfigError: the record does not say how the model's tokenizer splits the buckets, which a temperature needs.
        ValueError: the signal is `fitted`, and there is no model of it.
    """
    match signal:
        case Signal.VERBALIZED:
            return float(record["confidence"])
        case Signal.EXPECTED:
            return expected_at(record, temperature)
        case Signal.TOP_PROBABILITY:
            return top_probability(record["answer_probabilities"].values())
        case Signal.MARGIN:
            return margin(record["answer_probabilities"].values())
        case Signal.FITTED:
            if fitted is None:
                raise ValueError("the signal 'fitted' needs its model")
            return fitted.probability(record_features(record))


def expected_at(record: Record, temperature: float) -> float:
    """The expected confidence of a record at a temperature, as the gateway would compute it.

    Raises:
        ConfigError: the record does not say how the model's tokenizer splits the buckets.
    """
    if temperature == 1.0:
        return float(record["expected_confidence"])
    if not record.get("bucket_paths"):
        raise ConfigError("the records do not hold 'bucket_paths', which a temperature needs; collect them again")
    paths = tuple(tuple((step[0], step[1]) for step in path) for path in record["bucket_paths"])
    probabilities = [record["confidence_probabilities"][label] for label in BUCKET_LABELS]
    return mean_confidence(tempered(probabilities, paths, temperature))

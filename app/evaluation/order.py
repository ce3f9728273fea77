"""Does the edge choose by the content of an option, or by its position? Some questions are asked again with their options reversed.

The order-flip rate is the share of these questions whose chosen option changes. A model that reads the options has a rate
near 0; one that prefers a letter changes its option whenever another option has that letter.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from app.core.distribution import most_probable
from app.core.errors import ConfigError
from app.core.question import Question
from app.core.verdict import EdgeReply, Signal
from app.data.dataset import Item
from app.data.records import Record
from app.evaluation.risk import share_interval
from app.evaluation.statistics import as_list


def checked_ids(items: Iterable[Item], count: int, seed: int) -> frozenset[str]:
    """Ids of the questions to ask in both orders.

    They depend only on the seed and the ids, so that a resumed run draws the same ones in any order of the data, and a larger
    count only adds more.

    Raises:
        ConfigError: a negative count.
    """
    if count < 0:
        raise ConfigError(f"--order-check must be 0 or more, not {count}")
    ranked = sorted((hashlib.sha256(f"{seed}|{item.id}".encode()).digest(), item.id) for item in items)
    return frozenset(name for _, name in ranked[:count])


def reversed_question(question: Question) -> Question:
    """The same question with its options in the opposite order."""
    return Question(question.question, question.options[::-1], question.domain, question.id)


def reversed_fields(reply: EdgeReply, letters: str) -> dict[str, Any]:
    """Fields of the verdict on a reversed question for the record of the question.

    Args:
        reply: reply of the edge to `reversed_question`.
        letters: the offered letters, as in `"ABCD"`.

    Returns:
        Letters of the original order, so that equal letters mean the same option: `reversed_answer` as decoding would answer,
        `reversed_expected_answer` by the marginal, None where the verdict has no distribution over letters.
    """
    answers = {"reversed_answer": Signal.VERBALIZED, "reversed_expected_answer": Signal.EXPECTED}
    found = {key: letters[-1 - letters.index(reply.verdict.answer(signal))] for key, signal in answers.items()}
    return found if reply.verdict.answer_probabilities is not None else {**found, "reversed_expected_answer": None}


def flip_rates(records: Sequence[Record]) -> dict[str, Any] | None:
    """The order-flip rate of both kinds of answer, over the records that were asked in both orders.

    Returns:
        `n`, and for `verbalized` (its answer) and `expected` (the most probable option, the answer of every other signal) `flips`, `rate` and `rate_ci`, the exact 95 %
        interval (Clopper and Pearson 1934), which is None for one question; `verbalized` only
        where the edge gives a confidence. None where no question was asked in both orders.
    """
    both = [record for record in records if record["edge_answer"] is not None and record.get("reversed_answer") is not None]
    if not both:
        return None
    changed = {
        Signal.VERBALIZED: sum(record["edge_answer"] != record["reversed_answer"] for record in both),
        Signal.EXPECTED: sum(_marginal(record) != record["reversed_expected_answer"] for record in both),
    }
    rates = {}
    if any(record["confidence"] is None for record in both):
        del changed[Signal.VERBALIZED]
    for signal, flips in changed.items():
        rates[signal.value] = {"flips": flips, "rate": flips / len(both), "rate_ci": as_list(share_interval(flips, len(both)))}
    return {"n": len(both), **rates}


def _marginal(record: Record) -> str:
    """The letter of every signal but the verbalized one."""
    return most_probable(record["answer_probabilities"])

"""A letter prior together with reading again in other orders: each order is corrected as it was presented, in records as in the gateway."""

import asyncio

import numpy as np
import pytest

from app.core.ask import Ask
from app.core.cascade import Cascade
from app.core.errors import ConfigError
from app.core.permutation import aligned, in_order, mean_of, orders
from app.core.policy import Policy
from app.core.question import Question
from app.core.verdict import OptionsVerdict, Signal
from app.data.records import load_records
from app.data.target import Target
from app.evaluation.calibrate import calibrate
from app.evaluation.calibrated import served_table
from app.evaluation.fields import permuted_fields
from tests.support.fakes import FakeEdge
from tests.support.populations import TODAY, drawn
from tests.support.records import record, write

PREFERENCE = np.exp([1.2, 0.0, -0.8, 0.4])
RATE = Target(kind="cloud_rate", value=0.4)


class Preferring(FakeEdge):
    """Knows how good each option of a question is, and likes letters; a second read differs by some noise."""

    def about(self, question):
        known = np.array([float(option) for option in question.options])
        return OptionsVerdict.from_weights((known * PREFERENCE).tolist())


def questions(n, seed):
    """(question, correct letter); an option is the number that says how good it is."""
    draw, found = drawn(seed), []
    for number in range(n):
        scores = draw.normal(0, 1, 4)
        gold = int(draw.integers(4))
        scores[gold] += draw.exponential(1.5)
        found.append((Question(f"Which, {number}?", tuple(f"{value:.9f}" for value in np.exp(scores))), "ABCD"[gold]))
    return found


def population(n, seed):
    edge, rows = Preferring(None), []
    for at, (question, gold) in enumerate(questions(n, seed)):
        shown = [edge.about(in_order(question, order)) for order in orders(4, 2)]
        mean = mean_of([aligned(one, order) for one, order in zip(shown, orders(4, 2), strict=True)])
        nothing = dict.fromkeys(("confidence", "expected_confidence", "confidence_probabilities"))
        answers = dict(shown[0].answer_probabilities)
        written = max(answers, key=answers.__getitem__)
        row = record(at, "law", 0.5, written, "A", answer_probabilities=answers) | nothing | {"gold": gold}
        rows.append(row | permuted_fields(mean, 2, shown))
    return rows


@pytest.fixture(scope="module")
def rows():
    return population(300, 1)


def made(rows, mode, **kwargs):
    options = {"signal": Signal.TOP_PROBABILITY, "permutation_band": 0.2, "resamples": 20, "with_curve": False} | kwargs
    return calibrate(rows, target=RATE, letter_prior=mode, today=TODAY, **options)


async def test_the_gateway_compares_the_numbers_of_the_report(rows, tmp_path):
    found = made(load_records(write(tmp_path / "r.jsonl", rows)), "on").calibration
    assert (found.version, found.permutation.reads) == (4, 2)
    table = served_table(rows, found)
    policy = Policy(found.tau, found.signal, permutation=found.permutation.rule(), letter_prior=found.prior)
    cascade = Cascade(Preferring(None), None, policy)
    outcomes = await asyncio.gather(*(cascade.answer(Ask(question)) for question, _ in questions(300, 1)))
    assert (
        np.array([outcome.decision.route == "edge" for outcome in outcomes]).tolist()
        == (table.signal["top_probability"] >= found.tau).tolist()
    )
    read_again = [
        at
        for at, outcome in enumerate(outcomes)
        if outcome.edge.verdict.signal(found.signal) != max(outcome.edge.verdict.answer_probabilities.values())
    ]
    assert read_again, "some are read again, with another signal than the first read's"
    assert [outcomes[at].signal for at in read_again] == pytest.approx(table.signal["top_probability"][read_again].tolist())


def test_records_of_an_earlier_version_hold_only_the_mean(rows):
    old = [row | {"permuted": {key: value for key, value in row["permuted"].items() if key != "orders"}} for row in rows]
    with pytest.raises(ConfigError, match=r"needs the distribution of each order of the options.*--letter-prior off"):
        made(old, "on")
    fit = made(old, "auto")
    assert fit.calibration.letter_prior is None
    assert any(note.startswith("no letter prior is divided out: a letter prior needs the distribution of each order") for note in fit.notes)
    assert made(old, "on", permutation_band=None).calibration.letter_prior is not None, "where nothing is read again the mean is not needed"


@pytest.mark.parametrize("orders_", [[[0.25] * 4], [[0.25] * 3] * 2, [[0.25] * 4, [0.5, 0.5, 0.5, 2.0]], "abcd"])
def test_damaged_orders_are_refused(rows, orders_, tmp_path):
    bad = [*rows[:2], rows[2] | {"permuted": rows[2]["permuted"] | {"orders": orders_}}]
    with pytest.raises(ConfigError, match=r"line 3: 'permuted': 'orders' must hold the probabilities of 4 letters for each order"):
        load_records(write(tmp_path / "r.jsonl", bad))

"""Collecting every question in several orders of its options: what is asked, what is recorded, what a run that goes on asks again."""

import asyncio
from collections import Counter

import pytest

from app.core.errors import ConfigError, EdgeError
from app.core.permutation import in_order, orders
from app.core.verdict import EdgeReply, JointVerdict, Signal
from app.data.dataset import load_items
from app.data.records import load_records, read_records
from app.demo.bank import SHIPPED_BANK
from app.evaluation.collect import EdgeIdentity, collect
from tests.support.records import record, write

IDENTITY = EdgeIdentity("m", "f", 1)
ITEMS = load_items([SHIPPED_BANK])[:6]


class LikesFirst:
    """Puts 0.5 on the first letter and 0.5 on the option that sorts first; 0.001 on the others."""

    def __init__(self):
        self.asked, self.failing = Counter(), set()

    async def verdict(self, question, deadline):
        self.asked[question] += 1
        await asyncio.sleep(0)
        if question in self.failing:
            raise EdgeError("x")
        row = [0.001] * len(question.options)
        row[0] += 0.5
        row[question.options.index(min(question.options))] += 0.5
        return EdgeReply(JointVerdict.from_weights([row] * 5, 3), "m", 0.0, 0.01)


async def collected(out, edge, reads):
    return await collect(ITEMS, out, edge=edge, identity=IDENTITY, cloud=None, reads=reads)


async def test_the_mean_over_the_orders_is_recorded_by_the_original_letters(tmp_path):
    edge = LikesFirst()
    done = await collected(tmp_path / "r.jsonl", edge, 2)
    assert done.permuted_asked == 2 * len(ITEMS)
    for item, row in zip(ITEMS, load_records(tmp_path / "r.jsonl"), strict=True):
        shuffled = orders(len(item.question.options), 2)[1]
        assert edge.asked[in_order(item.question, shuffled)] == 1
        verdicts = [(await edge.verdict(in_order(item.question, order), None)).verdict for order in orders(len(item.question.options), 2)]
        again = dict.fromkeys(item.question.letters, 0.0)
        for order, verdict in zip(orders(len(item.question.options), 2), verdicts, strict=True):
            for letter, share in verdict.answer_probabilities.items():
                again[item.question.letters[order[item.question.letters.index(letter)]]] += share / 2
        mean = row["permuted"]
        assert mean["reads"] == 2
        assert mean["orders"] == [list(verdict.answer_probabilities.values()) for verdict in verdicts], "as they were presented"
        assert mean["answer_probabilities"] == pytest.approx(again)
        assert mean["expected_confidence"] == pytest.approx(verdicts[0].signal(Signal.EXPECTED))
        assert row["permuted_error"] is None


async def test_a_run_that_goes_on_asks_only_what_is_missing_and_another_number_of_orders_anew(tmp_path):
    out, edge = tmp_path / "r.jsonl", LikesFirst()
    edge.failing = {in_order(ITEMS[0].question, orders(len(ITEMS[0].question.options), 2)[1])}
    assert (await collected(out, edge, 2)).failed == 1
    assert read_records(out)[ITEMS[0].id]["permuted_error"] == "edge_error"
    edge.failing, edge.asked = set(), Counter()
    assert not (await collected(out, edge, 2)).incomplete
    assert set(edge.asked) == {in_order(ITEMS[0].question, order) for order in orders(len(ITEMS[0].question.options), 2)}
    await collected(out, edge, 4)
    assert {row["permuted"]["reads"] for row in load_records(out)} == {4}
    asked = sum(edge.asked.values())
    await collected(out, edge, 1)
    assert sum(edge.asked.values()) == asked


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"reads": 1}, "how many orders"),
        ({"answer_probabilities": {"A": 0.5, "B": 0.5}}, "of the letters A, B, C, D"),
        ({"edge_answer": "Z"}, "of the letters A, B, C, D"),
        ({"answer_probabilities": {"A": 2.0, "B": 0.0, "C": 0.0, "D": 0.0}}, "not a number from 0 to 1"),
        ({"confidence_probabilities": None}, "lacks 'confidence_probabilities'"),
        ({"confidence": 0.3}, "none of 0.0"),
    ],
)
def test_a_damaged_mean_is_refused_with_its_line(tmp_path, change, why):
    row = record("1", "law", 0.5, "A", "A")
    keys = ("edge_answer", "confidence", "expected_confidence", "answer_probabilities", "confidence_probabilities", "bucket_paths")
    whole = {"reads": 2, **{key: row.get(key) for key in keys}}
    assert load_records(write(tmp_path / "good.jsonl", [{**row, "permuted": whole}]))
    with pytest.raises(ConfigError, match=why):
        load_records(write(tmp_path / "bad.jsonl", [{**row, "permuted": {**whole, **change}}]))

"""Asking some questions again with their options reversed: which ones, what is recorded, and the rate in the report."""

import asyncio
import json
from collections import Counter

import pytest

from app.cli.eval_report import run_report
from app.config.settings import Settings
from app.core.deadline import Deadline
from app.core.errors import ConfigError, EdgeError
from app.core.outcome import CloudReply
from app.core.question import Question
from app.core.verdict import EdgeReply, JointVerdict, Signal
from app.data.dataset import Item, load_items
from app.data.records import load_records, read_records
from app.demo.bank import SHIPPED_BANK
from app.edge.batcher import Batcher
from app.edge.engine import VerdictEngine
from app.edge.rendering import Renderer
from app.evaluation.collect import EdgeIdentity, collect
from app.evaluation.markdown import render
from app.evaluation.order import checked_ids, flip_rates, reversed_question
from app.evaluation.report import build_report
from app.evaluation.risk import clopper_pearson
from app.telemetry.metrics import Metrics
from tests.support.records import record, simulated, write
from tests.support.tiny import FAMILIES, TEMPLATES, tiny_model, tiny_tokenizer

IDENTITY = EdgeIdentity("m", "f", 1)
ITEMS = load_items([SHIPPED_BANK])[:20]


class Chooses:
    """Answers with what two functions of a question choose: as decoding would, and by the marginal. Quotas what it is asked."""

    def __init__(self, decoded, marginal):
        self.decoded, self.marginal, self.asked, self.failing = decoded, marginal, Counter(), set()

    async def verdict(self, question, deadline):
        self.asked[question] += 1
        await asyncio.sleep(0)
        if question in self.failing:
            raise EdgeError("x")
        rows = [[0.001] * len(question.options) for _ in range(5)]
        rows[2][self.decoded(question)] = 0.1
        rows[3][self.marginal(question)] = 1.0
        return EdgeReply(JointVerdict.from_weights(rows, 2), "m", 0.0, 0.01)


def first(question):
    return 0


def by_content(question):
    return question.options.index(min(question.options))


class Cloud:
    def __init__(self):
        self.asked = Counter()

    async def answer(self, question, deadline):
        self.asked[question] += 1
        return CloudReply("A", "big", 1, {})


async def checked(out, edge, count=8, cloud=None, **more):
    done = await collect(ITEMS, out, edge=edge, identity=IDENTITY, cloud=cloud, order_check=count, **more)
    return done, read_records(out)


@pytest.mark.parametrize(("decoded", "marginal", "rates"), [(first, by_content, (1, 0)), (by_content, first, (0, 1))])
async def test_who_chooses_by_place_changes_always_and_who_chooses_by_content_never(tmp_path, decoded, marginal, rates):
    done, records = await checked(tmp_path / "r.jsonl", Chooses(decoded, marginal))
    assert (done.total, done.edge_asked, done.reversed_asked, done.cloud_asked, done.failed) == (20, 20, 8, 0, 0)
    found = flip_rates(list(records.values()))
    assert found["n"] == 8
    assert (found["verbalized"]["rate"], found["expected"]["rate"]) == rates
    assert found["verbalized"]["flips"] == 8 * rates[0]
    assert found["verbalized"]["rate_ci"] == list(clopper_pearson(8 * rates[0], 8))


async def test_letters_are_those_of_the_original_order(tmp_path):
    _, records = await checked(tmp_path / "r.jsonl", Chooses(first, by_content), count=20)
    for item in ITEMS:
        record = records[item.id]
        assert (record["edge_answer"], record["reversed_answer"]) == ("A", item.question.letters[-1])
        assert item.question.text_of(record["reversed_expected_answer"]) == min(item.question.options)


async def test_the_cloud_is_never_asked_a_reversed_question_and_may_be_absent(tmp_path):
    cloud, edge = Cloud(), Chooses(first, first)
    await checked(tmp_path / "r.jsonl", edge, cloud=cloud)
    assert cloud.asked == Counter(item.question for item in ITEMS)
    assert sum(edge.asked.values()) == 28
    assert set(edge.asked.values()) == {1}


async def test_the_draw_is_the_seeds_and_a_run_that_goes_on_asks_only_what_is_missing(tmp_path):
    out = tmp_path / "r.jsonl"
    await checked(out, Chooses(first, first), count=0)
    assert all("reversed_answer" not in record for record in read_records(out).values())
    edge = Chooses(first, first)
    done, records = await checked(out, edge, count=5)
    assert (done.edge_asked, done.reversed_asked, sum(edge.asked.values())) == (0, 5, 5)
    assert {name for name, record in records.items() if record.get("reversed_answer")} == checked_ids(ITEMS, 5, 0)
    again = Chooses(first, first)
    assert (await checked(out, again, count=5))[0].reversed_asked == sum(again.asked.values()) == 0
    more = Chooses(first, first)
    assert (await checked(out, more, count=7))[0].reversed_asked == sum(more.asked.values()) == 2


def test_the_draw_depends_on_seed_and_ids_alone():
    assert checked_ids(ITEMS, 5, 0) == checked_ids(ITEMS[::-1], 5, 0)
    assert checked_ids(ITEMS, 5, 0) < checked_ids(ITEMS, 6, 0)
    assert checked_ids(ITEMS, 5, 0) != checked_ids(ITEMS, 5, 1)
    assert len(checked_ids(ITEMS, 5, 0)) == 5
    assert checked_ids(ITEMS, 0, 0) == frozenset()
    assert checked_ids(ITEMS, 1000, 0) == {item.id for item in ITEMS}


async def test_fewer_than_none_is_refused_before_anything_is_asked(tmp_path):
    edge = Chooses(first, first)
    with pytest.raises(ConfigError, match="--order-check must be 0 or more, not -1"):
        await checked(tmp_path / "r.jsonl", edge, count=-1)
    assert not edge.asked


async def test_a_failure_is_recorded_and_tried_again(tmp_path):
    out, edge = tmp_path / "r.jsonl", Chooses(first, first)
    bad = next(item for item in ITEMS if item.id in checked_ids(ITEMS, 8, 0))
    edge.failing = {reversed_question(bad.question)}
    done, records = await checked(out, edge)
    assert (done.failed, records[bad.id]["reversed_error"], records[bad.id].get("reversed_answer")) == (1, "edge_error", None)
    assert flip_rates(list(records.values()))["n"] == 7
    done, records = await checked(out, Chooses(first, first))
    assert (done.failed, done.reversed_asked, done.edge_asked, records[bad.id]["reversed_error"]) == (0, 1, 0, None)


async def test_a_question_that_the_edge_cannot_answer_is_not_asked_in_reverse(tmp_path):
    edge = Chooses(first, first)
    edge.failing = {ITEMS[0].question}
    done, _ = await checked(tmp_path / "r.jsonl", edge, count=20)
    assert (done.edge_asked, done.reversed_asked, done.failed) == (20, 19, 1)


@pytest.mark.parametrize("kind", ["qwen3", "gemma3"])
async def test_a_real_model_is_recorded_as_it_answers_the_reversed_question(tmp_path, kind):
    tokenizer = tiny_tokenizer(TEMPLATES[kind])
    engine = VerdictEngine(tiny_model(kind, len(tokenizer)), Renderer(tokenizer, FAMILIES[kind]), name="tiny")
    words = ("one", "two", "three", "four", "five", "six")
    items = [Item(Question(f"What is {n}?", words[: 2 + n % 5], "law", f"q{n}"), "A") for n in range(12)]
    batcher = Batcher(engine, Metrics(), max_batch_size=4, max_batch_tokens=10_000, max_queue_size=64)
    try:
        await collect(items, tmp_path / "r.jsonl", edge=batcher, identity=IDENTITY, cloud=None, order_check=12)
        records = read_records(tmp_path / "r.jsonl")
        flips = 0
        for item in items:
            asked = Question(item.question.question, tuple(reversed(item.question.options)))
            verdict = (await batcher.verdict(asked, Deadline(float("inf")))).verdict
            answers = {"reversed_answer": Signal.VERBALIZED, "reversed_expected_answer": Signal.EXPECTED}
            for key, signal in answers.items():
                assert item.question.text_of(records[item.id][key]) == asked.text_of(verdict.answer(signal))
            flips += item.question.text_of(records[item.id]["edge_answer"]) != asked.text_of(verdict.answer(Signal.VERBALIZED))
    finally:
        await batcher.close()
    found = flip_rates(list(records.values()))
    assert (found["n"], found["verbalized"]["flips"]) == (12, flips)
    assert flips > 6, "random weights choose by the letter"


def test_the_report_shows_the_rate_with_its_interval_and_nothing_where_nothing_was_checked(tmp_path):
    rows = simulated(40, 0)
    plain = build_report(rows, tau=0.5, signal=Signal.EXPECTED, resamples=10)
    assert "order_check" not in plain
    assert "Order of the options" not in render(plain)
    # Four were asked again; by decoding one changed, by the marginal (always the same letter as decoding here) three.
    answers = [row["edge_answer"] for row in rows[:4]]
    other = ["C" if letter != "C" else "D" for letter in answers]
    for index, row in enumerate(rows[:4]):
        row["reversed_answer"] = other[index] if index < 1 else answers[index]
        row["reversed_expected_answer"] = other[index] if index < 3 else answers[index]
    # A record without a cloud answer takes part: the order of the options is the edge's own affair.
    rows[0] = rows[0] | {"cloud_answer": None}
    run_report(
        Settings(),
        records=write(tmp_path / "r.jsonl", rows),
        tau=0.5,
        signal=Signal.EXPECTED,
        out=tmp_path / "report",
        seed=0,
        as_json=False,
        pictures=False,
    )
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["order_check"] == {
        "n": 4,
        "verbalized": {"flips": 1, "rate": 0.25, "rate_ci": list(clopper_pearson(1, 4))},
        "expected": {"flips": 3, "rate": 0.75, "rate_ci": list(clopper_pearson(3, 4))},
    }
    text = (tmp_path / "report" / "report.md").read_text()
    assert "| after the verbalized confidence | 4 | 1 | 25.0 | [0.6, 80.6] |" in text
    assert "| most probable option | 4 | 3 | 75.0 | [19.4, 99.4] |" in text


def test_an_edge_that_failed_takes_no_part_in_the_rate():
    rows = [record(1, "law", 1.0, None, "A", reversed_answer="A", reversed_expected_answer="A"), record(2, "law", 1.0, "A", "A")]
    assert flip_rates(rows) is None


def test_a_reversed_letter_that_was_not_offered_is_a_flaw_of_the_record(tmp_path):
    for key in ("reversed_answer", "reversed_expected_answer"):
        path = write(tmp_path / "r.jsonl", [record(1, "law", 1.0, "A", "A", **{key: "E"})])
        with pytest.raises(ConfigError, match=f"line 1: '{key}' is 'E', offered were A, B, C, D"):
            load_records(path)


def test_the_steps_of_one_question_are_one_record_with_a_reversed_step_too(tmp_path):
    edge = record(1, "law", 0.5, "A", None)
    steps = [edge, edge | {"reversed_error": "edge_error"}, edge | {"reversed_error": None, "reversed_answer": "B"}]
    assert load_records(write(tmp_path / "r.jsonl", steps)) == [steps[-1]]
    with pytest.raises(ConfigError, match=r"line 4: the id '1' was used before \(line 3\)"):
        load_records(write(tmp_path / "r.jsonl", [*steps, steps[-1] | {"reversed_answer": "C"}]))

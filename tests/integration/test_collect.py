"""Collecting: every question once, whatever happens in between."""

import asyncio
from collections import Counter

import pytest

from app.core.errors import CloudUnavailable, ConfigError, EdgeError
from app.core.outcome import CloudReply
from app.core.question import Question
from app.data.dataset import load_items
from app.data.records import read_records
from app.demo.bank import SHIPPED_BANK, Bank, load_rows
from app.demo.server import create_demo
from app.evaluation.collect import EdgeIdentity, collect
from tests.support.clouds import cloud_client, completion, scripted
from tests.support.fakes import FakeEdge, make_verdict
from tests.support.servers import serving

IDENTITY = EdgeIdentity("m", "f", 1)
ITEMS = load_items([SHIPPED_BANK])[:40]


class CountingEdge(FakeEdge):
    """Quotas questions; fails on those named, as long as they are named."""

    def __init__(self, failing=()):
        super().__init__(make_verdict(0.75, answer=2))
        self.asked, self.failing = Counter(), set(failing)

    async def verdict(self, question: Question, deadline):
        self.asked[question.id] += 1
        await asyncio.sleep(0)
        if question.id in self.failing:
            raise EdgeError("x")
        return await super().verdict(question, deadline)


class CountingCloud:
    """As above; `stop_after` ends the run by cancelling it, as a kill would, in the middle of a call."""

    def __init__(self, failing=(), stop_after=None):
        self.asked, self.failing, self.stop_after, self.task = Counter(), set(failing), stop_after, None

    async def answer(self, question: Question, deadline):
        if self.stop_after is not None and sum(self.asked.values()) >= self.stop_after:
            self.task.cancel()
        await asyncio.sleep(0)
        self.asked[question.id] += 1
        if question.id in self.failing:
            raise CloudUnavailable("x")
        return CloudReply("A", "big", 1, {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12})


def run(out, edge, cloud, **kwargs):
    return collect(ITEMS, out, edge=edge, identity=IDENTITY, cloud=cloud, **kwargs)


async def test_each_question_is_recorded_once_in_the_order_of_the_data(tmp_path):
    edge, cloud, progress = CountingEdge(), CountingCloud(), []
    done = await run(tmp_path / "r.jsonl", edge, cloud, on_progress=progress.append)
    assert (done.total, done.edge_asked, done.cloud_asked, done.failed) == (40, 40, 40, 0)
    records = read_records(tmp_path / "r.jsonl")
    assert list(records) == [item.id for item in ITEMS]
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 40
    record = records[ITEMS[0].id]
    assert (record["edge_answer"], record["confidence"], record["gold"], record["domain"]) == ("C", 0.75, ITEMS[0].gold, "finance")
    assert (record["cloud_answer"], record["cloud_tokens"], record["cloud_error"], record["edge_error"]) == ("A", 12, None, None)
    assert abs(sum(record["answer_probabilities"].values()) - 1) < 1e-9
    assert progress[0] == 0
    assert progress[-1] == 40
    again = await run(tmp_path / "r.jsonl", CountingEdge(), CountingCloud())
    assert (again.edge_asked, again.cloud_asked) == (0, 0)


async def test_a_killed_run_goes_on_and_asks_nothing_recorded_again(tmp_path):
    out = tmp_path / "r.jsonl"
    edge, cloud = CountingEdge(), CountingCloud(stop_after=11)
    cloud.task = asyncio.ensure_future(run(out, edge, cloud, in_flight=8, cloud_concurrency=4))
    with pytest.raises(asyncio.CancelledError):
        await cloud.task
    with out.open("a") as file:
        file.write('{"id": "torn", "dom')
    kept = read_records(out)
    edge_known = {name for name, record in kept.items() if record["edge_answer"]}
    cloud_known = {name for name, record in kept.items() if record["cloud_answer"]}
    assert 0 < len(cloud_known) < 40
    edge2, cloud2 = CountingEdge(), CountingCloud()
    done = await run(out, edge2, cloud2)
    assert done.failed == 0
    assert not edge_known & set(edge2.asked)
    assert not cloud_known & set(cloud2.asked)
    assert set(edge2.asked) | edge_known == set(cloud2.asked) | cloud_known == {item.id for item in ITEMS}
    assert list(read_records(out)) == [item.id for item in ITEMS]


async def test_failures_are_recorded_and_tried_again(tmp_path):
    out = tmp_path / "r.jsonl"
    bad_edge, bad_cloud = ITEMS[3].id, ITEMS[7].id
    done = await run(out, CountingEdge([bad_edge]), CountingCloud([bad_cloud]))
    assert done.failed == 2
    records = read_records(out)
    assert (records[bad_edge]["edge_error"], records[bad_edge]["edge_answer"]) == ("edge_error", None)
    assert (records[bad_cloud]["cloud_error"], records[bad_cloud]["edge_answer"]) == ("cloud_unavailable", "C")
    edge, cloud = CountingEdge(), CountingCloud()
    assert (await run(out, edge, cloud)).failed == 0
    assert (dict(edge.asked), dict(cloud.asked)) == ({bad_edge: 1}, {bad_cloud: 1})
    assert all(record["edge_error"] is record["cloud_error"] is None for record in read_records(out).values())


async def test_without_a_cloud_and_with_another_runs_cloud(tmp_path):
    done = await run(tmp_path / "edge.jsonl", CountingEdge(), None)
    assert (done.failed, done.cloud_asked) == (0, 0)
    await run(tmp_path / "full.jsonl", CountingEdge(), CountingCloud())
    edge = CountingEdge()
    done = await run(tmp_path / "edge.jsonl", edge, None, known_cloud=read_records(tmp_path / "full.jsonl"))
    assert (done.edge_asked, done.cloud_asked, done.failed) == (0, 0, 0)
    assert {record["cloud_answer"] for record in read_records(tmp_path / "edge.jsonl").values()} == {"A"}
    other = {ITEMS[0].id: {**read_records(tmp_path / "full.jsonl")[ITEMS[0].id], "fingerprint": "another"}}
    with pytest.raises(ConfigError, match="the cloud records answer another question under the id"):
        await run(tmp_path / "new.jsonl", CountingEdge(), None, known_cloud=other)


async def test_records_of_another_model_or_other_questions_are_refused(tmp_path):
    out = tmp_path / "r.jsonl"
    await run(out, CountingEdge(), None)
    with pytest.raises(ConfigError, match=r"made with m \(weights f\), .* not with other"):
        await collect(ITEMS, out, edge=CountingEdge(), identity=EdgeIdentity("other", "f", 1), cloud=None)
    with pytest.raises(ConfigError, match=r"weights f\), .* not with m \(weights g\)"):
        await collect(ITEMS, out, edge=CountingEdge(), identity=EdgeIdentity("m", "g", 1), cloud=None)
    changed = [type(item)(item.question, "A" if item.gold != "A" else "B") for item in ITEMS]
    with pytest.raises(ConfigError, match="not the one that was recorded"):
        await collect(changed, out, edge=CountingEdge(), identity=IDENTITY, cloud=None)


async def test_a_run_that_asks_another_cloud_does_not_go_on_with_the_file(tmp_path):
    out = tmp_path / "r.jsonl"
    await run(out, CountingEdge(), CountingCloud(failing={ITEMS[0].id}), cloud_asked="big-model")
    before = out.read_bytes()
    with pytest.raises(ConfigError, match="answers of the cloud model big-model, not of small-model; choose another --out"):
        await run(out, CountingEdge(), CountingCloud(), cloud_asked="small-model")
    assert out.read_bytes() == before
    again = await run(out, CountingEdge(), CountingCloud(), cloud_asked="big-model")
    assert (again.edge_asked, again.cloud_asked) == (0, 1)
    # Without a cloud nobody's answers are mixed.
    assert (await run(out, CountingEdge(), None, cloud_asked="small-model")).cloud_asked == 0


async def test_against_the_real_stand_in_its_accuracy_is_found_again(tmp_path):
    async with serving(create_demo(Bank(load_rows([SHIPPED_BANK]), accuracy=1.0), faults={"500": 0.2})) as url:
        cloud = cloud_client(url, max_attempts=8)
        done = await run(tmp_path / "r.jsonl", CountingEdge(), cloud)
        await cloud.close()
    assert done.failed == 0
    assert all(record["cloud_answer"] == record["gold"] for record in read_records(tmp_path / "r.jsonl").values())


class CountingGenerator:
    """Keeps to the format on every second question; `stop_after` cancels the run, as a kill would."""

    def __init__(self):
        self.asked = Counter()

    def texts(self, questions):
        self.asked.update(question.id for question in questions)
        return ["Confidence: 0.75\nFinal answer: C" if len(question.question) % 2 else "Well" for question in questions]


async def test_the_reference_protocol_beside_the_one_pass_is_asked_once_too(tmp_path):
    out = tmp_path / "r.jsonl"
    await run(out, CountingEdge(), CountingCloud())
    edge, cloud, generator = CountingEdge(), CountingCloud(), CountingGenerator()
    done = await run(out, edge, cloud, generator=generator, generate_batch=7)
    assert (done.edge_asked, done.cloud_asked, done.generated, done.failed) == (0, 0, 40, 0)
    assert set(generator.asked.values()) == {1}
    records = read_records(out)
    assert list(records) == [item.id for item in ITEMS]
    for item in ITEMS:
        record, keeps = records[item.id], bool(len(item.question.question) % 2)
        expected = (keeps, 0.75, "C") if keeps else (False, None, None)
        assert (record["generated_on_format"], record["generated_confidence"], record["generated_answer"]) == expected
    again = CountingGenerator()
    await run(out, CountingEdge(), CountingCloud(), generator=again)
    assert not again.asked


async def test_a_slow_cloud_does_not_hold_up_the_edge(tmp_path):
    """All verdicts are there before the cloud has answered a single question."""
    edge, gate = CountingEdge(), asyncio.Event()

    class Waiting(CountingCloud):
        async def answer(self, question, deadline):
            await gate.wait()
            return await super().answer(question, deadline)

    task = asyncio.ensure_future(run(tmp_path / "r.jsonl", edge, Waiting(), in_flight=2, cloud_concurrency=2))
    while len(edge.asked) < len(ITEMS):
        assert not task.done()
        await asyncio.sleep(0)
    gate.set()
    assert (await task).failed == 0


async def test_a_thought_of_the_cloud_is_recorded_as_no_answer(tmp_path):
    payload = completion("<think>\nThe answer is A.")
    payload["choices"][0]["finish_reason"] = "length"
    async with scripted((200, payload)) as server:
        cloud = cloud_client(server.url)
        await collect(ITEMS[:1], tmp_path / "r.jsonl", edge=CountingEdge(), identity=IDENTITY, cloud=cloud)
        await cloud.close()
    record = read_records(tmp_path / "r.jsonl")[ITEMS[0].id]
    assert (record["cloud_answer"], record["cloud_error"]) == (None, "cloud_unparsable")

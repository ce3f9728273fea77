"""The batcher, driven by events: no test here depends on how fast anything is."""

import asyncio
import threading

import pytest

from app.deadline import Deadline
from app.domain import Question
from app.edge.batcher import Batcher
from app.errors import Draining, EdgeError, InvalidQuestion, Overloaded
from app.metrics import Metrics
from tests.fakes import FakeEngine

FAR = Deadline(float("inf"))


def ask(text="sure"):
    return Question(text, ("a", "b", "c"))


@pytest.fixture
async def engine():
    return FakeEngine()


@pytest.fixture
async def make(engine):
    made = []

    def build(**kwargs):
        batcher = Batcher(engine, Metrics(), **{"max_batch_size": 8, "max_batch_tokens": 10_000, "max_queue_size": 100, **kwargs})
        made.append(batcher)
        return batcher

    yield build
    engine.gate.set()
    for batcher in made:
        await batcher.close()


async def hold(engine, batcher):
    """Occupy the worker with one question, so that what comes next has to queue."""
    engine.gate.clear()
    first = asyncio.ensure_future(batcher.verdict(ask(), FAR))
    await asyncio.to_thread(engine.started.wait)
    return first


async def queued(batcher, count):
    while len(batcher._queue) != count:
        await asyncio.sleep(0)


async def test_an_idle_engine_takes_a_single_question_at_once(engine, make):
    reply = await make().verdict(ask(), FAR)
    assert engine.batches == [1]
    assert reply.verdict.confidence == 1.0
    assert reply.model == "fake-edge"


async def test_64_simultaneous_requests_take_fewer_than_32_passes(engine, make):
    batcher = make(max_batch_size=16)
    replies = await asyncio.gather(*(batcher.verdict(ask("sure" if i % 2 else "no"), FAR) for i in range(64)))
    assert [reply.verdict.confidence for reply in replies] == [1.0 if i % 2 else 0.0 for i in range(64)]
    assert sum(engine.batches) == 64
    assert len(engine.batches) < 32


async def test_what_waits_while_the_engine_is_busy_becomes_one_batch(engine, make):
    batcher = make()
    first = await hold(engine, batcher)
    rest = [asyncio.ensure_future(batcher.verdict(ask(), FAR)) for _ in range(10)]
    await queued(batcher, 10)
    engine.gate.set()
    await asyncio.gather(first, *rest)
    assert engine.batches == [1, 8, 2]


async def test_padded_tokens_bound_a_batch_and_a_single_long_prompt_still_runs(engine, make):
    batcher = make(max_batch_tokens=30)
    first = await hold(engine, batcher)
    texts = ["w " * 8, "w " * 8, "w " * 8, "w " * 8, "w " * 50]  # 10, 10, 10, 10 and 52 tokens
    rest = [asyncio.ensure_future(batcher.verdict(ask(text), FAR)) for text in texts]
    await queued(batcher, 5)
    engine.gate.set()
    await asyncio.gather(first, *rest)
    assert engine.batches == [1, 3, 1, 1]


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(engine, make):
    batcher = make(max_queue_size=2)
    first = await hold(engine, batcher)
    waiting = [asyncio.ensure_future(batcher.verdict(ask(), FAR)) for _ in range(2)]
    await queued(batcher, 2)
    with pytest.raises(Overloaded) as refused:
        await batcher.verdict(ask(), FAR)
    assert refused.value.retry_after_s >= 1
    engine.gate.set()
    await asyncio.gather(first, *waiting)
    await batcher.verdict(ask(), FAR)


async def test_a_queue_longer_than_the_deadline_refuses_at_once(engine, make):
    now = [100.0]
    batcher = make(clock=lambda: now[0])

    def two_seconds():
        now[0] += 2.0

    engine.on_batch = two_seconds
    await batcher.verdict(ask("w " * 8), FAR)  # 10 tokens took 2 s: 0.2 s a token from now on
    engine.on_batch = lambda: None
    engine.started.clear()
    first = await hold(engine, batcher)
    # 3 tokens run and nothing waits: the next one is admitted whatever the estimate says.
    second = asyncio.ensure_future(batcher.verdict(ask("w " * 8), Deadline(now[0])))
    await queued(batcher, 1)
    with pytest.raises(Overloaded) as refused:
        await batcher.verdict(ask(), Deadline(now[0] + 2.5))  # (3 + 10) * 0.2 s = 2.6 s
    assert refused.value.retry_after_s == pytest.approx(2.6)
    third = asyncio.ensure_future(batcher.verdict(ask(), Deadline(now[0] + 2.7)))
    await queued(batcher, 2)
    engine.gate.set()
    await asyncio.gather(first, second, third)


async def test_cancelled_callers_are_dropped_before_the_forward_pass(engine, make):
    batcher = make()
    first = await hold(engine, batcher)
    leaving = [asyncio.ensure_future(batcher.verdict(ask(), FAR)) for _ in range(5)]
    staying = asyncio.ensure_future(batcher.verdict(ask(), FAR))
    await queued(batcher, 6)
    for task in leaving:
        task.cancel()
    await queued(batcher, 1)
    assert batcher._metrics.registry.get_sample_value("foggate_edge_queue_depth") == 1
    engine.gate.set()
    await asyncio.gather(first, staying)
    assert engine.batches == [1, 1]


async def test_leaving_during_the_forward_pass_harms_nobody(engine, make):
    batcher = make()
    first = await hold(engine, batcher)
    first.cancel()
    other = asyncio.ensure_future(batcher.verdict(ask(), FAR))
    await queued(batcher, 1)
    engine.gate.set()
    assert (await other).verdict.confidence == 1.0
    assert batcher.alive


async def test_a_failed_batch_fails_its_own_callers_only_and_the_worker_lives_on(engine, make):
    batcher = make(max_batch_size=3)
    first = await hold(engine, batcher)
    tasks = [asyncio.ensure_future(batcher.verdict(ask(text), FAR)) for text in ("sure", "poison", "sure", "sure")]
    await queued(batcher, 4)
    engine.gate.set()
    *failed, survivor = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(error, EdgeError) for error in failed)
    assert len({id(error) for error in failed}) == 3
    assert "CUDA" not in failed[0].message
    assert survivor.verdict.confidence == 1.0
    assert (await first).verdict.confidence == 1.0
    assert batcher.alive
    await batcher.verdict(ask(), FAR)


async def test_a_refused_prompt_never_queues(engine, make):
    with pytest.raises(InvalidQuestion):
        await make().verdict(ask("long"), FAR)
    assert engine.batches == []


async def test_closing_finishes_what_is_queued_and_refuses_what_comes(engine, make):
    batcher = make()
    first = await hold(engine, batcher)
    waiting = [asyncio.ensure_future(batcher.verdict(ask(), FAR)) for _ in range(3)]
    await queued(batcher, 3)
    closing = asyncio.ensure_future(batcher.close())
    while not batcher._closed:
        await asyncio.sleep(0)
    with pytest.raises(Draining):
        await batcher.verdict(ask(), FAR)
    engine.gate.set()
    await asyncio.gather(first, *waiting)
    await closing
    assert not batcher.alive


async def test_a_hung_engine_is_told_from_a_busy_one(engine, make):
    now = [100.0]
    batcher = make(clock=lambda: now[0], max_batch_size=1)
    assert (batcher.batch_age_s(), batcher.stalled_s()) == (0.0, 0.0)
    now[0] += 1000
    assert batcher.stalled_s() == 0.0, "nothing to do is no stall"
    first = await hold(engine, batcher)
    now[0] += 20
    assert (batcher.batch_age_s(), batcher.stalled_s()) == (20.0, 0.0), "nobody waits"
    rest = [asyncio.ensure_future(batcher.verdict(ask(), FAR)) for _ in range(3)]
    await queued(batcher, 3)
    assert batcher.stalled_s() == 0.0, "they have just come"
    now[0] += 20
    assert (batcher.batch_age_s(), batcher.stalled_s()) == (40.0, 20.0)
    # Busy: each batch takes ten seconds, and the last of the queue has waited for all of them.
    stalls = []
    engine.on_batch = lambda: (now.__setitem__(0, now[0] + 10), stalls.append(batcher.stalled_s()))
    engine.gate.set()
    await asyncio.gather(first, *rest)
    assert max(stalls[1:]) <= 10.0
    assert (batcher.batch_age_s(), batcher.stalled_s()) == (0.0, 0.0)


class SlowTokenizer(FakeEngine):
    """Its `prepare` waits until it is told to go on."""

    def __init__(self):
        super().__init__()
        self.tokenising, self.go_on = threading.Event(), threading.Event()
        self.prepared_by = None

    def prepare(self, question):
        self.prepared_by = threading.current_thread()
        self.tokenising.set()
        assert self.go_on.wait(30)
        return super().prepare(question)


async def test_a_question_being_tokenised_holds_nobody_and_counts_as_queued():
    engine = SlowTokenizer()
    batcher = Batcher(engine, Metrics(), max_batch_size=8, max_batch_tokens=10_000, max_queue_size=2)
    try:
        two = [asyncio.ensure_future(batcher.verdict(ask(), FAR)) for _ in range(2)]
        # The loop goes on meanwhile: this very line is awaited on it.
        await asyncio.to_thread(engine.tokenising.wait)
        with pytest.raises(Overloaded):
            await batcher.verdict(ask(), FAR)
        assert engine.prepared_by is not threading.main_thread()
        # Whoever leaves makes room at once.
        two.pop().cancel()
        await asyncio.sleep(0)
        two.append(asyncio.ensure_future(batcher.verdict(ask(), FAR)))
        engine.go_on.set()
        assert [reply.verdict.confidence for reply in await asyncio.gather(*two)] == [1.0, 1.0]
    finally:
        engine.go_on.set()
        await batcher.close()

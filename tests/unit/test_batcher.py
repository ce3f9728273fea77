"""The batcher, driven by events: no test here depends on how fast anything is."""

import asyncio
import queue
import threading

import pytest

from app.core.deadline import Deadline
from app.core.edge import EdgeHealth
from app.core.errors import Draining, EdgeError, InvalidQuestion, Overloaded
from app.core.question import Question
from app.edge.batcher import Batcher
from app.telemetry.metrics import Metrics
from tests.support.fakes import FakeEngine

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


async def queued(batcher, count, tasks=()):
    """Wait until so many wait; one of the tasks that has ended instead says why."""
    while len(batcher._queue) != count:
        for task in tasks:
            if task.done():
                task.result()
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


@pytest.mark.parametrize("first_words", [8, 5])
async def test_the_longest_prompt_of_a_batch_bounds_it_wherever_it_stands(engine, make, first_words):
    """Ten tokens is the longest: three fit into 30, although the fourth by itself would be 4 times 7 = 28."""
    batcher = make(max_batch_tokens=30, max_padding_share=1.0)
    first = await hold(engine, batcher)
    words = [first_words, *sorted({8, 7, 6, 5} - {first_words}, key=lambda count: abs(count - first_words))]
    rest = [asyncio.ensure_future(batcher.verdict(ask("w " * count), FAR)) for count in words]
    await queued(batcher, 4)
    engine.gate.set()
    await asyncio.gather(first, *rest)
    assert engine.batches == [1, 3, 1]


class Lengths(FakeEngine):
    """Remembers the lengths of the prompts of each batch and lets one batch pass for each permit."""

    def __init__(self):
        super().__init__()
        self.permits = threading.Semaphore(0)
        self.entered = queue.SimpleQueue()
        self.tokens = 0

    def verdicts(self, prompts):
        self.entered.put([len(prompt.ids) for prompt in prompts])
        self.tokens = sum(len(prompt.ids) for prompt in prompts)
        self.permits.acquire(timeout=30)
        return super().verdicts(prompts)


@pytest.fixture
async def lengths():
    return Lengths()


async def test_questions_of_similar_length_share_a_batch_and_the_oldest_leads_it(lengths):
    # A clock that stands still: the pace stays unknown, so that the oldest leads.
    bounds = {"max_batch_size": 4, "max_batch_tokens": 10_000, "max_queue_size": 100, "max_padding_share": 0.25}
    batcher = Batcher(lengths, Metrics(), **bounds, clock=lambda: 100.0)
    words = [1, 40, 3, 38, 3, 100, 40, 3, 39, 3]
    tasks = []
    for count in words:
        tasks.append(asyncio.ensure_future(batcher.verdict(ask("w " * count), FAR)))
        if len(tasks) == 1:
            await asyncio.to_thread(lengths.entered.get)
    await queued(batcher, len(words) - 1)
    lengths.permits.release(10)
    await asyncio.gather(*tasks)
    batches = [lengths.entered.get() for _ in range(lengths.entered.qsize())]
    assert batches == [[42, 40, 42, 41], [5, 5, 5, 5], [102]]
    await batcher.close()


async def test_at_a_known_pace_short_questions_pass_a_long_one_that_has_time(lengths):
    now = [100.0]
    batcher = Batcher(lengths, Metrics(), max_batch_size=2, max_batch_tokens=10_000, max_queue_size=100, clock=lambda: now[0])
    lengths.on_batch = lambda: now.__setitem__(0, now[0] + 0.1 * lengths.tokens)
    lengths.permits.release(1)
    await batcher.verdict(ask("w " * 8), FAR)
    lengths.entered.get()
    tasks = [asyncio.ensure_future(batcher.verdict(ask(), FAR))]
    await asyncio.to_thread(lengths.entered.get)
    # What runs takes 0.3 s and 42 tokens take 4.2 s: in half of their 14 s there is time for two others of 1 s, and not for a third.
    for count, deadline in ((40, Deadline(now[0] + 14.0)), (8, FAR), (60, FAR), (8, FAR), (8, FAR)):
        tasks.append(asyncio.ensure_future(batcher.verdict(ask("w " * count), deadline)))
        await queued(batcher, len(tasks) - 1, tasks)
    lengths.permits.release(10)
    await asyncio.gather(*tasks)
    assert [lengths.entered.get() for _ in range(lengths.entered.qsize())] == [[10, 10], [42], [10], [62]]
    await batcher.close()


async def test_a_question_of_a_rare_length_is_not_starved_by_a_stream_of_others(lengths):
    batcher = Batcher(lengths, Metrics(), max_batch_size=2, max_batch_tokens=10_000, max_queue_size=100, clock=lambda: 100.0)
    asked = []

    def ask_for(count, times=1):
        asked.extend(asyncio.ensure_future(batcher.verdict(ask("w " * count), FAR)) for _ in range(times))

    ask_for(4)
    await asyncio.to_thread(lengths.entered.get)
    ask_for(4, 3)
    ask_for(90)
    ask_for(4, 4)
    await queued(batcher, 8)
    batches = []
    while [92] not in batches:
        # More come than a batch takes: there are always others to prefer.
        ask_for(4, 3)
        waiting = len(batcher._queue) + 3
        await queued(batcher, waiting)
        lengths.permits.release()
        batches.append(await asyncio.to_thread(lengths.entered.get))
        assert len(batches) <= 3, "at most the three that came before it lead a batch before it does"
    lengths.permits.release(100)
    await asyncio.gather(*asked)
    await batcher.close()


async def test_the_warm_up_does_not_set_the_pace(engine, make):
    """CUDA starts up for 12 s in the first forward pass; the burst that follows is not refused for that."""
    now = [100.0]
    batcher = make(clock=lambda: now[0])

    def twelve_seconds():
        now[0] += 12.0

    engine.on_batch = twelve_seconds
    await batcher.warm_up(ask("w " * 8), 60)
    engine.on_batch = lambda: None
    engine.started.clear()
    first = await hold(engine, batcher)
    burst = [asyncio.ensure_future(batcher.verdict(ask("w " * 8), Deadline(now[0] + 10))) for _ in range(60)]
    await queued(batcher, 60, burst)
    engine.gate.set()
    await asyncio.gather(first, *burst)


async def test_retry_after_is_bounded_however_slow_the_engine_is(engine, make):
    now = [100.0]
    batcher = make(clock=lambda: now[0])

    def an_hour():
        now[0] += 3600.0

    engine.on_batch = an_hour
    await batcher.verdict(ask(), FAR)
    engine.started.clear()
    engine.on_batch = lambda: None
    first = await hold(engine, batcher)
    second = asyncio.ensure_future(batcher.verdict(ask(), FAR))
    await queued(batcher, 1)
    with pytest.raises(Overloaded) as refused:
        await batcher.verdict(ask(), Deadline(now[0] + 10))
    assert refused.value.retry_after_s == 60
    engine.gate.set()
    await asyncio.gather(first, second)


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
    # Its turn would come in time, its answer would not: it takes 3 * 0.2 s itself.
    with pytest.raises(Overloaded):
        await batcher.verdict(ask(), Deadline(now[0] + 3.1))
    third = asyncio.ensure_future(batcher.verdict(ask(), Deadline(now[0] + 3.3)))
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
    assert batcher.health() is EdgeHealth.ALIVE


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
    assert batcher.health() is EdgeHealth.ALIVE
    await batcher.verdict(ask(), FAR)


async def test_a_refused_prompt_never_queues(engine, make):
    with pytest.raises(InvalidQuestion):
        await make().verdict(ask("long"), FAR)
    assert engine.batches == []


async def test_a_tokenizer_that_fails_is_a_failure_of_the_edge_and_not_a_bug(engine, make):
    class Stumbling(FakeEngine):
        def prepare(self, question):
            raise RuntimeError("a panic of the tokenizer, say")

    batcher = Batcher(Stumbling(), Metrics(), max_batch_size=1, max_batch_tokens=100, max_queue_size=1)
    with pytest.raises(EdgeError) as failed:
        await batcher.verdict(ask(), FAR)
    assert failed.value.message == "the edge model failed on this question"
    with pytest.raises(EdgeError):
        await batcher.verdict(ask(), FAR)  # The failed one left no place in the queue taken.
    await batcher.close()


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
    assert batcher.health() is EdgeHealth.DEAD


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

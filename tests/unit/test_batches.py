"""Batches at a busy edge: they wait, they are fair to each other, and single questions pass them. Time is the engine's own."""

import asyncio
import itertools
import json
import random
import time

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from app.access.caller import Caller
from app.access.quotas import Quotas
from app.api.batches import Results
from app.core.cascade import Begun, Cascade
from app.core.deadline import Deadline
from app.core.errors import Overloaded
from app.core.policy import Policy
from app.core.question import Question
from app.core.verdict import Signal
from app.edge.batcher import Batcher
from app.edge.batching import Bounds
from app.edge.rendering import Prompt
from app.edge.waiting import Waiting, WaitingQueue
from app.gateway.batch import Batch
from app.gateway.gateway import Gateway
from app.gateway.state import GatewayState, Limits
from app.telemetry.metrics import Metrics
from tests.support.fakes import FakeEngine

DEADLINE_S = 10.0
ASK = {"question": "I am sure of this", "options": ["a", "b", "c"]}
LIMITS = Limits(20_000, 256, 32, 120.0)


class Timed(FakeEngine):
    """Each question of a forward pass takes so many seconds of the injected clock."""

    def __init__(self, seconds=0.5):
        super().__init__()
        # Far ahead of the loop's clock, on which nothing is late.
        self.now = time.monotonic() + 1e6
        self.seconds = seconds
        self.after_batch = lambda: None
        self.prepared = 0
        self.together = []

    def prepare(self, question):
        self.prepared += 1
        return super().prepare(question)

    def prepare_all(self, questions):
        self.together.append(len(questions))
        return super().prepare_all(questions)

    def verdicts(self, prompts):
        found = super().verdicts(prompts)
        self.now += self.seconds * len(prompts)
        self.after_batch()
        return found


class Clocked:
    """A cascade of one batch: a real one, whose deadlines are on the engine's clock, and which notes who is answered."""

    def __init__(self, gateway, name, within_s, bug_every):
        self.edge = gateway.batcher
        self.gateway, self.name, self.within_s = gateway, name, within_s
        self.bugs = itertools.cycle([True, *[False] * (bug_every - 1)]) if bug_every else itertools.repeat(False)
        self.real = Cascade(self.edge, None, Policy())

    def begin(self, ask):
        assert ask.yields
        assert 0 < ask.deadline_s <= self.within_s
        return Begun(ask, time.monotonic(), Deadline(self.gateway.engine.now + DEADLINE_S))

    def settled(self, begun, reply):
        if next(self.bugs):
            raise KeyError("secret detail")
        assert reply.queue_s + reply.inference_s <= DEADLINE_S, "an admitted question misses its deadline"
        self.gateway.order.append(self.name)
        return self.real.settled(begun, reply)

    async def go_on(self, begun, reply):
        return await self.real.go_on(begun, reply)


class OnTheEnginesClock:
    """A gateway around a batcher, on the engine's clock."""

    def __init__(self, engine, **bounds):
        self.engine = engine
        self.batcher = Batcher(
            engine,
            Metrics(),
            **{"max_batch_size": 16, "max_batch_tokens": 10_000, "max_queue_size": 128, **bounds},
            clock=lambda: engine.now,
        )
        self.states = []
        self.tasks = []
        self.order = []

    async def single(self, deadline_s=DEADLINE_S):
        return await self.batcher.verdict(Question(ASK["question"], ("a", "b", "c")), Deadline(self.engine.now + deadline_s))

    def begin(self, asked, name="batch", *, within_s=120.0, bug_every=0, limits=LIMITS):
        """A batch of these questions, or of so many; the results to come."""
        asked = [ASK] * asked if isinstance(asked, int) else asked
        # One state for each batch, so that each has a cascade that knows its name.
        state = GatewayState(Metrics(), limits, turns=self.batcher.turns, cascade=Clocked(self, name, within_s, bug_every))
        self.states.append(state)
        batch = Batch(Gateway(state), Caller(Quotas(), paid=len(asked)), Deadline.after(within_s))
        found = [asyncio.get_running_loop().create_future() for _ in asked]
        results = Results(state, batch, "r", numbered=False)
        self.tasks.append(asyncio.ensure_future(results.answer(asked, lambda place, result: found[place].set_result(result))))
        return found


def kinds(results):
    """What became of each question: a letter, or the type of its error."""
    said = [json.loads(result) for result in results]
    return [body["error"]["type"] if "error" in body else body["answer"] for body in said]


@pytest.fixture
async def make():
    made = []

    def build(engine=None, **bounds):
        made.append(OnTheEnginesClock(engine or Timed(), **bounds))
        return made[-1]

    yield build
    for gateway in made:
        gateway.engine.gate.set()
        await gateway.batcher.close()


async def paced(gateway):
    """One forward pass, so that the pace is known."""
    await gateway.single()
    gateway.engine.started.clear()
    gateway.engine.batches.clear()
    gateway.engine.prepared = 0


async def begun(gateway, count):
    """Until so many questions wait outside the queue."""
    while len(gateway.batcher.turns) < count:
        await asyncio.sleep(0)


async def test_without_waiting_the_documented_batch_is_refused_for_the_most_part(make):
    """The control, as single questions: half a second each, 32 at a time, and a deadline of ten seconds."""
    gateway, at_a_time = make(), asyncio.Semaphore(32)
    await paced(gateway)
    gateway.engine.gate.clear()

    async def ask():
        async with at_a_time:
            return await gateway.single()

    tasks = [asyncio.ensure_future(ask()) for _ in range(256)]
    await asyncio.to_thread(gateway.engine.started.wait)
    while sum(task.done() for task in tasks) < 200:
        await asyncio.sleep(0)
    gateway.engine.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(result, Overloaded) for result in results) >= 200


@pytest.mark.parametrize("seconds", [0.001, 0.1, 0.3, 0.5, 1.0, 4.0])
async def test_the_documented_batch_is_answered_however_slow_the_edge_is(make, seconds):
    """Up to a pace at which one question alone takes most of its deadline."""
    gateway = make(Timed(seconds))
    await paced(gateway)
    assert kinds(await asyncio.gather(*gateway.begin(256))) == ["B"] * 256
    assert sum(gateway.engine.batches) == 256
    assert gateway.engine.prepared == 256, "whoever waits costs the tokenizer nothing"
    assert gateway.engine.together == [32] * 8


async def test_a_batch_fills_the_forward_passes_of_a_busy_engine(make):
    gateway = make(Timed(0.1))
    # However few of its questions may be at the cloud at a time.
    found = gateway.begin(40, limits=Limits(20_000, 256, 2, 120.0))
    assert kinds(await asyncio.gather(*found)) == ["B"] * 40
    assert gateway.engine.batches == [16, 16, 8]


async def test_questions_of_a_batch_share_a_pass_with_those_of_their_length_whatever_their_order(make):
    gateway = make(Timed(0.001), max_batch_size=8)
    asked = [{**ASK, "question": "sure " * length} for length in (10, 20, 40, 80) for _ in range(16)]
    random.Random(0).shuffle(asked)
    assert kinds(await asyncio.gather(*gateway.begin(asked))) == ["B"] * 64
    assert gateway.engine.batches == [8] * 8


@pytest.mark.parametrize("seconds", [0.1, 0.5, 1.0])
async def test_single_questions_pass_a_batch_at_every_moment_of_it(make, seconds):
    gateway = make(Timed(seconds))
    await paced(gateway)
    loop, asked = asyncio.get_running_loop(), []
    gateway.engine.after_batch = lambda: loop.call_soon_threadsafe(lambda: asked.append(asyncio.ensure_future(gateway.single())))
    assert kinds(await asyncio.gather(*gateway.begin(100))) == ["B"] * 100
    gateway.engine.after_batch = lambda: None
    replies = await asyncio.gather(*asked)
    assert len(replies) > 5
    # The pass that was under way, and one of its own at most.
    assert max(reply.queue_s for reply in replies) <= 2 * 16 * seconds


async def test_a_batch_takes_no_place_of_a_single_question(make):
    gateway = make(max_queue_size=4, max_batch_size=2)
    gateway.engine.gate.clear()
    found = gateway.begin(40)
    await asyncio.to_thread(gateway.engine.started.wait)
    await begun(gateway, 25)
    singles = [asyncio.ensure_future(gateway.single(float("inf"))) for _ in range(4)]
    while sum(not waiting.yields for waiting in gateway.batcher._queue) < 4:
        for single in singles:
            if single.done():
                single.result()
        await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await gateway.single(float("inf"))
    gateway.engine.gate.set()
    replies = await asyncio.gather(*singles)
    assert [reply.verdict.answer(Signal.EXPECTED) for reply in replies] == ["B"] * 4
    assert kinds(await asyncio.gather(*found)) == ["B"] * 40


async def test_single_questions_lead_the_next_forward_pass(make):
    gateway = make(max_batch_size=2)
    gateway.engine.gate.clear()
    found = gateway.begin(10)
    await asyncio.to_thread(gateway.engine.started.wait)
    await begun(gateway, 1)
    single = asyncio.ensure_future(gateway.single())
    while all(waiting.yields for waiting in gateway.batcher._queue):
        await asyncio.sleep(0)
    gateway.engine.gate.set()
    reply, *_ = await asyncio.gather(single, *found)
    # No more than the pass that was under way: two questions of half a second each at most.
    assert reply.queue_s <= 1.0


async def test_batches_are_fair_to_each_other(make):
    gateway = make(max_batch_size=4)
    await paced(gateway)
    gateway.engine.gate.clear()
    large = gateway.begin(200, "large")
    await begun(gateway, 20)
    small = [gateway.begin(10, name) for name in ("first", "second")]
    # Four run, and four wait at the edge.
    await begun(gateway, 212)
    gateway.engine.gate.set()
    results = await asyncio.gather(*large, *small[0], *small[1])
    assert kinds(results) == ["B"] * 220
    # When the small ones have their last answer the large one has had about as many, and far from all of its 200. In which order the
    # threads of a busy machine get their turns moves this by a few batches.
    last = max(len(gateway.order) - gateway.order[::-1].index(name) for name in ("first", "second"))
    assert gateway.order[:last].count("large") <= 70


async def test_at_the_batchs_deadline_what_has_not_begun_is_refused_and_what_has_is_answered(make):
    gateway = make(max_batch_size=2)
    gateway.engine.gate.clear()
    found = gateway.begin(50, within_s=0.2)
    done, _ = await asyncio.wait(found, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    assert kinds(task.result() for task in done) == ["overloaded"] * len(done)
    while sum(not task.done() for task in found) > 4:
        await asyncio.sleep(0.01)
    gateway.engine.gate.set()
    found = kinds(await asyncio.gather(*found))
    assert 1 <= found.count("B") <= 4
    assert found.count("overloaded") == 50 - found.count("B")
    assert len(gateway.batcher.turns) == 0


async def test_a_shutdown_refuses_what_waits(make):
    gateway = make(max_batch_size=2)
    gateway.engine.gate.clear()
    found = gateway.begin(50)
    await asyncio.to_thread(gateway.engine.started.wait)
    await begun(gateway, 20)
    gateway.states[0].stopping = True
    gateway.engine.gate.set()
    found = kinds(await asyncio.gather(*found))
    assert set(found) == {"B", "draining"}
    assert found.count("B") <= 4


async def test_a_caller_who_leaves_frees_the_way_for_others(make):
    gateway = make(max_batch_size=2)
    gateway.engine.gate.clear()
    first, second = gateway.begin(50, "first"), gateway.begin(50, "second")
    await asyncio.to_thread(gateway.engine.started.wait)
    await begun(gateway, 50)
    gateway.tasks[0].cancel()
    await asyncio.gather(gateway.tasks[0], return_exceptions=True)
    assert not any(result.done() for result in first)
    gateway.engine.gate.set()
    assert kinds(await asyncio.gather(*second)) == ["B"] * 50
    assert len(gateway.batcher.turns) == 0


async def test_questions_that_fail_free_the_way_too(make):
    """A bug, a wrong question, an edge that breaks: none of them keeps the others waiting."""
    gateway = make(max_batch_size=2)
    with structlog.testing.capture_logs():
        found = kinds(await asyncio.gather(*gateway.begin(60, bug_every=10)))
    assert (found.count("B"), found.count("internal_error")) == (54, 6)


@given(st.lists(st.tuples(st.sampled_from(["add", "yield", "leave", "take"]), st.integers(1, 50)), max_size=60))
def test_the_running_totals_are_the_sums(steps):
    loop = asyncio.new_event_loop()
    waiting = WaitingQueue(max_size=1_000, bounds=Bounds(4, 100, 0.2))
    inside = []
    try:
        for step, number in steps:
            if step in {"add", "yield"}:
                inside.append(
                    Waiting(Prompt(tuple(range(number)), 4, shares_prefix=True), loop.create_future(), 0.0, yields=step == "yield")
                )
                waiting.add(inside[-1])
            elif step == "leave" and inside:
                gone = inside.pop(number % len(inside))
                gone.reply.cancel()
                waiting.discard(gone)
                waiting.discard(gone)
            elif step == "take":
                batch = waiting.take_batch(0.0, 0.01)
                assert waiting.running_columns == sum(taken.prompt.columns for taken in batch)
                inside = [one for one in inside if one not in batch]
            assert [*waiting] == [w for w in inside if not w.yields] + [w for w in inside if w.yields]
            assert waiting._columns_ahead == sum(w.prompt.columns for w in inside if not w.yields)
            assert waiting._columns_behind == sum(w.prompt.columns for w in inside if w.yields)
    finally:
        loop.close()

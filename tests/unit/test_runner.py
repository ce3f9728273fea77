"""An engine that fails: which question gets no verdict, when the engine itself is held to be broken, and how it comes back."""

import asyncio
import math

import pytest

from app.core.buckets import BUCKETS
from app.core.deadline import Deadline
from app.core.edge import EdgeHealth
from app.core.errors import EdgeError
from app.core.question import Question
from app.core.verdict import JointVerdict
from app.edge.batcher import Batcher
from app.edge.runner import Runner
from app.telemetry.metrics import Metrics
from tests.support.fakes import AlteredEngine, make_verdict

FAR = Deadline(float("inf"))
KNOWN_GOOD = Question("sure", ("a", "b", "c"))
NAN = float("nan")


def flat(value, options=3):
    return JointVerdict(((value,) * options,) * len(BUCKETS), 0)


def fails(verdicts):
    raise RuntimeError("CUDA error: an illegal memory access was encountered")


def says_so(verdicts):
    raise EdgeError("not finite")


def some_are_not_finite(verdicts):
    raise EdgeError("not finite", verdicts=[None, *verdicts[1:]])


BROKEN = {
    "it raises": fails,
    "it raises an EdgeError": says_so,
    "it says nothing": lambda _: None,
    "one verdict is missing": lambda verdicts: verdicts[1:],
    "one verdict too many": lambda verdicts: [*verdicts, verdicts[0]],
    "they are not verdicts": lambda verdicts: [None] * len(verdicts),
    "they are numbers": lambda verdicts: [0.5] * len(verdicts),
    "NaN": lambda verdicts: [flat(NAN)] * len(verdicts),
    "infinite": lambda verdicts: [flat(math.inf)] * len(verdicts),
    "zeros": lambda verdicts: [flat(0.0)] * len(verdicts),
    "a sum of two": lambda verdicts: [flat(2 / 15)] * len(verdicts),
    "negative": lambda verdicts: [JointVerdict(((1.0, 1.0, -1.0), *((0.0,) * 3,) * 4), 0)] * len(verdicts),
    "another number of letters": lambda verdicts: [make_verdict(options=4)] * len(verdicts),
    "no greedy bucket": lambda verdicts: [JointVerdict(v.joint, -1) for v in verdicts],
    "a table without rows": lambda verdicts: [JointVerdict((), 0) for _ in verdicts],
    "a table of nothing": lambda verdicts: [JointVerdict(((None,) * 3,) * 5, 0) for _ in verdicts],
}


@pytest.fixture
async def engine():
    return AlteredEngine()


@pytest.fixture
async def make(engine):
    made = []

    async def build(**kwargs):
        bounds = {"max_batch_size": 8, "max_batch_tokens": 10_000, "max_queue_size": 100, "probe_every_s": 0.001, **kwargs}
        batcher = Batcher(engine, bounds.pop("metrics", None) or Metrics(), **bounds)
        made.append(batcher)
        await batcher.warm_up(KNOWN_GOOD, 30)
        return batcher

    yield build
    engine.gate.set()
    for batcher in made:
        await batcher.close()


async def ask(batcher, *texts):
    questions = [Question(text, ("a", "b", "c")) for text in texts]
    return await asyncio.gather(*(batcher.verdict(question, FAR) for question in questions), return_exceptions=True)


async def seen(condition):
    while not condition():
        await asyncio.sleep(0.001)


def failed_batches(batcher):
    return batcher._metrics.registry.get_sample_value("foggate_edge_batches_failed_total")


@pytest.mark.parametrize("says", BROKEN.values(), ids=BROKEN)
async def test_an_engine_that_fails_for_ever_is_found_out_and_found_to_work_again(engine, make, says):
    batcher = await make(probe_after=3)
    engine.alter = says
    for failed in range(1, 3):
        (error,) = await ask(batcher, "sure")
        assert isinstance(error, EdgeError)
        assert batcher._runner.failed_in_a_row == failed
    await ask(batcher, "sure")
    # From here on nobody asks anything any more: the batcher itself does.
    await seen(lambda: batcher._runner.failed_in_a_row >= 10)
    assert failed_batches(batcher) >= 10
    engine.alter = None
    await seen(lambda: batcher._runner.failed_in_a_row == 0)
    (reply,) = await ask(batcher, "sure")
    assert reply.verdict.confidence == 1.0


async def test_a_question_that_works_makes_a_failing_engine_a_working_one(engine, make):
    batcher = await make(probe_after=3, probe_every_s=1000)
    engine.alter = fails
    await ask(batcher, *["sure"] * 3)
    for _ in range(5):
        await ask(batcher, "sure")
    assert batcher._runner.failed_in_a_row >= 3
    engine.alter = None
    await ask(batcher, "sure")
    assert batcher._runner.failed_in_a_row == 0


async def test_a_question_that_breaks_a_working_engine_never_takes_it_out(engine, make):
    batcher = await make(probe_after=3)
    seen_counts = []
    for number in range(30):
        (error,) = await ask(batcher, f"poison {number}")
        assert isinstance(error, EdgeError)
        seen_counts.append(batcher._runner.failed_in_a_row)
    assert max(seen_counts) == 2
    assert failed_batches(batcher) == 30
    assert len(engine.batches) <= 1 + 30 + 10, "one known-good question in three failures"


async def test_without_a_known_good_question_failures_count_as_they_are(engine):
    runner = Runner(engine, Metrics(), probe_after=2, probe_every_s=1.0)
    engine.alter = fails
    for failed in range(1, 5):
        assert runner.run([engine.prepare(KNOWN_GOOD)]) == [None]
        assert (runner.failed_in_a_row, runner.probe_in()) == (failed, math.inf)


async def test_the_known_good_question_is_asked_every_few_seconds_while_the_engine_fails(engine):
    now = [100.0]
    runner = Runner(engine, Metrics(), probe_after=2, probe_every_s=5.0, clock=lambda: now[0])
    runner.known_good = engine.prepare(KNOWN_GOOD)
    assert runner.probe_in() == math.inf
    engine.alter = fails
    runner.run([runner.known_good])
    assert runner.probe_in() == math.inf
    runner.run([runner.known_good])
    assert (runner.failed_in_a_row, runner.probe_in()) == (1, 0.0), "the second one counts when the known-good question fails too"
    runner.probe()
    assert (runner.failed_in_a_row, runner.probe_in()) == (3, 5.0)
    now[0] += 2.0
    runner.run([runner.known_good])
    assert (runner.failed_in_a_row, runner.probe_in()) == (4, 3.0)
    now[0] += 4.0
    assert runner.probe_in() == 0.0
    engine.alter = None
    runner.probe()
    assert (runner.failed_in_a_row, runner.probe_in()) == (0, math.inf)


@pytest.mark.parametrize("says", [some_are_not_finite, lambda verdicts: [flat(NAN), *verdicts[1:]]])
async def test_a_verdict_that_is_not_finite_fails_its_own_question_only(engine, make, says):
    batcher = await make()
    engine.started.clear()
    engine.gate.clear()
    holding = asyncio.ensure_future(ask(batcher, "sure"))
    await asyncio.to_thread(engine.started.wait)
    asked = asyncio.ensure_future(ask(batcher, "no", "sure", "sure"))
    await seen(lambda: len(batcher._queue) == 3)
    engine.alter = lambda verdicts: verdicts if len(verdicts) == 1 else says(verdicts)
    engine.gate.set()
    await holding
    bad, *good = await asked
    assert isinstance(bad, EdgeError)
    assert [reply.verdict.confidence for reply in good] == [1.0, 1.0]
    assert (batcher._runner.failed_in_a_row, failed_batches(batcher)) == (0, 0.0)


def ends_the_thread(verdicts):
    raise SystemExit(1)


class Panic(BaseException):
    """What a library written in Rust raises: no Exception."""


def panics(verdicts):
    raise Panic


@pytest.mark.parametrize("ends", [ends_the_thread, panics])
async def test_a_worker_that_dies_is_dead_and_nobody_waits_for_it(engine, make, ends):
    batcher = await make(max_batch_size=1)
    engine.started.clear()
    engine.gate.clear()
    engine.alter = ends
    asked = asyncio.ensure_future(ask(batcher, "sure", "sure", "sure"))
    await asyncio.to_thread(engine.started.wait)
    await seen(lambda: len(batcher._queue) == 2)
    assert batcher.health() is EdgeHealth.ALIVE
    engine.gate.set()
    assert [type(error) for error in await asked] == [EdgeError] * 3
    assert batcher.health() is EdgeHealth.DEAD
    assert [type(error) for error in await ask(batcher, "sure")] == [EdgeError]


async def test_a_metric_that_breaks_keeps_no_caller_waiting_and_ends_the_worker_visibly(engine, make):
    class BrokenMetrics(Metrics):
        broken = False

        def __init__(self):
            super().__init__()
            self._sizes, self.edge_batch_size = self.edge_batch_size, self

        def observe(self, size):
            if self.broken:
                raise ValueError("no such bucket")

    metrics = BrokenMetrics()
    batcher = await make(metrics=metrics)
    metrics.broken = True
    (reply,) = await ask(batcher, "sure")
    assert reply.verdict.confidence == 1.0
    await seen(lambda: batcher.health() is EdgeHealth.DEAD)


@pytest.mark.parametrize("says", BROKEN.values(), ids=BROKEN)
async def test_an_engine_that_fails_on_its_warm_up_question_is_refused(engine, make, says):
    engine.alter = says
    with pytest.raises(EdgeError, match="warm-up question"):
        await make()


async def test_a_warm_up_that_hangs_ends(engine):
    engine.gate.clear()
    batcher = Batcher(engine, Metrics(), max_batch_size=8, max_batch_tokens=10_000, max_queue_size=100)
    with pytest.raises(EdgeError, match=r"within 0.01 s"):
        await batcher.warm_up(KNOWN_GOOD, 0.01)
    engine.gate.set()
    await batcher.close()

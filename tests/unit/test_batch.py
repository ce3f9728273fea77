"""A batch as one object: what the cloud is asked at a time, deadlines, questions that fail, and a caller who leaves."""

import asyncio
import datetime as dt
from dataclasses import dataclass, field, replace

import pytest
import structlog

from app.access.caller import Caller
from app.access.keys import Key, Permission
from app.access.quotas import Quotas
from app.config.settings import Settings
from app.core.ask import Ask
from app.core.cascade import Cascade
from app.core.deadline import Deadline
from app.core.errors import DeadlineExceeded, Draining, EdgeError, InvalidQuestion, Overloaded
from app.core.outcome import Reason, Route, RouteRequest
from app.core.policy import Policy
from app.core.question import Question
from app.core.verdict import JointVerdict
from app.edge.batcher import Batcher
from app.gateway.batch import Batch
from app.gateway.build import build_cloud_side, build_routing
from app.gateway.gateway import Gateway
from app.gateway.state import GatewayState, Limits
from app.telemetry.metrics import Metrics
from tests.support.fakes import FakeCloud, FakeEdge, FakeEngine, make_verdict

SURE, UNSURE = make_verdict(1.0), make_verdict(0.0)
OPTIONS = ("a", "b", "c", "d")


def asks(count, text="no", **more):
    return [Ask(Question(text, OPTIONS, id=str(number)), **more) for number in range(count)]


def batch_at(edge, cloud=None, *, at_a_time=32, caller=None, budget=None, deadline_s=60.0):
    cascade = Cascade(edge, cloud, Policy(0.5), budget=budget)
    state = GatewayState(Metrics(), Limits(20_000, 256, at_a_time, 60.0), turns=edge.turns, cascade=cascade)
    return Batch(Gateway(state), caller or Caller(Quotas(), paid=256), Deadline.after(deadline_s))


async def answers(batch, asked):
    """What became of each question, in order: exactly one thing."""
    found = []
    await batch.answer(asked, lambda place, result: found.append((place, result)))
    assert sorted(place for place, _ in found) == list(range(len(asked)))
    return [result for _, result in sorted(found, key=lambda pair: pair[0])]


@pytest.fixture
async def engine():
    return FakeEngine()


@pytest.fixture
async def batcher(engine):
    made = Batcher(engine, Metrics(), max_batch_size=2, max_batch_tokens=10_000, max_queue_size=100)
    yield made
    engine.gate.set()
    await made.close()


class HeldCloud(FakeCloud):
    """Answers when it is let, and knows how many wait."""

    def __init__(self):
        super().__init__("C")
        self.let = asyncio.Event()
        self.waiting = self.most = 0
        self.given_up = 0

    async def answer(self, question, deadline, allowance=()):
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        try:
            await self.let.wait()
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        finally:
            self.waiting -= 1
        return await super().answer(question, deadline, allowance)


async def test_no_more_questions_are_at_the_cloud_than_allowed_and_meanwhile_none_begins(engine, batcher):
    cloud = HeldCloud()
    asking = asyncio.ensure_future(answers(batch_at(batcher, cloud, at_a_time=3), asks(40)))
    while cloud.waiting < 3:
        await asyncio.sleep(0)
    for _ in range(200):
        await asyncio.sleep(0.001)
    # The fourth of the first two passes waits for its place at the cloud, and the next pass had been asked for before that.
    assert cloud.most == 3
    assert sum(engine.batches) <= 6
    cloud.let.set()
    outcomes = await asking
    assert {(outcome.route, outcome.answer) for outcome in outcomes} == {(Route.CLOUD, "C")}
    assert [outcome.question.id for outcome in outcomes] == [str(number) for number in range(40)]
    assert cloud.most == 3


async def test_a_question_whose_own_deadline_passes_gets_that_and_leaves_the_queue(engine, batcher):
    engine.gate.clear()
    # Two run, two wait at the edge; the last one of these has little time.
    asked = [*asks(3), *asks(1, deadline_s=0.05)]
    asking = asyncio.ensure_future(answers(batch_at(batcher), asked))
    await asyncio.to_thread(engine.started.wait)
    while not len(batcher._queue):
        await asyncio.sleep(0)
    while len(batcher._queue) > 1:
        await asyncio.sleep(0.01)
    engine.gate.set()
    *others, late = await asking
    assert isinstance(late, DeadlineExceeded)
    # There is no cloud, so these are the edge's answers.
    assert [outcome.answer for outcome in others] == ["B"] * 3
    assert engine.batches == [2, 1]


@dataclass(frozen=True)
class TimerComesLate(Deadline):
    """The deadline of a batch on a machine that stops it just where it sets its timer: those of its questions come first."""

    asked: list[None] = field(default_factory=list)

    def remaining(self):
        self.asked.append(None)
        return Deadline.remaining(self) + (0.2 if len(self.asked) == 1 else 0.0)


async def test_at_the_deadline_nothing_begins_in_the_places_that_questions_leave(engine, batcher):
    engine.gate.clear()
    asked = asks(40)
    state = GatewayState(Metrics(), Limits(20_000, 256, 32, 60.0), turns=batcher.turns, cascade=Cascade(batcher, None, Policy(0.5)))
    found = await answers(Batch(Gateway(state), Caller(Quotas(), paid=256), TimerComesLate.after(0.3)), asked)
    engine.gate.set()
    # Two were running and two waited.
    assert [type(error) for error in found].count(DeadlineExceeded) <= 4
    assert {type(error) for error in found} <= {DeadlineExceeded, Overloaded}


async def test_what_the_edge_cannot_read_fails_alone_and_what_it_fails_on_goes_to_the_cloud(batcher, engine):
    class Stumbling(FakeEngine):
        def prepare(self, question):
            if "panic" in question.question:
                raise SystemError("the tokenizer panicked")
            return super().prepare(question)

    edge = Batcher(Stumbling(), Metrics(), max_batch_size=8, max_batch_tokens=10_000, max_queue_size=100)
    asked = [ask for text in ("sure", "too long", "panic", "sure") for ask in asks(1, text)]
    with structlog.testing.capture_logs():
        first, long, panic, last = await answers(batch_at(edge, FakeCloud("C")), asked)
    assert (first.answer, last.answer) == ("B", "B")
    assert isinstance(long, InvalidQuestion)
    assert (panic.answer, panic.reason) == ("C", Reason.EDGE_FAILED)
    await edge.close()


async def test_without_a_cloud_or_with_the_edge_forced_a_failure_of_the_edge_is_the_error():
    class Refusing(FakeEdge):
        def ask(self, wanted):
            raise EdgeError("the edge model's worker has ended")

    for cloud, route in ((None, RouteRequest.AUTO), (FakeCloud("C"), RouteRequest.EDGE)):
        failed = await answers(batch_at(Refusing(SURE), cloud), asks(200, route=route))
        assert [type(error) for error in failed] == [EdgeError] * 200
    saved = await answers(batch_at(Refusing(SURE), FakeCloud("C"), at_a_time=2), asks(200))
    assert {outcome.reason for outcome in saved} == {Reason.EDGE_FAILED}


@pytest.mark.parametrize("where", ["prepare", "ask"])
async def test_an_edge_that_breaks_its_contract_has_failed_on_the_questions(where, caplog):
    class Wrong(FakeEdge):
        async def prepare(self, questions):
            if where == "prepare":
                raise KeyError("secret detail")
            return await super().prepare(questions)

        def ask(self, wanted):
            raise KeyError("secret detail")

    outcomes = await answers(batch_at(Wrong(SURE), FakeCloud("C")), asks(3))
    assert {(outcome.answer, outcome.reason) for outcome in outcomes} == {("C", Reason.EDGE_FAILED)}
    assert "a bug: the edge could not be asked" in caplog.text


async def test_a_verdict_that_belongs_to_another_question_is_a_failure_of_the_edge():
    two_options = JointVerdict.from_weights([[0.1, 0.1]] * 5, 4)
    (outcome,) = await answers(batch_at(FakeEdge(two_options), FakeCloud("C")), asks(1))
    assert (outcome.answer, outcome.reason) == ("C", Reason.EDGE_FAILED)


async def test_a_budget_bounds_tau_for_the_questions_of_a_batch_too():
    class Spent:
        async def max_tau(self):
            return 0.0

    outcomes = await answers(batch_at(FakeEdge(UNSURE), FakeCloud("C"), budget=Spent()), asks(3))
    assert {outcome.route for outcome in outcomes} == {Route.EDGE}
    (kept,) = await answers(batch_at(FakeEdge(SURE), FakeCloud("C"), budget=Spent()), asks(1))
    assert kept.decision.tau == 0.0, "the threshold that applied"
    assert {outcome.route for outcome in await answers(batch_at(FakeEdge(UNSURE), FakeCloud("C")), asks(3))} == {Route.CLOUD}


async def test_a_caller_who_leaves_empties_the_queue_and_gives_up_the_cloud(engine, batcher):
    cloud = HeldCloud()
    # The first pass lets nothing behind it pass.
    engine.on_batch = engine.gate.clear
    asking = asyncio.ensure_future(answers(batch_at(batcher, cloud), asks(20)))
    while len(engine.batches) < 2 or len(batcher._queue) < 2 or cloud.waiting < 2:
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    async with asyncio.timeout(10):
        while len(batcher._queue) or cloud.waiting:
            await asyncio.sleep(0)
    assert cloud.given_up == 2
    assert len(batcher.turns) == 0
    engine.on_batch = lambda: None
    engine.gate.set()
    reply = await batcher.verdict(Question("sure", OPTIONS), Deadline(float("inf")))
    assert reply.verdict.confidence == 1.0
    assert engine.batches == [2, 2, 1], "nothing of the batch runs but what had begun"


async def test_what_the_receiver_of_results_raises_ends_the_batch(engine, batcher):
    seen = []

    def once(place, found):
        seen.append(place)
        raise InvalidQuestion("enough")

    with pytest.raises(InvalidQuestion, match="enough"):
        await batch_at(batcher).answer(asks(40, "sure"), once)
    assert len(seen) == 1
    while len(batcher._queue):
        await asyncio.sleep(0)
    assert sum(engine.batches) <= 6


async def test_what_was_not_asked_is_given_back_even_if_the_batch_ends_in_the_middle(engine, batcher):
    key = Key(id="0" * 12, sha256="0" * 64, created=dt.date(2026, 1, 2), questions_per_minute=50, permissions=frozenset(Permission))
    caller = Caller(Quotas(), key)
    await caller.pay(40)
    batch = batch_at(batcher, caller=caller)
    batch._gateway.state.stopping = True

    def once(place, found):
        raise found

    with pytest.raises(Draining):
        await batch.answer(asks(40), once)
    assert ((await caller.rate()).remaining, caller.paid) == (50, 0)
    assert engine.batches == []


async def test_confident_answers_wait_for_no_place_at_the_cloud(engine, batcher):
    """With the cascade that a configuration builds, whose budget lowers no threshold."""
    cloud, settings = HeldCloud(), Settings(policy={"signal": "verbalized", "tau": 0.5})
    side = replace(build_cloud_side(settings, Metrics(), Quotas()), shared=cloud)
    cascade = build_routing(settings, None, batcher, side).cascade
    state = GatewayState(Metrics(), Limits(20_000, 256, 2, 60.0), turns=batcher.turns, cascade=cascade)
    found = []
    batch = Batch(Gateway(state), Caller(Quotas(), paid=256), Deadline.after(60.0))
    # Two passes, the second of which was asked for before the first two questions had to go on.
    asked = [*asks(2, "no"), *asks(2, "sure of this longer question")]
    engine.gate.clear()
    asking = asyncio.ensure_future(batch.answer(asked, lambda place, result: found.append((place, result))))
    await asyncio.to_thread(engine.started.wait)
    while len(batcher._queue) < 2:
        await asyncio.sleep(0)
    engine.gate.set()
    while len(found) < 2:
        await asyncio.sleep(0.001)
    assert cloud.waiting == 2
    assert {result.route for _, result in found} == {Route.EDGE}
    cloud.let.set()
    await asking
    assert sorted(place for place, _ in found) == [0, 1, 2, 3]


class BrokenEdge(FakeEdge):
    """Fails to prepare, in a way of its own."""

    def __init__(self, failure):
        super().__init__(SURE)
        self.failure = failure

    async def prepare(self, questions):
        if isinstance(self.failure, BaseException):
            raise self.failure
        return [self.failure for _ in questions]


@pytest.mark.parametrize("failure", [EdgeError("x"), ValueError("x"), asyncio.CancelledError(), None, "no prompt"])
async def test_questions_that_the_edge_cannot_prepare_begin_when_there_is_a_place(failure):
    """Not all at once, with their time running while they wait."""
    cloud = HeldCloud()
    asking = asyncio.ensure_future(answers(batch_at(BrokenEdge(failure), cloud, at_a_time=3), asks(20)))
    while cloud.waiting < 3:
        await asyncio.sleep(0)
    before = len(asyncio.all_tasks())
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == before <= 3 + 4
    cloud.let.set()
    outcomes = await asking
    assert {(outcome.route, outcome.reason) for outcome in outcomes} == {(Route.CLOUD, Reason.EDGE_FAILED)}
    assert cloud.most == 3


async def test_once_some_go_on_no_more_are_at_the_edge_than_may_follow_them(engine):
    """The second pass was asked for before anything was known of the first; a third one would have to wait with its time running."""
    many = Batcher(engine, Metrics(), max_batch_size=8, max_batch_tokens=10_000, max_queue_size=100)
    cloud = HeldCloud()
    asking = asyncio.ensure_future(answers(batch_at(many, cloud, at_a_time=12), asks(40)))
    while cloud.waiting < 12:
        await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0.001)
    assert sum(engine.batches) <= 16
    cloud.let.set()
    await asking
    assert sum(engine.batches) == 40
    await many.close()

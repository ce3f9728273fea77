"""The gateway without a network side: what it refuses, what it charges, and what its observers can do to a caller (nothing)."""

import asyncio
import datetime as dt
import math

import pytest
import structlog
from limits import RateLimitItemPerMinute

from app.access.caller import Caller
from app.access.keys import Key, Permission
from app.access.quotas import Quotas
from app.core.ask import Ask
from app.core.cascade import Cascade, OnCloudFailure
from app.core.deadline import Deadline
from app.core.errors import CloudTimeout, Draining, EdgeError, Forbidden, InvalidQuestion, NotReady, Overloaded, RateLimited
from app.core.outcome import CloudReply, RouteRequest
from app.core.policy import Policy
from app.gateway.batch import Batch
from app.gateway.gateway import Gateway
from app.gateway.observers import LineObserver, MetricsObserver
from app.gateway.state import GatewayState, Limits
from app.telemetry.metrics import Metrics
from app.telemetry.request_line import request_line
from tests.support.fakes import FakeCloud, FakeEdge, make_verdict

SURE, UNSURE = make_verdict(1.0), make_verdict(0.0)
PER_MINUTE = 10


def gateway(edge=SURE, cloud="C", observers=(), *, max_text_chars=1_000, **of_cascade):
    cascade = Cascade(FakeEdge(edge), FakeCloud(cloud), Policy(0.5), **of_cascade)
    return Gateway(GatewayState(Metrics(), Limits(max_text_chars, 8, 4, 60.0), cascade=cascade), observers)


def caller(*permissions, **more):
    given = {"questions_per_minute": PER_MINUTE, "permissions": frozenset(permissions or Permission), **more}
    return Caller(Quotas(), Key(id="0" * 12, sha256="0" * 64, created=dt.date(2026, 1, 2), **given))


async def charged(one):
    return PER_MINUTE - (await one.rate()).remaining


class Seen:
    def __init__(self):
        self.outcomes = []

    def seen(self, ask, outcome):
        self.outcomes.append((ask, outcome))


class Broken:
    """An observer with a bug."""

    def __init__(self, bug):
        self.bug = bug

    def seen(self, ask, outcome):
        raise self.bug


@pytest.mark.parametrize(
    "bug",
    [
        KeyError("x"),
        RecursionError(),
        MemoryError(),
        EdgeError("x"),
        Overloaded("x"),
        TimeoutError(),
        ValueError(),
        asyncio.CancelledError(),
    ],
)
async def test_an_observer_that_raises_costs_no_caller_their_answer_and_no_other_observer_the_outcome(question, bug):
    before, after, asking = Seen(), Seen(), caller()
    with structlog.testing.capture_logs() as logs:
        outcome = await gateway(observers=[before, Broken(bug), after]).answer(Ask(question), asking)
    assert outcome.answer == "A"
    assert [seen.outcomes[0][1] for seen in (before, after)] == [outcome, outcome]
    assert await charged(asking) == 1, "an answer is paid for, whatever an observer raises"
    assert [(line["observer"], line["log_level"]) for line in logs] == [("Broken", "error")]


async def test_observers_see_what_was_asked_with_the_callers_allowance_whatever_the_face_put_there(question):
    seen, asking = Seen(), caller(cloud_calls_per_day=3)
    forged = ((RateLimitItemPerMinute(1_000_000), "somebody else"),)
    await gateway(observers=[seen]).answer(Ask(question, tau=0.25, allowance=forged), asking)
    ((ask, outcome),) = seen.outcomes
    assert (ask.question, ask.tau, outcome.decision.tau) == (question, 0.25, 0.25)
    ((item, owner),) = ask.allowance
    assert (item.amount, owner) == (3, asking.key.id)


async def test_a_question_that_gets_no_answer_is_seen_by_no_observer(question):
    seen = Seen()
    failing = gateway(UNSURE, CloudTimeout("x"), [seen], on_cloud_failure=OnCloudFailure.ERROR)
    with pytest.raises(CloudTimeout):
        await failing.answer(Ask(question), caller())
    assert seen.outcomes == []


async def test_before_the_model_is_loaded_nobody_is_charged(question):
    loading, asking = gateway(), caller()
    loading.state.cascade = None
    with pytest.raises(NotReady):
        await loading.answer(Ask(question), asking)
    with pytest.raises(NotReady):
        await loading.admit(asking, 3)
    assert await charged(asking) == 0


@pytest.mark.parametrize(("refusal", "costs"), [(Overloaded, 0), (Draining, 0), (InvalidQuestion, 1), (EdgeError, 1)])
async def test_what_was_refused_without_being_asked_is_not_charged(question, refusal, costs):
    asking = caller()
    with pytest.raises(refusal):
        await gateway(refusal("x"), on_cloud_failure=OnCloudFailure.ERROR, cloud=CloudTimeout("y")).answer(
            Ask(question, route=RouteRequest.EDGE), asking
        )
    assert (await charged(asking), asking.paid) == (costs, 0)


async def test_a_rate_that_is_used_up_refuses_before_anybody_is_asked(question):
    seen, asking = Seen(), caller(questions_per_minute=2)
    one = gateway(observers=[seen])
    for _ in range(2):
        await one.answer(Ask(question), asking)
    with pytest.raises(RateLimited):
        await one.answer(Ask(question), asking)
    assert len(seen.outcomes) == 2


@pytest.mark.parametrize(
    ("more", "needs", "param"),
    [
        ({}, Permission.ANSWER, None),
        ({"tau": 0.0}, Permission.FORCE_ROUTE, "tau"),
        ({"route": RouteRequest.EDGE}, Permission.FORCE_ROUTE, "route"),
        ({"route": RouteRequest.CLOUD}, Permission.FORCE_ROUTE, "route"),
    ],
)
async def test_permissions_are_decided_here(question, more, needs, param):
    with pytest.raises(Forbidden, match=needs.value) as refused:
        await gateway().answer(Ask(question, **more), caller(*(set(Permission) - {needs})))
    assert refused.value.param == param
    for one in (caller(needs, Permission.ANSWER), Caller(Quotas())):
        assert (await gateway().answer(Ask(question, **more), one)).answer


async def test_a_text_over_the_limit_is_refused_and_one_at_the_limit_is_not(question):
    assert question.length == len(question.question) + sum(len(option) for option in question.options)
    await gateway(max_text_chars=question.length).answer(Ask(question), caller())
    with pytest.raises(InvalidQuestion, match=f"{question.length} characters long, the limit is {question.length - 1}"):
        await gateway(max_text_chars=question.length - 1).answer(Ask(question), caller())


async def answers(batch, *asks):
    """What became of the questions of a batch, in order."""
    found = {}
    await batch.answer(asks, found.__setitem__)
    return [found[place] for place in range(len(asks))]


async def test_a_batch_is_charged_once_and_its_questions_are_not_charged_again(question):
    asking, one = caller(), gateway()
    batch = await Batch.admitted(one, asking, 3)
    assert await charged(asking) == 3
    assert [outcome.answer for outcome in await answers(batch, *[Ask(question)] * 3)] == ["A"] * 3
    assert (await charged(asking), asking.paid) == (3, 0)


async def test_a_batch_over_the_limit_of_questions_or_of_the_rate_is_refused_whole():
    one, asking = gateway(), caller(questions_per_minute=6)
    for questions, says in ((9, "9 questions, the limit is 8"), (7, "this key may ask 6 a minute")):
        with pytest.raises(InvalidQuestion, match=says):
            await Batch.admitted(one, asking, questions)
    assert (await asking.rate()).remaining == 6


async def test_a_question_of_a_batch_gives_way_and_has_no_more_time_than_its_batch(question):
    seen, one = Seen(), gateway()
    one._observers = (seen,)
    given = {None: 60, 5.0: 5, math.inf: 60}
    await answers(Batch(one, caller(), Deadline.after(60)), *(Ask(question, deadline_s=own) for own in given))
    for (ask, _), expected in zip(seen.outcomes, given.values(), strict=True):
        assert ask.yields
        assert expected - 1 < ask.deadline_s <= expected


async def test_a_batch_that_is_refused_at_its_deadline_or_at_the_end_is_not_charged_for_what_nobody_was_asked(question):
    asking, full = caller(), gateway(Overloaded("full"))
    late = Batch(full, asking, Deadline.after(0.05))
    await full.admit(asking, 2)
    # Nobody else wakes this one: it asks once, is refused, and waits for a turn until the deadline.
    (refused,) = await answers(late, Ask(question))
    assert isinstance(refused, Overloaded)
    assert "within the batch's deadline" in refused.message
    assert full.state.cascade.edge.questions == 1
    assert (await charged(asking), asking.paid) == (1, 1)
    full.state.stopping = True
    (refused,) = await answers(Batch(full, asking, Deadline.after(60)), Ask(question))
    assert isinstance(refused, Draining)
    assert (await charged(asking), asking.paid) == (0, 0)


async def test_a_single_question_is_still_answered_while_the_gateway_stops(question):
    ending = gateway()
    ending.state.draining = ending.state.stopping = True
    assert (await ending.answer(Ask(question), caller())).answer == "A"


async def test_metrics_and_the_log_line_tell_a_decision_from_a_failure(question):
    metrics = Metrics()
    one = gateway(UNSURE, CloudTimeout("x"), [MetricsObserver(metrics), LineObserver()])
    with request_line() as line:
        outcome = await one.answer(Ask(question), caller())
        await one.answer(Ask(question, tau=0.0, yields=True), caller())
    assert outcome.decision.reason == "low_confidence"
    assert line == {"route": "edge", "reason": "cloud_timeout", "degraded": True, "signal": 0.0, "attempts": 0}
    count = metrics.registry.get_sample_value
    assert count("foggate_degraded_total", {"reason": "cloud_timeout"}) == 1
    assert count("foggate_requests_total", {"route": "edge", "reason": "cloud_timeout"}) == 1
    assert count("foggate_requests_total", {"route": "edge", "reason": "confident"}) == 1
    # Without a request there is no line, and nothing to fail at.
    assert (await one.answer(Ask(question), caller())).degraded


async def test_the_line_of_a_cloud_answer_names_its_attempts(question):
    class Patient(FakeCloud):
        async def answer(self, question, deadline, allowance=()):
            return CloudReply("D", "m", 3, {})

    one = Gateway(
        GatewayState(Metrics(), Limits(1_000, 8, 4, 60.0), cascade=Cascade(FakeEdge(UNSURE), Patient("D"), Policy(0.5))), [LineObserver()]
    )
    with request_line() as line:
        assert (await one.answer(Ask(question), caller())).answer == "D"
    assert (line["route"], line["attempts"]) == ("cloud", 3)

"""What the cascade hands on, and what an outcome holds: every part by its value."""

import asyncio
from dataclasses import replace

import pytest
from limits import RateLimitItemPerDay

from app.core.ask import Ask
from app.core.cascade import Cascade, OnCloudFailure
from app.core.errors import CloudNotConfigured, CloudTimeout, CloudUnavailable, DeadlineExceeded, EdgeError
from app.core.outcome import CloudReply, Reason, Route, RouteRequest
from app.core.policy import Policy
from app.core.verdict import EdgeReply, Signal, TextVerdict
from tests.support.fakes import make_verdict

ALLOWANCE = ((RateLimitItemPerDay(5), "ada"),)
SURE, UNSURE = make_verdict(1.0), make_verdict(0.0, answer=2)


class Edge:
    def __init__(self, verdict):
        self.asked = []
        self.verdict_of = verdict

    async def verdict(self, question, deadline):
        self.asked.append((question, deadline))
        if isinstance(self.verdict_of, Exception):
            raise self.verdict_of
        return EdgeReply(self.verdict_of, "the-edge", 0.25, 0.5, 3)


class EndlessEdge(Edge):
    async def verdict(self, question, deadline):
        await asyncio.Event().wait()


class Cloud:
    def __init__(self, answer="D"):
        self.asked = []
        self.answer_of = answer

    async def answer(self, question, deadline, allowance=()):
        self.asked.append((question, deadline, allowance))
        if isinstance(self.answer_of, BaseException):
            raise self.answer_of
        return CloudReply(self.answer_of, "the-cloud", 2, {"prompt_tokens": 7})


class Lowered:
    def __init__(self, tau):
        self.tau = tau

    async def max_tau(self):
        return self.tau


async def test_edge_and_cloud_are_asked_this_question_with_one_deadline_and_the_callers_allowance(question):
    edge, cloud = Edge(UNSURE), Cloud()
    outcome = await Cascade(edge, cloud, Policy(0.5)).answer(Ask(question, allowance=ALLOWANCE))
    ((edge_question, edge_deadline),) = edge.asked
    ((cloud_question, cloud_deadline, allowance),) = cloud.asked
    assert edge_question is cloud_question is outcome.question is question
    assert allowance == ALLOWANCE
    assert edge_deadline.at - cloud_deadline.at == pytest.approx(0.1), "the reserve for the reply"
    assert outcome.edge == EdgeReply(UNSURE, "the-edge", 0.25, 0.5, 3)
    assert outcome.cloud == CloudReply("D", "the-cloud", 2, {"prompt_tokens": 7})
    assert (outcome.answer, outcome.decision.tau, outcome.decision.signal) == ("D", 0.5, Signal.VERBALIZED)
    assert 0 <= outcome.cloud_s <= outcome.total_s


async def test_without_an_edge_answer_the_cloud_has_the_whole_deadline_and_the_decision_says_which_tau_applied(question):
    edge, cloud = Edge(EdgeError("x")), Cloud()
    gateway = Cascade(edge, cloud, Policy(0.5, Signal.EXPECTED, domains={"science": 0.7}))
    outcome = await gateway.answer(Ask(question))
    assert cloud.asked[0][1].at == edge.asked[0][1].at
    assert (outcome.reason, outcome.decision.tau, outcome.decision.signal, outcome.edge, outcome.degraded) == (
        Reason.EDGE_FAILED,
        0.7,
        Signal.EXPECTED,
        None,
        False,
    )
    assert (await gateway.answer(Ask(question, tau=0.2))).decision.tau == 0.2


async def test_the_edge_answer_is_the_one_that_belongs_to_the_signal_and_the_temperature_of_the_policy(question):
    split = replace(
        make_verdict(0.75), joint=tuple((*row, 0.0, 0.0) for row in ((0.0, 0.3), (0.0, 0.0), (0.0, 0.0), (0.4, 0.1), (0.0, 0.2)))
    )
    for signal, letter in ((Signal.VERBALIZED, "A"), (Signal.EXPECTED, "B")):
        outcome = await Cascade(Edge(split), None, Policy(0.1, signal, temperature=2.0)).answer(Ask(question))
        assert (outcome.answer, outcome.reason, outcome.cloud_s) == (letter, Reason.CONFIDENT, None)
        assert outcome.edge.verdict.temperature == 2.0


async def test_the_threshold_of_the_questions_domain_is_the_one_that_applies(question):
    gateway = Cascade(Edge(make_verdict(0.75)), Cloud(), Policy(0.5, domains={"science": 0.9}))
    outcome = await gateway.answer(Ask(question))
    assert (question.domain, outcome.route, outcome.reason, outcome.decision.tau) == ("science", Route.CLOUD, Reason.LOW_CONFIDENCE, 0.9)
    assert (await gateway.answer(Ask(replace(question, domain="law")))).route is Route.EDGE


async def test_the_time_of_a_cloud_that_is_not_there_is_none_and_the_whole_time_is_that_of_this_question(question):
    outcome = await Cascade(Edge(UNSURE), None, Policy(0.5)).answer(Ask(question))
    assert (outcome.reason, outcome.cloud_s) == (CloudNotConfigured.code, None)
    # The clock that it is taken from counts from the start of the machine.
    assert 0 <= outcome.total_s < 10


async def test_a_spent_budget_lowers_the_threshold_and_the_outcome_says_so(question):
    gateway = Cascade(Edge(make_verdict(0.25)), Cloud(), Policy(0.5), budget=Lowered(0.2))
    outcome = await gateway.answer(Ask(question))
    assert (outcome.route, outcome.reason, outcome.decision.tau) == (Route.EDGE, Reason.CONFIDENT, 0.2)
    assert (await replace(gateway, budget=Lowered(None)).answer(Ask(question))).route is Route.CLOUD


async def test_a_degraded_outcome_keeps_the_decision_and_names_the_failure(question):
    outcome = await Cascade(Edge(UNSURE), Cloud(CloudUnavailable("gone")), Policy(0.5)).answer(Ask(question, tau=0.4))
    assert (outcome.answer, outcome.route, outcome.reason, outcome.degraded, outcome.decision.tau) == (
        "C",
        Route.EDGE,
        CloudUnavailable.code,
        True,
        0.4,
    )
    assert (outcome.decision.route, outcome.decision.reason, outcome.failure.message) == (Route.CLOUD, Reason.LOW_CONFIDENCE, "gone")
    assert outcome.cloud is None
    assert outcome.cloud_s >= 0


async def test_what_takes_too_long_says_so():
    gateway = Cascade(EndlessEdge(SURE), Cloud(), Policy())
    with pytest.raises(DeadlineExceeded) as late:
        await gateway.answer(Ask(Anything, deadline_s=0.01))
    assert late.value.message == "no answer within the deadline"
    failing = Cascade(Edge(UNSURE), Cloud(TimeoutError()), Policy(), OnCloudFailure.ERROR)
    with pytest.raises(CloudTimeout) as timeout:
        await failing.answer(Ask(Anything))
    assert timeout.value.message == "the cloud did not answer within the deadline"
    forced = await replace(failing, on_cloud_failure=OnCloudFailure.EDGE).answer(Ask(Anything, route=RouteRequest.CLOUD))
    assert (forced.reason, forced.degraded) == (CloudTimeout.code, True)


class Anything:
    domain = None
    options = ("a", "b", "c", "d")


async def test_the_value_of_the_signal_is_that_of_the_policys_signal_and_none_where_there_is_none(question):
    for signal in Signal:
        outcome = await Cascade(Edge(UNSURE), None, Policy(0.5, signal)).answer(Ask(question))
        assert outcome.signal == UNSURE.signal(signal)
    assert UNSURE.signal(Signal.VERBALIZED) != UNSURE.signal(Signal.EXPECTED)
    assert (await Cascade(Edge(TextVerdict("A")), None, Policy(0.5)).answer(Ask(question))).signal is None
    assert (await Cascade(Edge(EdgeError("x")), Cloud(), Policy(0.5)).answer(Ask(question))).signal is None

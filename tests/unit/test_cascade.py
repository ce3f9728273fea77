"""Edge → policy → cloud → fallback, with one deadline."""

import asyncio

import pytest

from app.core.ask import Ask
from app.core.cascade import REPLY_RESERVE_S, Cascade, OnCloudFailure
from app.core.deadline import Deadline
from app.core.errors import (
    CloudError,
    CloudNotConfigured,
    CloudTimeout,
    CloudUnavailable,
    DeadlineExceeded,
    EdgeError,
    InvalidQuestion,
    Overloaded,
    kinds_of,
)
from app.core.outcome import Reason, Route, RouteRequest
from app.core.policy import Policy
from app.core.verdict import OptionsVerdict, TextVerdict
from tests.support.fakes import FakeCloud, FakeEdge, make_verdict

SURE, UNSURE = make_verdict(1.0), make_verdict(0.0)


def cascade(edge=UNSURE, cloud="C", **kwargs):
    return Cascade(FakeEdge(edge), FakeCloud(cloud) if cloud else None, Policy(0.5), **kwargs)


async def test_a_confident_edge_answers_and_the_cloud_is_never_asked(question):
    gateway = cascade(SURE)
    outcome = await gateway.answer(Ask(question))
    assert (outcome.answer, outcome.route, outcome.reason, outcome.degraded) == ("A", Route.EDGE, Reason.CONFIDENT, False)
    assert outcome.cloud is None
    assert outcome.cloud_s is None
    assert gateway.cloud.deadlines == []


async def test_an_unsure_edge_escalates(question):
    outcome = await cascade().answer(Ask(question))
    assert (outcome.answer, outcome.route, outcome.reason, outcome.degraded) == ("C", Route.CLOUD, Reason.LOW_CONFIDENCE, False)
    assert outcome.edge.verdict is UNSURE


@pytest.mark.parametrize("error", kinds_of(CloudError))
async def test_every_cloud_failure_degrades_to_the_edge_answer_with_its_reason(question, error):
    failure = error("x")
    outcome = await cascade(cloud=failure).answer(Ask(question))
    assert (outcome.answer, outcome.route, outcome.degraded) == ("A", Route.EDGE, True)
    assert outcome.failure is failure
    assert outcome.reason == error.code
    assert (outcome.decision.route, outcome.decision.reason) == (Route.CLOUD, Reason.LOW_CONFIDENCE)


@pytest.mark.parametrize(
    "bug", [UnicodeEncodeError("ascii", "…", 0, 1, "x"), OverflowError(), KeyError("x"), RecursionError(), MemoryError()]
)
async def test_a_bug_on_the_clouds_side_is_no_500(question, bug, caplog):
    class Buggy(FakeCloud):
        async def answer(self, question, deadline, allowance=()):
            raise bug

    gateway = Cascade(FakeEdge(UNSURE), Buggy("C"), Policy(0.5))
    outcome = await gateway.answer(Ask(question))
    assert (outcome.answer, outcome.reason, outcome.degraded) == ("A", CloudUnavailable.code, True)
    assert "a bug" in caplog.text


async def test_on_cloud_failure_error_passes_the_failure_on(question):
    with pytest.raises(CloudTimeout):
        await cascade(cloud=CloudTimeout("x"), on_cloud_failure=OnCloudFailure.ERROR).answer(Ask(question))


async def test_without_a_cloud_the_edge_answers_everything(question):
    for mode in OnCloudFailure:
        outcome = await cascade(cloud=None, on_cloud_failure=mode).answer(Ask(question))
        assert (outcome.route, outcome.reason, outcome.degraded) == (Route.EDGE, CloudNotConfigured.code, True)
        assert (await cascade(SURE, cloud=None).answer(Ask(question))).degraded is False


async def test_forced_routes(question):
    outcome = await cascade(SURE).answer(Ask(question, route=RouteRequest.CLOUD))
    assert (outcome.route, outcome.reason) == (Route.CLOUD, Reason.FORCED)
    outcome = await cascade(UNSURE).answer(Ask(question, route=RouteRequest.EDGE))
    assert (outcome.route, outcome.reason, outcome.degraded) == (Route.EDGE, Reason.FORCED, False)


async def test_a_failed_edge_goes_to_the_cloud(question):
    outcome = await cascade(EdgeError("x")).answer(Ask(question))
    assert (outcome.answer, outcome.route, outcome.reason, outcome.edge) == ("C", Route.CLOUD, Reason.EDGE_FAILED, None)


async def test_a_failed_edge_without_help_is_an_error(question):
    with pytest.raises(EdgeError):
        await cascade(EdgeError("x"), cloud=None).answer(Ask(question))
    with pytest.raises(EdgeError):
        await cascade(EdgeError("x")).answer(Ask(question, route=RouteRequest.EDGE))
    with pytest.raises(CloudTimeout):
        await cascade(EdgeError("x"), cloud=CloudTimeout("y")).answer(Ask(question))


async def test_an_overloaded_edge_is_not_a_reason_to_flood_the_cloud(question):
    gateway = cascade(Overloaded("full"))
    with pytest.raises(Overloaded):
        await gateway.answer(Ask(question))
    assert gateway.cloud.deadlines == []


class Never:
    async def verdict(self, question, deadline):
        await asyncio.Event().wait()

    async def answer(self, question, deadline, allowance):
        await asyncio.Event().wait()


async def test_a_hanging_edge_ends_at_the_deadline(question):
    with pytest.raises(DeadlineExceeded):
        await Cascade(Never(), None, Policy(), deadline_s=0.05).answer(Ask(question))


async def test_a_hanging_cloud_leaves_time_for_the_degraded_answer(question):
    outcome = await Cascade(FakeEdge(UNSURE), Never(), Policy(), deadline_s=0.2).answer(Ask(question))
    assert (outcome.reason, outcome.degraded) == (CloudTimeout.code, True)


async def test_the_cloud_gets_the_deadline_less_the_reserve_and_the_caller_may_only_shorten_it(question):
    gateway = cascade(deadline_s=10)
    # A deadline lies between what it would be if it began before and if it began after the question was answered.
    for asked_s, given_s in ((None, 10), (5, 5), (60, 10)):
        earliest = Deadline.after(given_s - REPLY_RESERVE_S).at
        await gateway.answer(Ask(question, deadline_s=asked_s))
        assert earliest <= gateway.cloud.deadlines[-1].at <= Deadline.after(given_s - REPLY_RESERVE_S).at


async def test_the_reserve_is_a_tenth_of_a_short_deadline_and_nothing_without_an_edge_answer(question):
    earliest = Deadline.after(0.9 * 0.5).at
    gateway = cascade(deadline_s=0.5)
    await gateway.answer(Ask(question))
    assert earliest <= gateway.cloud.deadlines[-1].at <= Deadline.after(0.5).at
    earliest = Deadline.after(10).at
    alone = cascade(EdgeError("x"), deadline_s=10)
    await alone.answer(Ask(question))
    assert alone.cloud.deadlines[-1].at >= earliest, "there is no degraded answer to be sent in time"


@pytest.mark.parametrize(
    "verdict",
    [make_verdict(1.0, options=3), OptionsVerdict((0.5, 0.5)), OptionsVerdict((float("nan"),) * 4), TextVerdict("E"), TextVerdict("")],
)
async def test_a_verdict_that_does_not_belong_to_its_question_is_a_failure_of_the_edge(question, verdict, caplog):
    outcome = await cascade(verdict).answer(Ask(question))
    assert (outcome.answer, outcome.route, outcome.reason, outcome.edge) == ("C", Route.CLOUD, Reason.EDGE_FAILED, None)
    assert "does not belong to its question" in caplog.text
    for gateway, route in ((cascade(verdict, cloud=None), RouteRequest.AUTO), (cascade(verdict), RouteRequest.EDGE)):
        with pytest.raises(EdgeError):
            await gateway.answer(Ask(question, route=route))


class Odd(FakeEdge):
    """An edge that somebody else wrote: `says` makes its reply or raises."""

    def __init__(self, says):
        super().__init__(UNSURE)
        self.says = says

    async def verdict(self, question, deadline):
        return await self.says(deadline)


def raising(error):
    async def says(_):
        raise error

    return says


async def gives_nothing(_):
    return None


async def waits_for_a_task_that_it_cancelled(_):
    task = asyncio.create_task(asyncio.sleep(60))
    task.cancel()
    await task


class RefinedError(EdgeError):
    """A failure that an edge names more precisely."""


ODDITIES = [raising(KeyError("x")), raising(TimeoutError()), raising(ConnectionResetError()), raising(MemoryError()), gives_nothing]


@pytest.mark.parametrize("says", [*ODDITIES, waits_for_a_task_that_it_cancelled, raising(RefinedError("x"))])
async def test_whatever_an_edge_does_wrong_the_cloud_is_asked_and_without_one_it_is_a_failure_of_the_edge(question, says):
    outcome = await Cascade(Odd(says), FakeCloud("C"), Policy(0.5)).answer(Ask(question))
    assert (outcome.answer, outcome.reason, outcome.edge, outcome.degraded) == ("C", Reason.EDGE_FAILED, None, False)
    with pytest.raises(EdgeError):
        await Cascade(Odd(says), None, Policy(0.5)).answer(Ask(question))


@pytest.mark.parametrize("says", [*ODDITIES, waits_for_a_task_that_it_cancelled])
async def test_what_an_edge_does_wrong_is_logged_as_a_bug(question, says, caplog):
    await Cascade(Odd(says), FakeCloud("C"), Policy(0.5)).answer(Ask(question))
    assert "a bug: the edge could not be asked" in caplog.text


async def test_a_cloud_that_cancels_a_task_of_its_own_is_a_failure_of_the_cloud(question):
    class Buggy(FakeCloud):
        async def answer(self, question, deadline, allowance=()):
            await waits_for_a_task_that_it_cancelled(deadline)

    outcome = await Cascade(FakeEdge(UNSURE), Buggy("C"), Policy(0.5)).answer(Ask(question))
    assert (outcome.answer, outcome.reason) == ("A", CloudUnavailable.code)


@pytest.mark.parametrize("side", ["edge", "cloud"])
async def test_a_caller_who_leaves_is_no_failure_of_either_side(question, side, caplog):
    asked = asyncio.Event()

    async def waits(_):
        asked.set()
        await asyncio.Event().wait()

    class Waiting(FakeCloud):
        async def answer(self, question, deadline, allowance=()):
            await waits(deadline)

    edge = Odd(waits) if side == "edge" else FakeEdge(UNSURE)
    task = asyncio.create_task(Cascade(edge, Waiting("C"), Policy(0.5), deadline_s=60).answer(Ask(question)))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert caplog.text == ""


@pytest.mark.parametrize("odd", [{"tau": float("nan")}, {"tau": -0.1}, {"tau": 1.1}, {"deadline_s": 0}, {"deadline_s": -1.0}])
def test_a_threshold_and_a_deadline_that_mean_nothing_are_refused_whatever_face_they_come_by(question, odd):
    with pytest.raises(InvalidQuestion):
        Ask(question, **odd)

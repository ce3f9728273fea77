"""The use case, to be read first: ask the edge, let the policy decide, ask the cloud where it decides so, fall back.

One deadline covers all of it. Routing (a decision) and fallback (a failure) are kept apart: an outcome has its decision, which
stays as it was taken, and its failure, which tells why the cloud gave no answer.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from app.core.ask import Ask, Bound
from app.core.deadline import Deadline
from app.core.edge import Edge
from app.core.errors import CloudError, CloudNotConfigured, CloudTimeout, CloudUnavailable, DeadlineExceeded, EdgeError, FogGateError
from app.core.outcome import CloudReply, Decision, Outcome, Reason, Route, RouteRequest
from app.core.permutation import Permutation, RereadVerdict, aligned, in_order, mean_of, orders
from app.core.policy import Policy
from app.core.question import Question
from app.core.verdict import EdgeReply

logger = logging.getLogger("foggate.cloud")

# Reserved at the end of the deadline, so that a degraded answer is still sent in time.
REPLY_RESERVE_S = 0.1


class OnCloudFailure(StrEnum):
    """What a low-confidence question gets when the cloud fails."""

    EDGE = "edge"
    ERROR = "error"


class Cloud(Protocol):
    """The large model. Answers before the deadline or raises a CloudError.

    `allowance` bounds the caller's own calls, each of which is counted at the moment when it goes out.
    """

    async def answer(self, question: Question, deadline: Deadline, allowance: Sequence[Bound] = ()) -> CloudReply: ...


class Budget(Protocol):
    """What bounds the threshold: None, or the highest threshold at this moment."""

    async def max_tau(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Begun:
    """A question whose time is running.

    Attributes:
        ask: what is asked.
        started: when it began, on the monotonic clock (seconds).
        deadline: when its caller stops waiting.
    """

    ask: Ask
    started: float
    deadline: Deadline


@dataclass(frozen=True, slots=True)
class Cascade:
    """One way of answering: an edge, a policy and, where one is configured, a cloud.

    Attributes:
        edge: the small model.
        cloud: the large model; None where none is configured.
        policy: decides which of the two answers.
        on_cloud_failure: what a question gets when the cloud fails.
        deadline_s: seconds that a question gets at most; its caller may ask for fewer.
        budget: lowers the threshold while the cloud's budget is spent.
    """

    edge: Edge
    cloud: Cloud | None
    policy: Policy
    on_cloud_failure: OnCloudFailure = OnCloudFailure.EDGE
    deadline_s: float = 10.0
    budget: Budget | None = None

    async def answer(self, ask: Ask) -> Outcome:
        """Answer one question.

        Raises:
            DeadlineExceeded: no answer in time, not even the edge's.
            EdgeError: the edge failed and there is no cloud to ask.
            CloudError: the cloud failed and there is no edge answer, or `on_cloud_failure` is `error`.
            FogGateError: whatever the edge refuses the question with.
        """
        begun = self.begin(ask)
        reply: EdgeReply | EdgeError
        try:
            async with asyncio.timeout(begun.deadline.remaining()):
                reply = await self._ask_edge(ask.question, begun.deadline)
        except TimeoutError:
            raise DeadlineExceeded("no answer within the deadline") from None
        except EdgeError as error:
            reply = error
        return await self.go_on(begun, reply)

    def begin(self, ask: Ask) -> Begun:
        """Let the question's time run."""
        granted_s = self.deadline_s if ask.deadline_s is None else min(self.deadline_s, ask.deadline_s)
        started = time.monotonic()
        return Begun(ask, started, Deadline(started + granted_s))

    def settled(self, begun: Begun, reply: EdgeReply) -> Outcome | None:
        """The outcome, if the edge model's answer is kept and nothing has to be waited for; None where the question has to `go_on`.

        Args:
            begun: the question.
            reply: the edge's `checked` reply.
        """
        if self.budget is not None:
            return None
        reply = replace(reply, verdict=self.policy.read(reply.verdict))
        decision = self._routed(begun.ask, reply, None)
        return None if decision.route is Route.CLOUD else _outcome(begun, reply, decision)

    async def go_on(self, begun: Begun, reply: EdgeReply | EdgeError) -> Outcome:
        """Answer a question that the edge was asked.

        Args:
            begun: the question. The edge is asked even when the cloud is forced: its answer is the fallback.
            reply: the edge's `checked` reply, or how it failed.

        Raises:
            EdgeError: the edge failed and there is no cloud to ask.
            CloudError: as in `answer`.
        """
        edge, decision = await self._decide(begun, reply)
        if decision.route is Route.EDGE:
            return _outcome(begun, edge, decision)
        asked = time.monotonic()
        cloud, failure = await self._ask_cloud(begun.ask, begun.deadline, has_fallback=edge is not None)
        cloud_s = time.monotonic() - asked if self.cloud else None
        return _outcome(begun, edge, decision, failure=failure, cloud=cloud, cloud_s=cloud_s)

    async def _decide(self, begun: Begun, reply: EdgeReply | EdgeError) -> tuple[EdgeReply | None, Decision]:
        """The edge's reply, if there is one, and the policy's decision. Raises EdgeError."""
        ask = begun.ask
        if isinstance(reply, EdgeError):
            if self.cloud is None or ask.route is RouteRequest.EDGE:
                raise reply
            tau = self.policy.tau_for(ask.question.domain, ask.tau)
            return None, Decision(Route.CLOUD, Reason.EDGE_FAILED, tau, self.policy.signal)
        reply = replace(reply, verdict=self.policy.read(reply.verdict))
        max_tau = await self.budget.max_tau() if self.budget else None
        decision = self._routed(ask, reply, max_tau)
        if (rule := self.policy.rereads(reply.verdict, decision)) is not None:
            reply = await self._reread(ask, reply, rule, begun.deadline)
            decision = self._routed(ask, reply, max_tau)
        return reply, decision

    def _routed(self, ask: Ask, reply: EdgeReply, max_tau: float | None) -> Decision:
        return self.policy.decide(reply.verdict, domain=ask.question.domain, tau=ask.tau, route=ask.route, max_tau=max_tau)

    async def _reread(self, ask: Ask, reply: EdgeReply, rule: Permutation, deadline: Deadline) -> EdgeReply:
        """The reply with what other orders of the options show; unchanged where the edge does not give that in time: the cloud is asked."""
        shuffled = orders(len(ask.question.options), rule.reads)[1:]
        # The cloud needs time too. The question has its place already, so it does not wait behind others as one of a batch.
        ends = Deadline.after(deadline.remaining() / 2)
        questions = [in_order(ask.question, order) for order in shuffled]
        try:
            async with asyncio.timeout(ends.remaining()), asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._ask_edge(question, ends)) for question in questions]
        except (TimeoutError, ExceptionGroup):
            return reply
        # Each read is corrected by the letter prior as it was presented, before its options are put back in order.
        others = [aligned(self.policy.read(task.result().verdict), order) for task, order in zip(tasks, shuffled, strict=True)]
        mean = mean_of([reply.verdict, *(other for other in others if other is not None)]) if None not in others else None
        return reply if mean is None else replace(reply, verdict=RereadVerdict(reply.verdict, self.policy.read(mean), rule))

    async def _ask_edge(self, question: Question, deadline: Deadline) -> EdgeReply:
        """The edge's checked reply; whatever an edge does wrong is a failure of the edge."""
        try:
            return checked(await self.edge.verdict(question, deadline), question)
        except FogGateError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            if is_callers(error):
                raise
            raise edge_bug(error) from None

    async def _ask_cloud(self, ask: Ask, deadline: Deadline, *, has_fallback: bool) -> tuple[CloudReply | None, CloudError | None]:
        """The cloud's reply, or why there is none; raises when that leaves nothing to serve."""
        if self.cloud is None:
            return None, CloudNotConfigured("no cloud is configured")
        # A tenth of a short deadline is enough of a reserve: a caller who allows 200 ms still gets a cloud attempt.
        ends = deadline.earlier(min(REPLY_RESERVE_S, deadline.remaining() / 10)) if has_fallback else deadline
        try:
            async with asyncio.timeout(ends.remaining()):
                return await self.cloud.answer(ask.question, ends, ask.allowance), None
        except TimeoutError:
            failure: CloudError = CloudTimeout("the cloud did not answer within the deadline")
        except CloudError as failed:
            failure = failed
        except (Exception, asyncio.CancelledError) as error:
            # Whatever the cloud's side does wrong, there is an edge answer.
            if is_callers(error):
                raise
            logger.exception("a bug: the cloud could not be asked")
            failure = CloudUnavailable("the cloud could not be asked")
        if not has_fallback or self.on_cloud_failure is OnCloudFailure.ERROR:
            raise failure
        return None, failure


def _outcome(
    begun: Begun,
    edge: EdgeReply | None,
    decision: Decision,
    *,
    failure: CloudError | None = None,
    cloud: CloudReply | None = None,
    cloud_s: float | None = None,
) -> Outcome:
    return Outcome(begun.ask.question, decision, failure, edge, cloud, cloud_s, time.monotonic() - begun.started)


def checked(reply: EdgeReply, question: Question) -> EdgeReply:
    """A reply of an edge to a question. Whatever edge it is, an answer is one of the offered letters and a signal a probability.

    Raises:
        EdgeError: the verdict does not belong to its question.
    """
    if reply.verdict.is_sound(len(question.options)):
        return reply
    logger.error("a bug: the verdict of the edge does not belong to its question")
    raise EdgeError("the edge model failed on this question", retry_after_s=1)


def edge_bug(error: BaseException) -> EdgeError:
    """What becomes of an exception that no edge may raise: it is logged, and there may be a cloud."""
    logger.error("a bug: the edge could not be asked", exc_info=error)
    return EdgeError("the edge model failed on this question", retry_after_s=1)


def is_callers(error: BaseException) -> bool:
    """Whether this is the caller's leaving. A side that cancels a task of its own and waits for it raises the same error by mistake."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0

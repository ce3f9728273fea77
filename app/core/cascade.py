"""The use case, to be read first: ask the edge, let the policy decide, maybe ask the cloud, fall back.

One deadline covers all of it. Routing (a decision) and fallback (a failure) are kept apart: a decision ends in the
reasons confident / low_confidence / no_signal / forced / edge_failed, a failure in `degraded: true` with the failure's reason.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from app.core.ask import Bound
from app.core.deadline import Deadline
from app.core.edge import Edge
from app.core.errors import (
    BudgetExhausted,
    CircuitOpen,
    CloudError,
    CloudMisconfigured,
    CloudRejected,
    CloudTimeout,
    CloudUnavailable,
    CloudUnparsable,
    DeadlineExceeded,
    EdgeError,
)
from app.core.outcome import CloudReply, Decision, Outcome, Reason, Route, RouteRequest
from app.core.policy import Policy
from app.core.question import Question
from app.core.verdict import EdgeReply

logger = logging.getLogger("foggate.cloud")

# Kept back from the cloud's share of the deadline, so that a degraded answer still leaves in time.
REPLY_RESERVE_S = 0.1

DEGRADED_REASONS: dict[type[CloudError], Reason] = {
    CloudTimeout: Reason.CLOUD_TIMEOUT,
    CloudUnavailable: Reason.CLOUD_UNAVAILABLE,
    CloudRejected: Reason.CLOUD_REJECTED,
    CloudMisconfigured: Reason.CLOUD_MISCONFIGURED,
    CloudUnparsable: Reason.CLOUD_UNPARSABLE,
    CircuitOpen: Reason.CIRCUIT_OPEN,
    BudgetExhausted: Reason.BUDGET_EXHAUSTED,
}


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
    """What bounds the cut: None, or the cut at most at this moment."""

    async def max_tau(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Cascade:
    """The gateway without its network side.

    Attributes:
        deadline_s: what a request gets at most; it may ask for less.
        budget: lowers the cut while the cloud's budget is spent.
    """

    edge: Edge
    cloud: Cloud | None
    policy: Policy
    on_cloud_failure: OnCloudFailure = OnCloudFailure.EDGE
    deadline_s: float = 10.0
    budget: Budget | None = None

    async def answer(
        self,
        question: Question,
        *,
        tau: float | None = None,
        route: RouteRequest = RouteRequest.AUTO,
        deadline_s: float | None = None,
        allowance: Sequence[Bound] = (),
        yields: bool = False,
    ) -> Outcome:
        """Answer one question.

        Args:
            question: what is asked.
            tau: the caller's own cut.
            route: the side that the caller wants.
            deadline_s: may shorten the gateway's deadline.
            allowance: bounds on the caller's own cloud calls; where one is reached, the caller gets no cloud call.
            yields: whether other questions go first at the edge; see `Edge`.

        Raises:
            DeadlineExceeded: no answer in time, not even the edge's.
            EdgeError: the edge failed and there is no cloud to ask.
            CloudError: the cloud failed and there is no edge answer, or `on_cloud_failure` is `error`.
            FogGateError: whatever the edge refuses the question with.
        """
        started = time.monotonic()
        deadline = Deadline.after(min(self.deadline_s, deadline_s or self.deadline_s))
        reply, decision = await self._decide(question, tau, route, deadline, yields=yields)
        cloud_reply, cloud_s, failure = None, None, None
        if decision.route is Route.CLOUD:
            asked = time.monotonic()
            cloud_reply, failure = await self._ask_cloud(question, deadline, allowance, has_fallback=reply is not None)
            cloud_s = time.monotonic() - asked if self.cloud else None
        if cloud_reply is not None:
            answer, served = cloud_reply.answer, Route.CLOUD
        else:
            assert reply is not None  # noqa: S101  # for mypy: without an edge answer a failure was raised above
            answer, served = reply.verdict.answer(self.policy.signal), Route.EDGE
        return Outcome(
            question=question,
            answer=answer,
            route=served,
            reason=failure or decision.reason,
            degraded=failure is not None,
            tau=decision.tau,
            signal=decision.signal,
            edge=reply,
            cloud=cloud_reply,
            cloud_s=cloud_s,
            total_s=time.monotonic() - started,
        )

    async def _decide(
        self, question: Question, tau: float | None, route: RouteRequest, deadline: Deadline, *, yields: bool
    ) -> tuple[EdgeReply | None, Decision]:
        """The edge's say and the policy's. The edge is asked even when the cloud is forced: it is the fallback."""
        try:
            async with asyncio.timeout(deadline.remaining()):
                reply = await self._ask_edge(question, deadline, yields=yields)
        except TimeoutError:
            raise DeadlineExceeded("no answer within the deadline") from None
        except EdgeError:
            if self.cloud is None or route is RouteRequest.EDGE:
                raise
            cut = self.policy.tau_for(question.domain, tau)
            return None, Decision(Route.CLOUD, Reason.EDGE_FAILED, cut, self.policy.signal)
        reply = replace(reply, verdict=self.policy.read(reply.verdict))
        max_tau = await self.budget.max_tau() if self.budget else None
        return reply, self.policy.decide(reply.verdict, domain=question.domain, tau=tau, route=route, max_tau=max_tau)

    async def _ask_edge(self, question: Question, deadline: Deadline, *, yields: bool) -> EdgeReply:
        """The edge's reply, checked: whatever edge it is, an answer is one of the offered letters and a signal a probability."""
        reply = await self.edge.verdict(question, deadline, yields=yields)
        if not reply.verdict.is_sound(len(question.options)):
            logger.error("a bug: the verdict of the edge does not belong to its question")
            raise EdgeError("the edge model failed on this question", retry_after_s=1)
        return reply

    async def _ask_cloud(
        self, question: Question, deadline: Deadline, allowance: Sequence[Bound], *, has_fallback: bool
    ) -> tuple[CloudReply | None, Reason | None]:
        """The cloud's reply, or the reason why there is none; raises when that leaves nothing to serve."""
        if self.cloud is None:
            return None, Reason.CLOUD_NOT_CONFIGURED
        # A tenth of a short deadline is enough of a reserve: a caller who allows 200 ms still gets a cloud attempt.
        ends = deadline.earlier(min(REPLY_RESERVE_S, deadline.remaining() / 10)) if has_fallback else deadline
        try:
            async with asyncio.timeout(ends.remaining()):
                return await self.cloud.answer(question, ends, allowance), None
        except TimeoutError:
            error: CloudError = CloudTimeout("the cloud did not answer within the deadline")
        except CloudError as failed:
            error = failed
        except Exception:
            # Whatever the cloud's side does wrong, there is an edge answer.
            logger.exception("a bug: the cloud could not be asked")
            error = CloudUnavailable("the cloud could not be asked")
        if not has_fallback or self.on_cloud_failure is OnCloudFailure.ERROR:
            raise error
        return None, DEGRADED_REASONS[type(error)]

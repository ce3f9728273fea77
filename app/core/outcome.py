"""What becomes of a question: the routing decision, the replies of both sides, and the outcome."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.core.errors import CloudError, kinds_of
from app.core.question import Question
from app.core.verdict import EdgeReply, Signal


class Route(StrEnum):
    """The side that an answer comes from."""

    EDGE = "edge"
    CLOUD = "cloud"


class RouteRequest(StrEnum):
    """What the caller asks for: the policy decides, or one side is forced."""

    AUTO = "auto"
    EDGE = "edge"
    CLOUD = "cloud"


class Reason(StrEnum):
    """Why a question was routed as it was.

    `no_signal` means that the edge gave nothing that could be compared with tau, `not_calibrated` that the calibration is not for
    questions with so many options.
    """

    CONFIDENT = "confident"
    LOW_CONFIDENCE = "low_confidence"
    NO_SIGNAL = "no_signal"
    NOT_CALIBRATED = "not_calibrated"
    FORCED = "forced"
    EDGE_FAILED = "edge_failed"


# Every `Outcome.reason`: those of the routing, then the codes of the cloud's failures.
REASONS: tuple[str, ...] = (*(reason.value for reason in Reason), *(kind.code for kind in kinds_of(CloudError)))


@dataclass(frozen=True, slots=True)
class Decision:
    """The routing of one question: keep the edge answer or ask the cloud.

    Attributes:
        route: the side that is to answer.
        reason: why.
        tau: the threshold that applied.
        signal: the kind of number that was compared with it.
    """

    route: Route
    reason: Reason
    tau: float
    signal: Signal


@dataclass(frozen=True, slots=True)
class CloudReply:
    """A cloud answer: an offered letter, what it took, and the tokens the endpoint counted (by its own names).

    `answer_probabilities` is P(letter) over offered letters where the endpoint gave log-probabilities, else None. `cost` is what its
    call cost, failed attempts included, in the currency of the prices; None without prices.
    """

    answer: str
    model: str
    attempts: int
    usage: Mapping[str, int]
    answer_probabilities: Mapping[str, float] | None = None
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answered question: everything that the body, the headers, the metrics and the log line are made of.

    Attributes:
        question: the question that was answered.
        decision: how it was routed; stays what it is when the cloud fails.
        failure: why the cloud gave no answer although the decision wanted one; None unless the answer is degraded.
        edge: the edge's reply; None where the edge failed.
        cloud: the cloud's reply; None unless the cloud answered. There is always one of the two replies.
        cloud_s: seconds that the cloud was waited for; None where it was not asked.
        total_s: seconds from the beginning to the outcome.
    """

    question: Question
    decision: Decision
    failure: CloudError | None
    edge: EdgeReply | None
    cloud: CloudReply | None
    cloud_s: float | None
    total_s: float

    @property
    def route(self) -> Route:
        """The side that the answer comes from."""
        return Route.EDGE if self.cloud is None else Route.CLOUD

    @property
    def answer(self) -> str:
        """The letter that is served."""
        if self.cloud is not None:
            return self.cloud.answer
        assert self.edge is not None  # noqa: S101  # there is always one of the two replies
        return self.edge.verdict.answer(self.decision.signal)

    @property
    def degraded(self) -> bool:
        """Whether the edge answer is served because the cloud failed."""
        return self.failure is not None

    @property
    def reason(self) -> str:
        """One of `REASONS`: the failure's code where the answer is degraded, else the decision's reason."""
        return self.decision.reason.value if self.failure is None else self.failure.code

    @property
    def cost(self) -> float | None:
        """What the cloud cost for this answer, in the currency of the prices; None where it was not asked, or without prices."""
        asked = self.cloud or self.failure
        return None if asked is None else asked.cost

    @property
    def model(self) -> str:
        """Name of the model that answered."""
        if self.cloud is not None:
            return self.cloud.model
        assert self.edge is not None  # noqa: S101  # there is always one of the two replies
        return self.edge.model

    def routing(self) -> dict[str, Any]:
        """How the question was routed, in the names that replies and explanations have for it."""
        return {
            "route": self.route.value,
            "reason": self.reason,
            "degraded": self.degraded,
            "tau": self.decision.tau,
            "signal": self.decision.signal.value,
            "signal_value": self.signal,
        }

    @property
    def signal(self) -> float | None:
        """The number that was compared with tau; None where the edge failed, its verdict has no such signal, or the calibration is not for the question."""
        if self.edge is None or self.decision.reason is Reason.NOT_CALIBRATED:
            return None
        return self.edge.verdict.signal(self.decision.signal)

"""What becomes of a question: the decision, the replies of both sides, and the outcome."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.core.question import Question
from app.core.verdict import EdgeReply, Signal


class Route(StrEnum):
    """Where an answer came from."""

    EDGE = "edge"
    CLOUD = "cloud"


class RouteRequest(StrEnum):
    """What the caller asks for: let the policy decide, or force one side."""

    AUTO = "auto"
    EDGE = "edge"
    CLOUD = "cloud"


class Reason(StrEnum):
    """Why an answer came from where it came from.

    The first five are routing decisions; `no_signal` means that the edge gave nothing that could be compared with tau. The rest are
    set on degraded answers only (the cloud was wanted but not had).
    """

    CONFIDENT = "confident"
    LOW_CONFIDENCE = "low_confidence"
    NO_SIGNAL = "no_signal"
    FORCED = "forced"
    EDGE_FAILED = "edge_failed"
    CLOUD_NOT_CONFIGURED = "cloud_not_configured"
    CLOUD_TIMEOUT = "cloud_timeout"
    CLOUD_UNAVAILABLE = "cloud_unavailable"
    CLOUD_REJECTED = "cloud_rejected"
    CLOUD_MISCONFIGURED = "cloud_misconfigured"
    CLOUD_UNPARSABLE = "cloud_unparsable"
    CIRCUIT_OPEN = "circuit_open"
    BUDGET_EXHAUSTED = "budget_exhausted"


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy says: keep the edge answer or ask the cloud, and why."""

    route: Route
    reason: Reason
    tau: float
    signal: Signal


@dataclass(frozen=True, slots=True)
class CloudReply:
    """A cloud answer: an offered letter, what it took, and the tokens the endpoint counted (by its own names).

    `answer_probabilities` is P(letter) over offered letters where the endpoint gave log-probabilities, else None.
    """

    answer: str
    model: str
    attempts: int
    usage: Mapping[str, int]
    answer_probabilities: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answered question: everything that the body, the headers, the metrics and the log line are made of.

    `edge` is None only when the edge failed; `cloud` is None unless the cloud answered. Times in seconds.
    """

    question: Question
    answer: str
    route: Route
    reason: Reason
    degraded: bool
    tau: float
    signal: Signal
    edge: EdgeReply | None
    cloud: CloudReply | None
    cloud_s: float | None
    total_s: float

    @property
    def signal_value(self) -> float | None:
        """The number that was compared with tau; None where the edge failed or its verdict has no such signal."""
        return self.edge.verdict.signal(self.signal) if self.edge is not None else None

"""What the routes see of the running gateway. Filled and changed by the composition root."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.access.keys import KeyRing
from app.core.cascade import Cascade
from app.core.edge import EdgeHealth
from app.core.round_robin import RoundRobin
from app.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Limits:
    """What a body may hold."""

    max_body_bytes: int
    max_text_chars: int
    max_questions: int
    batch_concurrency: int
    batch_deadline_ms: int
    body_timeout_s: float


async def _nothing() -> None:
    """Nothing is known yet."""


@dataclass(slots=True)
class Access:
    """Who may ask; changes when the configuration is reloaded.

    Attributes:
        ring: the accepted keys; None where none are configured.
        public: paths that need no key.
        hosts: host names that requests may name, without ports, in lower case; None allows all.
    """

    ring: KeyRing | None
    public: frozenset[str]
    hosts: frozenset[str] | None

    def take(self, other: "Access") -> None:
        """Become like another one, in one step."""
        self.ring, self.public, self.hosts = other.ring, other.public, other.hosts


@dataclass(slots=True)
class GatewayState:
    """The gateway as it is at this moment.

    Attributes:
        cascade: None until the model has answered its warm-up batch.
        health: state of the edge at this moment, in one word.
        trace_question_text: whether spans hold the questions.
        edge_model: name of the edge model, once loaded.
        draining: a shutdown was asked for; new work is still taken.
        stopping: the listener is closed; what has not begun gets an error of its own.
        turns: where questions of batches wait for a place at the edge.
        calibration: what `/v1/models` says of it; None without one.
        cloud_endpoints: what `/v1/models` says of the cloud's endpoints.
        before_scrape: brings metrics up to date that change by themselves.
    """

    metrics: Metrics
    limits: Limits
    cloud_model: str | None
    trace_question_text: bool
    access: Access
    turns: RoundRobin = field(default_factory=RoundRobin)
    calibration: Mapping[str, Any] | None = None
    cascade: Cascade | None = None
    health: Callable[[], EdgeHealth] = lambda: EdgeHealth.ALIVE
    cloud_endpoints: Callable[[], list[dict[str, Any]]] = list
    before_scrape: Callable[[], Awaitable[None]] = _nothing
    edge_model: str | None = None
    draining: bool = False
    stopping: bool = False

    @property
    def status(self) -> str:
        """`ready`, `loading`, `draining`, or what is wrong with the edge: `stalled`, `failing` or `dead`."""
        if self.draining:
            return "draining"
        health = self.health()
        if health is not EdgeHealth.ALIVE:
            return health.value
        return "ready" if self.cascade else "loading"

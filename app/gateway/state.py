"""The gateway as its users see it: filled when the model has been loaded, changed by a reload and by a shutdown."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from app.core.cascade import Cascade
from app.core.edge import Edge, EdgeHealth
from app.core.round_robin import RoundRobin
from app.data.curve import Curve
from app.gateway.passing import Passing
from app.gateway.routing import Routing, cloud_model_of
from app.telemetry.metrics import Metrics

log = structlog.get_logger("foggate")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a caller may send, and how long a batch may take.

    Attributes:
        max_text_chars: characters of a question with its options.
        max_questions: questions of a batch.
        batch_concurrency: questions of one batch that wait for the cloud at a time.
        batch_deadline_s: seconds until what a batch has not begun is refused.
    """

    max_text_chars: int
    max_questions: int
    batch_concurrency: int
    batch_deadline_s: float


async def _nothing() -> None:
    """Nothing has to be refreshed."""


@dataclass(slots=True)
class GatewayState:
    """The gateway as it is at this moment.

    Attributes:
        metrics: the gateway's instruments.
        limits: what a caller may send.
        cloud_model: name of the cloud model; None where no cloud is configured.
        turns: where batches wait for places at the edge.
        calibration: description of the calibration that routes; None without one.
        curve: what other thresholds would achieve, by that calibration; None where it does not say.
        warning: says that the threshold is not calibrated; None where that needs no warning.
        cascade: None until the model has answered its warm-up batch.
        passing: passes chats on that are no question; None where that is not to be, or no model is loaded yet.
        health: state of the edge at this moment, in one word.
        edge_model: name of the edge model, once loaded.
        draining: a shutdown was asked for; new work is still taken.
        stopping: no new work is taken; questions of batches that have not begun get errors.
        cloud_endpoints: descriptions of the cloud's endpoints.
        refresh_metrics: brings metrics up to date that change by themselves.
    """

    metrics: Metrics
    limits: Limits
    cloud_model: str | None = None
    turns: RoundRobin = field(default_factory=RoundRobin)
    calibration: Mapping[str, Any] | None = None
    curve: Curve | None = None
    warning: str | None = None
    cascade: Cascade | None = None
    passing: Passing | None = None
    health: Callable[[], EdgeHealth] = lambda: EdgeHealth.ALIVE
    cloud_endpoints: Callable[[], list[dict[str, Any]]] = list
    refresh_metrics: Callable[[], Awaitable[None]] = _nothing
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

    def route_by(self, routing: Routing) -> None:
        """Let questions be answered by a routing: the first one, or another one after a reload."""
        self.cloud_model = cloud_model_of(routing.settings)
        self.calibration = routing.describe_calibration()
        self.curve = routing.calibration.curve if routing.calibration else None
        self.warning = routing.warning
        self.cascade = routing.cascade
        self.passing = routing.passing

    def watch(self, edge: Edge) -> None:
        """Let probes see the health of an edge; one whose health cannot be told is failing."""

        def health() -> EdgeHealth:
            try:
                return EdgeHealth(edge.health())
            except Exception:
                log.exception("a bug: the edge cannot tell its health")
                return EdgeHealth.FAILING

        self.health = health

"""What of a gateway can be exchanged while it runs: the policy, the budget and the cloud. The edge model stays what it is."""

import asyncio
from dataclasses import dataclass, field

import structlog

from app.build import build_budget, build_shared_cloud
from app.calibration import Calibration
from app.cascade import Cascade, OnCloudFailure
from app.cloud.budget import Budget
from app.cloud.shared import SharedCloud
from app.counts import Counts
from app.edge.batcher import Batcher
from app.metrics import Metrics
from app.policies import build_policy, calibration_of
from app.policy import Policy
from app.settings import Settings

log = structlog.get_logger("foggate")

# Beyond the longest that a question may take; then nobody asks a cloud that was exchanged.
_RETIRE_S = 1.0


@dataclass(slots=True)
class Taus:
    """The thresholds in force as the metrics show them: those of the policy, lowered while the cloud's budget is spent.

    Attributes:
        lowered: the threshold at most while the budget is spent; None leaves it alone.
    """

    metrics: Metrics
    lowered: float | None
    policy: Policy | None = None
    spent: bool = False

    def on_budget(self, spent: bool) -> None:
        """Told by the budget when it is spent, and when it is there again."""
        self.spent = spent
        log.warning("the cloud budget is spent" if spent else "there is cloud budget again", tau_at_most=self.lowered if spent else None)
        self.show()

    def show(self) -> None:
        """Publish them."""
        if self.policy is not None:
            self.metrics.show_taus(self.policy.tau, self.policy.domains, at_most=self.lowered if self.spent else None)


@dataclass(frozen=True, slots=True)
class Routing:
    """One configuration's way of answering."""

    settings: Settings
    calibration: Calibration | None
    budget: Budget | None
    cloud: SharedCloud | None
    policy: Policy
    cascade: Cascade
    taus: Taus


def build_routing(
    settings: Settings, named: Calibration | None, batcher: Batcher, metrics: Metrics, counts: Counts, *, like: Routing | None = None
) -> Routing:
    """Build it for a loaded edge model.

    Args:
        settings: what to build.
        named: the calibration that the settings name.
        batcher: the edge.
        metrics: where the parts count.
        counts: where the budget and the keys' cloud calls are counted.
        like: the routing in force; its cloud is kept where nothing of it changed, with its breakers and its cached answers.

    Raises:
        ConfigError: the calibration is not for this edge model, or the budget needs prices.
    """
    calibration = calibration_of(settings, named, edge_model=batcher.model, fingerprint=batcher.fingerprint)
    policy = build_policy(settings, calibration)
    if like is not None and _cloud_settings(like.settings) == _cloud_settings(settings):
        taus, budget, cloud = like.taus, like.budget, like.cloud
    else:
        taus = Taus(metrics, settings.cloud.budget.lowered_tau)
        budget = build_budget(settings, counts, on_change=taus.on_budget)
        cloud = build_shared_cloud(settings, metrics, budget, counts)
    cascade = Cascade(batcher, cloud, policy, OnCloudFailure(settings.policy.on_cloud_failure), settings.deadline_ms / 1000, budget)
    return Routing(settings, calibration, budget, cloud, policy, cascade, taus)


def _cloud_settings(settings: Settings) -> tuple[object, ...]:
    return settings.cloud, settings.prices, settings.deadline_ms


@dataclass(slots=True)
class Opened:
    """A warmed-up edge with the routing in force.

    Attributes:
        batcher: the queue of the edge.
        routing: changes by `exchange`.
    """

    batcher: Batcher
    metrics: Metrics
    counts: Counts
    routing: Routing
    _retired: set[SharedCloud] = field(default_factory=set)
    _closing: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def cascade(self) -> Cascade:
        """The cascade in force."""
        return self.routing.cascade

    @property
    def calibration(self) -> Calibration | None:
        """The calibration that routes, if one does."""
        return self.routing.calibration

    def prepare(self, settings: Settings, named: Calibration | None) -> Routing:
        """What these settings would put in force; nothing changes yet. Raises ConfigError."""
        return build_routing(settings, named, self.batcher, self.metrics, self.counts, like=self.routing)

    def exchange(self, routing: Routing) -> None:
        """Put a prepared routing in force. Questions under way keep the cloud that they began with until they are answered."""
        before, self.routing = self.routing, routing
        routing.taus.policy = routing.policy
        routing.taus.show()
        if before.cloud is not None and before.cloud is not routing.cloud:
            self._retired.add(before.cloud)
            task = asyncio.create_task(self._retire(before.cloud, before.settings.deadline_ms / 1000 + _RETIRE_S))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close the cloud in force, and those that were exchanged."""
        for task in tuple(self._closing):
            task.cancel()
        for cloud in {*self._retired, self.routing.cloud} - {None}:
            assert cloud is not None  # noqa: S101  # for mypy
            await cloud.close()

    async def _retire(self, cloud: SharedCloud, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self._retired.discard(cloud)
        await cloud.close()

"""What of a gateway can be exchanged while it runs: the policy, the budget and the cloud. The edge model stays what it is."""

import asyncio
from dataclasses import dataclass, field

import structlog

from app.build import build_budget, build_cloud, build_shared_cloud, formats_found
from app.calibration import Calibration
from app.cascade import Cascade, OnCloudFailure
from app.cloud.budget import Budget
from app.cloud.client import CloudClient
from app.cloud.shared import SharedCloud
from app.counts import Counts
from app.edge.batcher import Batcher
from app.metrics import Metrics
from app.policies import build_policy, calibration_of, routing_notes
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
class CloudSide:
    """The cloud of one configuration with its budget; without a cloud the budget bounds nothing and the others are None."""

    client: CloudClient | None
    cloud: SharedCloud | None
    budget: Budget
    taus: Taus

    async def close(self) -> None:
        """Close its connections."""
        if self.cloud is not None:
            await self.cloud.close()


def build_cloud_side(settings: Settings, metrics: Metrics, counts: Counts) -> CloudSide:
    """Build it.

    Args:
        settings: what to build.
        metrics: where the parts count.
        counts: where the budget and the keys' cloud calls are counted.

    Raises:
        ConfigError: the budget needs prices, or a proxy cannot be used.
    """
    taus = Taus(metrics, settings.cloud.budget.lowered_tau)
    budget = build_budget(settings, counts, on_change=taus.on_budget) or Budget((), counts)
    client = build_cloud(settings, metrics)
    cloud = build_shared_cloud(settings, client, metrics, budget) if client else None
    return CloudSide(client, cloud, budget, taus)


@dataclass(frozen=True, slots=True)
class Routing:
    """One configuration's way of answering."""

    settings: Settings
    calibration: Calibration | None
    policy: Policy
    side: CloudSide
    cascade: Cascade


def build_routing(settings: Settings, named: Calibration | None, batcher: Batcher, side: CloudSide) -> Routing:
    """Build it for a loaded edge model.

    Args:
        settings: what to build.
        named: the calibration that the settings name.
        batcher: the edge.
        side: the cloud of these settings.

    Raises:
        ConfigError: the calibration is not for this edge model.
    """
    calibration = calibration_of(
        settings, named, edge_model=batcher.model, fingerprint=batcher.fingerprint, prompt_fingerprint=batcher.prompt_fingerprint
    )
    for note in routing_notes(settings, calibration):
        log.warning(note)
    policy = build_policy(settings, calibration)
    on_failure = OnCloudFailure(settings.policy.on_cloud_failure)
    cascade = Cascade(batcher, side.cloud, policy, on_failure, settings.deadline_ms / 1000, side.budget)
    return Routing(settings, calibration, policy, side, cascade)


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
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _asking: asyncio.Task[None] | None = None

    @property
    def cascade(self) -> Cascade:
        """The cascade in force."""
        return self.routing.cascade

    async def prepare(self, settings: Settings, named: Calibration | None) -> Routing:
        """What these settings would put in force; nothing changes yet.

        A cloud of which nothing changed is kept, with its breakers and its cached answers. Raises ConfigError.
        """
        side = self.routing.side
        if _cloud_settings(self.routing.settings) == _cloud_settings(settings):
            return build_routing(settings, named, self.batcher, side)
        side = build_cloud_side(settings, self.metrics, self.counts)
        try:
            return build_routing(settings, named, self.batcher, side)
        except BaseException:
            await side.close()
            raise

    def exchange(self, routing: Routing) -> None:
        """Put a prepared routing in force, and ask its cloud for answer formats, where that is configured.

        Questions under way keep the cloud that they began with until they are answered.
        """
        before, self.routing = self.routing, routing
        taus = routing.side.taus
        taus.policy = routing.policy
        taus.show()
        old = before.side.cloud
        if old is not None and old is not routing.side.cloud:
            self._retired.add(old)
            self._keep(asyncio.create_task(self._retire(old, before.settings.deadline_ms / 1000 + _RETIRE_S)))
        if self._asking is None or before.side is not routing.side:
            if self._asking is not None:
                self._asking.cancel()
            self._asking = asyncio.create_task(self._find_formats(routing))
            self._keep(self._asking)

    async def close(self) -> None:
        """Close the cloud in force, and those that were exchanged."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for cloud in self._retired:
            await cloud.close()
        await self.routing.side.close()

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _find_formats(self, routing: Routing) -> None:
        async with formats_found(routing.settings.cloud, routing.side.client, routing.side.budget):
            await asyncio.Event().wait()

    async def _retire(self, cloud: SharedCloud, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self._retired.discard(cloud)
        await cloud.close()

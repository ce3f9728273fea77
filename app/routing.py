"""What of a gateway can be exchanged while it runs: the policy, the budget and the cloud. The edge model stays what it is."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import structlog

from app.build import ask_formats, build_budget, build_cloud, build_shared_cloud
from app.calibration import Calibration
from app.cascade import Cascade, OnCloudFailure
from app.cloud.budget import Budget
from app.cloud.client import CloudClient
from app.cloud.shared import SharedCloud
from app.counts import Counts
from app.edge.batcher import Batcher
from app.errors import FogGateError
from app.metrics import Metrics
from app.policies import build_policy, calibration_of, in_force, routing_notes
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
    """The cloud of one configuration; `client` and `shared` are None where no endpoint is configured."""

    taus: Taus
    budget: Budget
    client: CloudClient | None
    shared: SharedCloud | None

    async def close(self) -> None:
        """Close the connections."""
        if self.shared is not None:
            await self.shared.close()


@dataclass(frozen=True, slots=True)
class Routing:
    """One configuration's way of answering."""

    settings: Settings
    calibration: Calibration | None
    cloud: CloudSide
    policy: Policy
    cascade: Cascade

    def describe_calibration(self) -> dict[str, Any] | None:
        """What `/v1/models` says of the calibration, if one routes."""
        if self.calibration is None:
            return None
        return self.calibration.summary() | {"in_force": in_force(self.calibration, self.policy)}


def build_cloud_side(settings: Settings, metrics: Metrics, counts: Counts) -> CloudSide:
    """Build it. Raises ConfigError: the budget needs prices, or a proxy cannot be used."""
    taus = Taus(metrics, settings.cloud.budget.lowered_tau)
    budget = build_budget(settings, counts, on_change=taus.on_budget) or Budget((), counts)
    client = build_cloud(settings, metrics)
    return CloudSide(taus, budget, client, build_shared_cloud(settings, client, metrics, budget) if client else None)


def build_routing(settings: Settings, named: Calibration | None, batcher: Batcher, cloud: CloudSide) -> Routing:
    """Build it for a loaded edge model.

    Args:
        settings: what to build.
        named: the calibration that the settings name.
        batcher: the edge.
        cloud: of the same settings.

    Raises:
        ConfigError: the calibration is not for this edge model.
    """
    calibration = calibration_of(
        settings,
        named,
        edge_model=batcher.model,
        fingerprint=batcher.fingerprint,
        prompt_fingerprint=batcher.prompt_fingerprint,
    )
    policy = build_policy(settings, calibration)
    on_failure = OnCloudFailure(settings.policy.on_cloud_failure)
    cascade = Cascade(batcher, cloud.shared, policy, on_failure, settings.deadline_ms / 1000, cloud.budget)
    return Routing(settings, calibration, cloud, policy, cascade)


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
    _retired: list[CloudSide] = field(default_factory=list)
    _closing: set[asyncio.Task[None]] = field(default_factory=set)
    _asking: asyncio.Task[None] | None = None

    @property
    def cascade(self) -> Cascade:
        """The cascade in force."""
        return self.routing.cascade

    @property
    def calibration(self) -> Calibration | None:
        """The calibration that routes, if one does."""
        return self.routing.calibration

    @property
    def client(self) -> CloudClient | None:
        """The cloud's endpoints, if there are any."""
        return self.routing.cloud.client

    @property
    def budget(self) -> Budget:
        """The cloud's budget in force."""
        return self.routing.cloud.budget

    async def prepare(self, settings: Settings, named: Calibration | None) -> Routing:
        """What these settings would put in force; nothing changes yet. The cloud is kept, with its breakers and its cached answers,
        where nothing of it changed. Raises ConfigError.
        """
        same = _cloud_settings(self.routing.settings) == _cloud_settings(settings)
        cloud = self.routing.cloud if same else build_cloud_side(settings, self.metrics, self.counts)
        try:
            return build_routing(settings, named, self.batcher, cloud)
        except FogGateError:
            if not same:
                await cloud.close()
            raise

    def start(self) -> None:
        """Show the routing in force, and ask its cloud what it takes."""
        self._take_effect()
        self._ask_formats()

    def exchange(self, routing: Routing) -> None:
        """Put a prepared routing in force. Questions under way keep the cloud that they began with until they are answered."""
        before, self.routing = self.routing, routing
        self._take_effect()
        if before.cloud is not routing.cloud:
            self._ask_formats()
            self._retired.append(before.cloud)
            task = asyncio.create_task(self._retire(before.cloud, before.settings.deadline_ms / 1000 + _RETIRE_S))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close the cloud in force, and those that were exchanged."""
        tasks = [*self._closing, *([self._asking] if self._asking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for cloud in (*self._retired, self.routing.cloud):
            await cloud.close()

    def _take_effect(self) -> None:
        routing = self.routing
        for note in routing_notes(routing.settings, routing.calibration):
            log.warning(note)
        routing.cloud.taus.policy = routing.policy
        routing.cloud.taus.show()

    def _ask_formats(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
        self._asking = ask_formats(self.routing.settings.cloud, self.client, self.budget)

    async def _retire(self, cloud: CloudSide, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self._retired.remove(cloud)
        await cloud.close()

"""A warmed-up edge with the routing in force: how it is opened, and how its policy, budget and cloud are exchanged while it runs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import structlog

from app.access.quotas import Quotas
from app.cloud.budget import Budget
from app.cloud.build import ask_formats
from app.cloud.client import CloudClient
from app.config.settings import Settings
from app.core.cascade import Cascade
from app.core.edge import Edge
from app.core.errors import FogGateError
from app.core.question import Question
from app.data.calibration import Calibration
from app.edge.build import EdgeBuilder, build_edge
from app.gateway.build import build_cloud_side, build_routing, routing_notes
from app.gateway.routing import CloudSide, Routing
from app.telemetry.metrics import Metrics

log = structlog.get_logger("foggate")

# Added to the longest time that a question may take; after that no question uses a cloud that was exchanged.
_RETIRE_S = 1.0


def _cloud_settings(settings: Settings) -> tuple[object, ...]:
    return settings.cloud, settings.prices, settings.deadline_ms


@dataclass(slots=True)
class RunningCascade:
    """A warmed-up edge with the routing in force.

    Attributes:
        edge: the edge, which stays the same.
        routing: changes by `exchange`.
    """

    edge: Edge
    metrics: Metrics
    quotas: Quotas
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
        """The routing that these settings would put in force; nothing changes yet. The cloud stays, with its breakers and its cached
        answers, where none of its settings changed. Raises ConfigError.
        """
        same = _cloud_settings(self.routing.settings) == _cloud_settings(settings)
        cloud = self.routing.cloud if same else build_cloud_side(settings, self.metrics, self.quotas)
        try:
            return build_routing(settings, named, self.edge, cloud)
        except FogGateError:
            if not same:
                await cloud.close()
            raise

    def start(self) -> None:
        """Show the routing in force, and find out which forms of answer its cloud supports."""
        self._take_effect()
        self._ask_formats()

    def exchange(self, routing: Routing) -> None:
        """Put a prepared routing in force. Questions in flight keep the cloud that they began with until they are answered."""
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
        for note in routing_notes(routing.settings, routing.calibration, self.edge.identity):
            log.warning(note)
        routing.cloud.taus.policy = routing.policy
        routing.cloud.taus.show()

    def _ask_formats(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
        self._asking = ask_formats(self.routing.settings.cloud, self.client, self.budget)

    async def _retire(self, cloud: CloudSide, after_s: float) -> None:
        await asyncio.sleep(after_s)
        # Chats that are passed on may take longer than a question; their own deadline ends them.
        if cloud.client is not None:
            await cloud.client.pool.idle()
        self._retired.remove(cloud)
        await cloud.close()


WARM_UP = Question("Which of these is a number?", ("Seven", "Blue", "Quickly", "Table"))
WARM_UP_S = 60.0


@contextlib.asynccontextmanager
async def open_cascade(
    settings: Settings,
    metrics: Metrics,
    build: EdgeBuilder = build_edge,
    *,
    named: Calibration | None = None,
    quotas: Quotas | None = None,
) -> AsyncIterator[RunningCascade]:
    """A cascade without HTTP; drains and closes behind itself.

    Args:
        settings: what to build.
        metrics: instruments of the parts.
        build: makes the edge.
        named: the calibration that the settings name.
        quotas: where the budget and the keys' cloud calls are counted; by default in this process.

    Raises:
        ConfigError: the edge model cannot be loaded, or the calibration is not for it.
    """
    quotas = quotas or Quotas()
    # Before the model is loaded: a proxy that cannot be used is reported at once.
    cloud = build_cloud_side(settings, metrics, quotas)
    edge: Edge | None = None
    opened: RunningCascade | None = None
    warm = False
    try:
        edge = await build(settings, metrics)
        opened = RunningCascade(edge, metrics, quotas, build_routing(settings, named, edge, cloud))
        await edge.warm_up(WARM_UP, WARM_UP_S)
        warm = True
        opened.start()
        yield opened
    finally:
        if edge is not None:
            # A warm-up that was given up holds no question of a caller.
            await edge.close(wait=warm)
        await (opened.close() if opened is not None else cloud.close())

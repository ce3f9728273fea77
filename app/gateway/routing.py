"""How one configuration answers questions: its policy, its budget and its cloud."""

from dataclasses import dataclass
from typing import Any

import structlog

from app.cloud.budget import Budget
from app.cloud.client import CloudClient
from app.cloud.single_flight import SingleFlightCloud
from app.config.settings import Settings
from app.core.cascade import Cascade
from app.core.policy import Policy
from app.data.calibration import Calibration
from app.gateway.passing import Passing
from app.telemetry.metrics import Metrics

log = structlog.get_logger("foggate")


@dataclass(slots=True)
class Taus:
    """The thresholds in force as the metrics show them: those of the policy, lowered while the cloud's budget is spent.

    Attributes:
        metrics: where the thresholds are shown.
        lowered: the highest threshold while the budget is spent; None lowers none.
        policy: the policy in force, once there is one.
        spent: whether the budget is spent at present.
    """

    metrics: Metrics
    lowered: float | None
    policy: Policy | None = None
    spent: bool = False

    def on_budget(self, spent: bool) -> None:
        """Called by the budget when it is spent, and when there is budget again."""
        self.spent = spent
        log.warning("the cloud budget is spent" if spent else "there is cloud budget again", tau_at_most=self.lowered if spent else None)
        self.show()

    def show(self) -> None:
        """Publish the thresholds in force."""
        if self.policy is not None:
            self.metrics.show_taus(self.policy.tau, self.policy.domains, at_most=self.lowered if self.spent else None)


@dataclass(frozen=True, slots=True)
class CloudSide:
    """The cloud of one configuration; `client` and `shared` are None where no endpoint is configured."""

    taus: Taus
    budget: Budget
    client: CloudClient | None
    shared: SingleFlightCloud | None

    async def close(self) -> None:
        """Close the connections."""
        if self.shared is not None:
            await self.shared.close()


def cloud_model_of(settings: Settings) -> str | None:
    """Name of the cloud model; None where no cloud is configured."""
    return settings.cloud.model if settings.cloud.base_url else None


def in_force(calibration: Calibration, policy: Policy) -> bool:
    """Whether every question is routed by the calibration's thresholds, so that its estimates hold."""
    domains = {name: domain.tau for name, domain in calibration.domains.items()}
    return (policy.tau, dict(policy.domains)) == (calibration.tau, domains)


@dataclass(frozen=True, slots=True)
class Routing:
    """How one configuration answers questions.

    Attributes:
        settings: the configuration.
        calibration: the calibration that routes, if one does.
        cloud: the cloud side.
        policy: the policy.
        cascade: puts edge, policy and cloud together.
        warning: says that the threshold is not calibrated; None where that needs no warning.
        passing: passes chats on that are no question; None where that is not to be.
    """

    settings: Settings
    calibration: Calibration | None
    cloud: CloudSide
    policy: Policy
    cascade: Cascade
    warning: str | None = None
    passing: Passing | None = None

    def describe_calibration(self) -> dict[str, Any] | None:
        """A description of the calibration that routes; None without one."""
        if self.calibration is None:
            return None
        return self.calibration.summary() | {"in_force": in_force(self.calibration, self.policy)}

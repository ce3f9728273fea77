"""What is recorded of every attempt: its cost, its metrics, and a line in the log where it failed."""

import logging
from collections.abc import Callable
from typing import Any

from app.cloud.call import Attempt, Purse
from app.cloud.endpoint import Endpoint
from app.cloud.usage import charged_usage, read_model
from app.telemetry.metrics import Metrics

logger = logging.getLogger("foggate.cloud")


class Accounts:
    """Records the attempts of one pool.

    Args:
        metrics: where attempts, tokens and money are counted.
        on_attempt: called with each attempt when it has ended.
    """

    def __init__(self, metrics: Metrics, on_attempt: Callable[[Attempt], None]) -> None:
        self._metrics = metrics
        self._on_attempt = on_attempt

    async def replied(self, endpoint: Endpoint, payload: Any, purse: Purse | None) -> None:
        """Charge what a reply costs, before it is known whether it can be used."""
        usage = charged_usage(payload)
        for kind, tokens in usage.items():
            self._metrics.cloud_tokens.labels(endpoint.name, kind.removesuffix("_tokens")).inc(tokens)
        if purse is not None:
            cost = await purse.used(read_model(payload, endpoint.model), usage)
            self._metrics.cloud_cost.labels(endpoint.name).inc(cost)

    def ended(self, endpoint: Endpoint, seen: Attempt) -> None:
        """Count an attempt; a failed one is logged as a warning without keys and without words of the question."""
        self._metrics.cloud_attempts.labels(endpoint.name, seen.outcome).inc()
        self._metrics.cloud_attempt_duration.labels(endpoint.name).observe(seen.seconds)
        if seen.error is not None:
            status = "no status" if seen.status is None else f"status {seen.status}"
            said = f" ({seen.said})" if seen.said else ""
            logger.warning("a call to the cloud endpoint '%s' failed, %s: %s%s", endpoint.name, status, seen.error.message, said)
        self._on_attempt(seen)

"""Builds the parts of the cloud side from `Settings`, one function each; no other module of the cloud knows `Settings`."""

import asyncio
import logging
import math
import sys
from collections.abc import Callable
from functools import partial

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute

from app.access.quotas import Quotas
from app.cloud.breaker import Breaker, State
from app.cloud.budget import MICRO, Budget, BudgetedCloud, CallPurse, Kind, Price
from app.cloud.call import Attempt
from app.cloud.client import CloudClient
from app.cloud.endpoint import Endpoint
from app.cloud.formats import AnswerFormat, FormatChoice
from app.cloud.pool import CloudPool
from app.cloud.probe import find_formats
from app.cloud.request import RequestSettings
from app.cloud.retry_budget import RetryBudget
from app.cloud.single_flight import SingleFlightCloud
from app.config.header_values import merged
from app.config.pick import picked
from app.config.settings import CloudSettings, EndpointSettings, Settings
from app.core.errors import ConfigError
from app.telemetry.metrics import Metrics

logger = logging.getLogger("foggate.cloud")


def build_cloud(settings: Settings, metrics: Metrics, *, offline: bool = False) -> CloudClient | None:
    """The cloud client, or None where no endpoint is configured.

    Args:
        settings: settings with endpoints, bounds and keys.
        metrics: where attempts and the states of breakers are shown.
        offline: whether the client is for a run that nobody waits for: it retries as often as `cloud.max_attempts` says, and never
            leaves an endpoint alone.

    Raises:
        ConfigError: the proxies of the environment cannot be used.
    """
    cloud = settings.cloud
    if cloud.base_url is None:
        return None
    pool = CloudPool(
        [_endpoint(name, endpoint, cloud, metrics, offline=offline) for name, endpoint in _named(cloud)],
        metrics,
        retry_budget=RetryBudget(math.inf if offline else cloud.retry_budget),
        timeout_s=cloud.timeout_s,
        max_attempts=cloud.max_attempts,
        max_in_flight=cloud.max_in_flight,
        longest_s=math.inf if offline else settings.deadline_ms / 1000,
    )
    return CloudClient(pool, request_settings(cloud))


def build_single_clients(settings: Settings) -> list[Callable[[Callable[[Attempt], None]], CloudClient]]:
    """For each endpoint, in their order, a function that makes a client which asks it alone, without retries.

    The functions take what is called with each attempt when it has ended.
    """
    cloud = settings.cloud

    def client_of(name: str, endpoint: EndpointSettings, on_attempt: Callable[[Attempt], None]) -> CloudClient:
        metrics = Metrics()
        # Two attempts: one more without the answer format that the endpoint refused.
        pool = CloudPool(
            [_endpoint(name, endpoint, cloud, metrics, offline=True)],
            metrics,
            retry_budget=RetryBudget(0),
            timeout_s=cloud.timeout_s,
            max_attempts=2,
            on_attempt=on_attempt,
        )
        return CloudClient(pool, request_settings(cloud))

    return [partial(client_of, name, endpoint) for name, endpoint in _named(cloud)]


def _named(cloud: CloudSettings) -> list[tuple[str, EndpointSettings]]:
    """Every endpoint with its name, in the order in which they are asked."""
    if cloud.base_url is None:
        return []
    first = EndpointSettings(base_url=cloud.base_url, api_key=cloud.api_key, priority=0)
    return sorted({"default": first, **cloud.endpoints}.items(), key=lambda pair: pair[1].priority)


def ask_formats(cloud: CloudSettings, client: CloudClient | None, budget: Budget) -> asyncio.Task[None] | None:
    """Begin to ask the endpoints which answer format they take, where that is configured. Nothing has to wait for the task."""
    wanted = client is not None and cloud.answer_format == "auto" and cloud.answer_format_probe
    return asyncio.create_task(find_formats(client, CallPurse(budget, ()))) if client is not None and wanted else None


def request_settings(cloud: CloudSettings) -> RequestSettings:
    """What every request to the cloud is made with."""
    return picked(RequestSettings, cloud)


def cloud_models(settings: Settings) -> str:
    """The models that the cloud's endpoints are asked for, each once, in the order of their names."""
    cloud = settings.cloud
    return ", ".join(sorted({cloud.model, *(endpoint.model or cloud.model for endpoint in cloud.endpoints.values())}))


def build_budget(settings: Settings, counts: Quotas, *, on_change: Callable[[bool], None]) -> Budget | None:
    """The cloud's budget, or None where neither a bound nor a price is configured.

    Raises:
        ConfigError: a budget of money without prices.
    """
    given = settings.cloud.budget
    bounds: list[tuple[Kind, RateLimitItem]] = []
    for kind, amount, item in (
        ("calls", given.calls_per_minute, RateLimitItemPerMinute),
        ("calls", given.calls_per_day, RateLimitItemPerDay),
        ("tokens", given.tokens_per_minute, RateLimitItemPerMinute),
        ("tokens", given.tokens_per_day, RateLimitItemPerDay),
        ("cost", given.cost_per_day and math.ceil(given.cost_per_day * MICRO), RateLimitItemPerDay),
    ):
        if amount is not None:
            bounds.append((kind, item(amount, namespace=f"foggate-{kind}")))  # type: ignore[arg-type]  # a tuple's literals widen
    if given.cost_per_day is not None and not settings.prices:
        raise ConfigError("cloud.budget.cost_per_day needs the prices of the cloud's models: set prices")
    if not bounds and not settings.prices:
        return None
    return Budget(
        bounds,
        counts,
        prices={name: Price(price.input, price.output) for name, price in settings.prices.items()},
        lowered_tau=given.lowered_tau,
        on_change=on_change,
    )


def build_single_flight_cloud(settings: Settings, client: CloudClient, metrics: Metrics, budget: Budget) -> SingleFlightCloud:
    """The cloud of a gateway: identical questions ask it once, while there is budget."""
    upstream = BudgetedCloud(client, budget)
    cloud = settings.cloud
    return SingleFlightCloud(
        upstream, metrics, longest_s=settings.deadline_ms / 1000, cache_entries=cloud.cache_entries, cache_ttl_s=cloud.cache_ttl_s
    )


def _endpoint(name: str, endpoint: EndpointSettings, cloud: CloudSettings, metrics: Metrics, *, offline: bool) -> Endpoint:
    rules = cloud.breaker
    shown = metrics.cloud_breaker_state.labels(name)
    shown.set(State.CLOSED)

    def on_change(state: State) -> None:
        shown.set(state)
        logger.warning("the circuit breaker of the cloud endpoint '%s' is %s", name, state.name.lower().replace("_", "-"))

    breaker = Breaker(
        window_s=rules.window_s,
        min_calls=sys.maxsize if offline else rules.min_calls,
        failure_rate=rules.failure_rate,
        open_s=rules.open_s,
        probes=rules.probes,
        on_change=on_change,
    )
    key = endpoint.api_key.get_secret_value() if endpoint.api_key else None
    headers = merged(cloud.extra_headers, endpoint.extra_headers)
    wanted = AnswerFormat(cloud.answer_format) if cloud.answer_format != "auto" else AnswerFormat.TEXT
    form = FormatChoice(wanted, name=name, how="not_probed" if cloud.answer_format == "auto" else "setting")
    return Endpoint(name, str(endpoint.base_url), endpoint.model or cloud.model, breaker, key, headers, form=form)

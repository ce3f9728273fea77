"""Every instrument of the gateway, each name written once, on a registry that nothing else uses. No label is unbounded."""

from collections.abc import Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from app.core.buckets import BUCKETS
from app.core.outcome import Outcome, Route
from app.core.permutation import RereadVerdict

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# The confidences that can be verbalized, and steps between them for the signals that take any value.
_SIGNAL_BUCKETS = sorted({*BUCKETS, *(step / 10 for step in range(1, 10))})
# Keys are made by the operator, but over the years of a process they may become many.
_MAX_KEYS = 1_000
OTHER = "other"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The instruments; one object per gateway, so that tests and several apps in one process do not share counts."""

    def __init__(self) -> None:
        # It would add one more time series per counter and histogram, which is of no use here.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = self.registry = CollectorRegistry()
        self._keys: set[str] = set()
        self.http_requests = Counter(
            "foggate_http_requests_total",
            "HTTP requests. `status` is `none` where the caller left before a reply; `path` is `other` for unknown paths.",
            ["path", "status"],
            registry=registry,
        )
        self.key_requests = Counter(
            "foggate_key_requests_total",
            "HTTP requests with a valid API key, by the key's id (`foggate keys list`).",
            ["key", "status"],
            registry=registry,
        )
        self.requests = Counter("foggate_requests_total", "Answered questions.", ["route", "reason"], registry=registry)
        self.request_duration = Histogram(
            "foggate_request_duration_seconds", "Whole time of an answered question.", ["route"], buckets=_SECONDS, registry=registry
        )
        self.edge_queue_depth = Gauge("foggate_edge_queue_depth", "Questions waiting for the edge model.", registry=registry)
        self.batch_queue_depth = Gauge(
            "foggate_batch_queue_depth", "Questions of batches that wait outside the edge's queue until it has a place.", registry=registry
        )
        self.edge_queue_duration = Histogram(
            "foggate_edge_queue_duration_seconds", "Wait for the edge model.", buckets=_SECONDS, registry=registry
        )
        self.edge_inference_duration = Histogram(
            "foggate_edge_inference_duration_seconds",
            "Reading the questions of a batch: one forward pass, or several.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.edge_batch_size = Histogram(
            "foggate_edge_batch_size", "Questions that are read together.", buckets=(1, 2, 4, 8, 16, 32, 64, 128), registry=registry
        )
        self.edge_passes = Counter(
            "foggate_edge_passes_total",
            "Forward passes of fixed shapes, which a GPU makes: `replayed` from a recording, or `eager`, which is slower.",
            ["way"],
            registry=registry,
        )
        self.edge_batches_failed = Counter(
            "foggate_edge_batches_failed_total",
            "Batches in which no question got a verdict; the gateway's own probes count too.",
            registry=registry,
        )
        self.edge_rereads = Counter(
            "foggate_edge_rereads_total",
            "Questions that were read again in other orders of their options, by whether the edge answer was kept then.",
            ["kept"],
            registry=registry,
        )
        self.signal = Histogram("foggate_signal", "The signal that was compared with tau.", buckets=_SIGNAL_BUCKETS, registry=registry)
        self.cloud_attempts = Counter(
            "foggate_cloud_attempts_total", "Calls to a cloud endpoint by how they ended.", ["endpoint", "outcome"], registry=registry
        )
        self.cloud_attempt_duration = Histogram(
            "foggate_cloud_attempt_duration_seconds", "One call to a cloud endpoint.", ["endpoint"], buckets=_SECONDS, registry=registry
        )
        self.cloud_request_duration = Histogram(
            "foggate_cloud_request_duration_seconds", "One cloud question, all attempts.", buckets=_SECONDS, registry=registry
        )
        self.cloud_tokens = Counter(
            "foggate_cloud_tokens_total", "Tokens that a cloud endpoint counted.", ["endpoint", "type"], registry=registry
        )
        self.cloud_cost = Counter(
            "foggate_cloud_cost_total",
            "Price of the replies of a cloud endpoint, in the currency of `prices`.",
            ["endpoint"],
            registry=registry,
        )
        self.cloud_budget_limit = Gauge(
            "foggate_cloud_budget_limit",
            "What may be spent: calls, tokens, or cost in the currency of `prices`.",
            ["kind", "per"],
            registry=registry,
        )
        self.cloud_budget_remaining = Gauge(
            "foggate_cloud_budget_remaining", "What is left of it in the present minute or day.", ["kind", "per"], registry=registry
        )
        self.cloud_breaker_state = Gauge(
            "foggate_cloud_breaker_state",
            "0 closed, 1 half-open, 2 open.",
            ["endpoint"],
            registry=registry,
        )
        self.cloud_shared = Counter(
            "foggate_cloud_shared_total",
            "Questions answered by a concurrent identical cloud call or by a cached answer.",
            ["how"],
            registry=registry,
        )
        self.passed_on = Counter(
            "foggate_passed_on_total",
            "Chats that were no multiple-choice question and went to the cloud, by how they ended: `whole`, `streamed`, `failed`, `broken` "
            "(a stream that did not come to its end) or `left`.",
            ["outcome"],
            registry=registry,
        )
        self.rejected = Counter(
            "foggate_rejected_total", "Questions that got an error instead of an answer.", ["reason"], registry=registry
        )
        self.degraded = Counter(
            "foggate_degraded_total", "Edge answers served because the cloud gave no answer.", ["reason"], registry=registry
        )
        self.tau = Gauge("foggate_tau", "The threshold in force, by domain.", ["domain"], registry=registry)
        self.build_info = Gauge("foggate_build_info", "Always 1.", ["version", "model", "prompt_version"], registry=registry)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)

    def responded(self, path: str, status: int, key: str | None) -> None:
        """Count one HTTP request.

        Args:
            path: one of the known paths, or `OTHER`.
            status: of the reply; 0 where there was none.
            key: the id of the caller's key, if they have one.
        """
        shown = str(status) if status else "none"
        self.http_requests.labels(path, shown).inc()
        if key is not None:
            if len(self._keys) < _MAX_KEYS:
                self._keys.add(key)
            self.key_requests.labels(key if key in self._keys else OTHER, shown).inc()

    def answered(self, outcome: Outcome) -> None:
        """Count one answered question."""
        self.requests.labels(outcome.route, outcome.reason).inc()
        self.request_duration.labels(outcome.route).observe(outcome.total_s)
        if outcome.signal is not None:
            self.signal.observe(outcome.signal)
        if outcome.edge is not None and isinstance(outcome.edge.verdict, RereadVerdict):
            self.edge_rereads.labels(str(outcome.decision.route is Route.EDGE).lower()).inc()
        if outcome.failure is not None:
            self.degraded.labels(outcome.failure.code).inc()

    def edge_seconds(self) -> float:
        """Seconds spent in forward passes so far."""
        return self.registry.get_sample_value("foggate_edge_inference_duration_seconds_sum") or 0.0

    def show_taus(self, tau: float, domains: Mapping[str, float], *, at_most: float | None = None) -> None:
        """Publish the thresholds in force, the global one under the domain `default`.

        Args:
            tau: the global threshold.
            domains: thresholds by domain.
            at_most: the highest threshold at this moment; None for no bound.
        """
        self.tau.clear()
        for domain, applied in {"default": tau, **domains}.items():
            self.tau.labels(domain).set(applied if at_most is None else min(applied, at_most))

    def show_budget(self, bounds: Iterable[tuple[str, str, float, float]]) -> None:
        """Publish bounds on the cloud.

        Args:
            bounds: for each bound its kind, `minute` or `day`, what is left, and the whole amount.
        """
        for kind, per, left, amount in bounds:
            self.cloud_budget_remaining.labels(kind, per).set(left)
            self.cloud_budget_limit.labels(kind, per).set(amount)

    def exposition(self) -> bytes:
        """The registry in Prometheus' text format."""
        return generate_latest(self.registry)

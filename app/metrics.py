"""Every instrument of the gateway, each name written once, on a registry of its own. No unbounded label."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from app.domain import BUCKETS, Outcome

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The instruments; one object per gateway, so that tests and several apps in one process do not share counts."""

    def __init__(self) -> None:
        # One more time series per counter and histogram, which nobody reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = self.registry = CollectorRegistry()
        self.requests = Counter("foggate_requests_total", "Answered questions.", ["route", "reason"], registry=registry)
        self.request_duration = Histogram(
            "foggate_request_duration_seconds", "Whole time of an answered question.", ["route"], buckets=_SECONDS, registry=registry
        )
        self.edge_queue_depth = Gauge("foggate_edge_queue_depth", "Questions waiting for the edge model.", registry=registry)
        self.edge_queue_duration = Histogram(
            "foggate_edge_queue_duration_seconds", "Wait for the edge model.", buckets=_SECONDS, registry=registry
        )
        self.edge_inference_duration = Histogram(
            "foggate_edge_inference_duration_seconds", "One forward pass of a batch.", buckets=_SECONDS, registry=registry
        )
        self.edge_batch_size = Histogram(
            "foggate_edge_batch_size", "Questions per forward pass.", buckets=(1, 2, 4, 8, 16, 32, 64, 128), registry=registry
        )
        self.edge_batches_failed = Counter(
            "foggate_edge_batches_failed_total",
            "Batches in which no question got a verdict; the gateway's own probes count too.",
            registry=registry,
        )
        self.confidence = Histogram("foggate_confidence", "The signal that was compared with tau.", buckets=BUCKETS, registry=registry)
        self.cloud_attempts = Counter("foggate_cloud_attempts_total", "Calls to the cloud endpoint.", ["outcome"], registry=registry)
        self.cloud_request_duration = Histogram(
            "foggate_cloud_request_duration_seconds", "One cloud question, all attempts.", buckets=_SECONDS, registry=registry
        )
        self.cloud_tokens = Counter("foggate_cloud_tokens_total", "Tokens the cloud endpoint counted.", ["type"], registry=registry)
        self.cloud_breaker_state = Gauge(
            "foggate_cloud_breaker_state",
            "0 closed, 1 half-open, 2 open.",
            ["endpoint"],
            registry=registry,
        )
        self.cloud_shared = Counter(
            "foggate_cloud_shared_total", "Questions that another one's cloud call answered.", ["how"], registry=registry
        )
        self.rejected = Counter(
            "foggate_rejected_total", "Questions that got an error instead of an answer.", ["reason"], registry=registry
        )
        self.degraded = Counter(
            "foggate_degraded_total", "Edge answers served because the cloud was not to be had.", ["reason"], registry=registry
        )
        self.tau = Gauge("foggate_tau", "The configured cut.", ["domain"], registry=registry)
        self.build_info = Gauge("foggate_build_info", "Always 1.", ["version", "model", "prompt_version"], registry=registry)

    def answered(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.requests.labels(outcome.route, outcome.reason).inc()
        self.request_duration.labels(outcome.route).observe(outcome.total_s)
        if outcome.edge is not None:
            self.confidence.observe(outcome.edge.verdict.signal(outcome.signal))
        if outcome.degraded:
            self.degraded.labels(outcome.reason).inc()

    def edge_seconds(self) -> float:
        """Seconds spent in forward passes so far."""
        return self.registry.get_sample_value("foggate_edge_inference_duration_seconds_sum") or 0.0

    def show_taus(self, tau: float, domains: Mapping[str, float], *, at_most: float | None = None) -> None:
        """Publish the cuts in force; the global one under the domain `default`."""
        self.tau.clear()
        for domain, cut in {"default": tau, **domains}.items():
            self.tau.labels(domain).set(cut if at_most is None else min(cut, at_most))

    def exposition(self) -> bytes:
        """The registry in Prometheus' text format."""
        return generate_latest(self.registry)

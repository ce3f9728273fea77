"""The numbers of the live page, read from the same instruments as `/metrics`: totals since the start, and what the last seconds added."""

import math
from collections import Counter as Tally
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.metrics import MetricWrapperBase

from app.telemetry.metrics import Metrics

# The seconds that "now" means: long enough for a rate of a gateway with one question a second.
WINDOW_S = 10.0
_BREAKERS = {0: "closed", 1: "half-open", 2: "open"}


@dataclass(frozen=True, slots=True)
class Bins:
    """A histogram: `counts[i]` observations lie above `bounds[i - 1]` and at most at `bounds[i]`; the last bound is infinite."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]

    def since(self, earlier: "Bins") -> "Bins":
        """What was observed after an earlier moment."""
        before = earlier.counts or (0.0,) * len(self.counts)
        return Bins(self.bounds, tuple(now - then for now, then in zip(self.counts, before, strict=True)))

    def quantile(self, share: float) -> float | None:
        """The value below which a share of the observations lies; None without observations.

        Linear within a bucket, and the highest finite bound for what lies above it, as Prometheus' `histogram_quantile` does it:
        the same number as a dashboard shows.
        """
        rank, below = share * sum(self.counts), 0.0
        if not rank:
            return None
        for index, count in enumerate(self.counts):
            if count and below + count >= rank:
                low = self.bounds[index - 1] if index else min(0.0, self.bounds[0])
                high = self.bounds[index]
                return low if math.isinf(high) else low + (high - low) * (rank - below) / count
            below += count
        return self.bounds[-2]

    def plain(self) -> dict[str, Any]:
        """As JSON has it: the infinite bound is left out."""
        return {"bounds": self.bounds[:-1], "counts": self.counts}


@dataclass(frozen=True, slots=True)
class Totals:
    """What was counted since the gateway started, and its gauges at this moment.

    Attributes:
        at_s: monotonic seconds of the moment.
        answered: answered questions by route and reason.
        degraded: degraded answers by reason.
        errors: questions that got an error, by kind.
        latency: seconds of answered questions, of both routes together.
        signal: signals that were compared with tau.
        gauges: queues, breakers, attempts, budget and thresholds, as the page shows them.
    """

    at_s: float
    answered: Mapping[tuple[str, str], float]
    degraded: Mapping[str, float]
    errors: Mapping[str, float]
    latency: Bins
    signal: Bins
    gauges: Mapping[str, Any] = field(default_factory=dict)

    def by_route(self) -> dict[str, float]:
        """Answered questions by route."""
        tally: Tally[str] = Tally()
        for (route, _), count in self.answered.items():
            tally[route] += count  # type: ignore[assignment]  # counters of prometheus_client are floats
        return {"edge": tally["edge"], "cloud": tally["cloud"]}


def totals_of(metrics: Metrics, at_s: float) -> Totals:
    """Read the instruments. A gauge that changes by itself must have been refreshed before."""
    return Totals(
        at_s,
        {(labels["route"], labels["reason"]): value for labels, value in _values(metrics.requests)},
        {labels["reason"]: value for labels, value in _values(metrics.degraded)},
        {labels["reason"]: value for labels, value in _values(metrics.rejected)},
        _bins(metrics.request_duration),
        _bins(metrics.signal),
        _gauges(metrics),
    )


class History:
    """The totals of the last seconds. Bounded: one more than fit into the window are kept.

    Args:
        every_s: seconds between two totals.
    """

    def __init__(self, every_s: float) -> None:
        self._kept: deque[Totals] = deque(maxlen=round(WINDOW_S / every_s) + 1)

    def event(self, now: Totals) -> dict[str, Any]:
        """Add the newest totals, and describe them and what the window added to them, in plain values."""
        self._kept.append(now)
        return {"since_start": _described(now), "now": _added(self._kept[0], now), **now.gauges}


def _described(totals: Totals) -> dict[str, Any]:
    return {
        **totals.by_route(),
        "reasons": [{"route": route, "reason": reason, "count": count} for (route, reason), count in sorted(totals.answered.items())],
        "degraded": sum(totals.degraded.values()),
        "degraded_by": dict(totals.degraded),
        "errors": sum(totals.errors.values()),
        "errors_by": dict(totals.errors),
        "p50_s": totals.latency.quantile(0.5),
        "p95_s": totals.latency.quantile(0.95),
        "signal": totals.signal.plain(),
    }


def _added(before: Totals, now: Totals) -> dict[str, Any]:
    """What was counted between two moments."""
    seconds = now.at_s - before.at_s
    first, last = before.by_route(), now.by_route()
    routes = {name: last[name] - first[name] for name in last}
    latency = now.latency.since(before.latency)
    return {
        "seconds": seconds,
        **routes,
        "per_second": sum(routes.values()) / seconds if seconds > 0 else None,
        "degraded": sum(now.degraded.values()) - sum(before.degraded.values()),
        "errors": sum(now.errors.values()) - sum(before.errors.values()),
        "p50_s": latency.quantile(0.5),
        "p95_s": latency.quantile(0.95),
    }


def _gauges(metrics: Metrics) -> dict[str, Any]:
    limits = {(labels["kind"], labels["per"]): value for labels, value in _values(metrics.cloud_budget_limit)}
    attempts: dict[str, dict[str, float]] = {}
    for labels, value in _values(metrics.cloud_attempts):
        attempts.setdefault(labels["endpoint"], {})[labels["outcome"]] = value
    return {
        "queue": {"edge": _value(metrics.edge_queue_depth), "batches": _value(metrics.batch_queue_depth)},
        "endpoints": [
            {
                "name": labels["endpoint"],
                "breaker": _BREAKERS.get(int(value), "unknown"),
                "attempts": attempts.get(labels["endpoint"], {}),
            }
            for labels, value in _values(metrics.cloud_breaker_state)
        ],
        "budget": [
            {"kind": labels["kind"], "per": labels["per"], "left": value, "limit": limits.get((labels["kind"], labels["per"]))}
            for labels, value in _values(metrics.cloud_budget_remaining)
        ],
        "shared": {labels["how"]: value for labels, value in _values(metrics.cloud_shared)},
        "cost": sum(value for _, value in _values(metrics.cloud_cost)),
        "tau": {labels["domain"]: value for labels, value in _values(metrics.tau)},
    }


def _samples(instrument: MetricWrapperBase, suffix: str = "") -> Iterator[tuple[Mapping[str, str], float]]:
    for family in instrument.collect():
        for sample in family.samples:
            if sample.name == family.name + suffix:
                yield sample.labels, sample.value


def _values(instrument: MetricWrapperBase) -> list[tuple[Mapping[str, str], float]]:
    """Labels and values of a counter or a gauge."""
    return [*_samples(instrument), *_samples(instrument, "_total")]


def _value(instrument: MetricWrapperBase) -> float:
    return next(iter(_values(instrument)), ({}, 0.0))[1]


def _bins(histogram: MetricWrapperBase) -> Bins:
    """The bins of a histogram, of all its labels together."""
    cumulative: dict[float, float] = {}
    for labels, value in _samples(histogram, "_bucket"):
        bound = float(labels["le"])
        cumulative[bound] = cumulative.get(bound, 0.0) + value
    bounds: Sequence[float] = sorted(cumulative)
    counts = [cumulative[bound] - (cumulative[bounds[index - 1]] if index else 0.0) for index, bound in enumerate(bounds)]
    return Bins(tuple(bounds), tuple(counts))

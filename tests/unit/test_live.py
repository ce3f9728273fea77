"""The live numbers: the same as in /metrics, the last seconds apart from them, and nothing that grows."""

import json
import math
import re

import pytest

from app.core.errors import CloudTimeout
from app.core.outcome import CloudReply, Decision, Outcome, Reason, Route
from app.core.question import Question
from app.core.strict_json import dumps
from app.core.verdict import EdgeReply, Signal
from app.telemetry.live import Bins, History, totals_of
from app.telemetry.metrics import Metrics
from tests.support.fakes import make_verdict

QUESTION = Question("Which?", ("a", "b", "c"))
INF = math.inf


def outcome(*, cloud=False, failure=None, confidence=1.0, total_s=0.02):
    decision = Decision(Route.CLOUD, Reason.LOW_CONFIDENCE, 0.5, Signal.VERBALIZED) if cloud or failure else KEPT
    reply = CloudReply("A", "big", 1, {}) if cloud else None
    return Outcome(QUESTION, decision, failure, EdgeReply(make_verdict(confidence, 0, 3), "small", 0, 0.01), reply, None, total_s)


KEPT = Decision(Route.EDGE, Reason.CONFIDENT, 0.5, Signal.VERBALIZED)


def exposed(metrics, name):
    """The samples of /metrics with this name: labels → value."""
    found = re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", metrics.exposition().decode(), re.MULTILINE)
    return {tuple(re.findall(r'"([^"]*)"', labels)): float(value) for labels, value in found}


@pytest.fixture
def busy():
    metrics = Metrics()
    for number in range(20):
        metrics.answered(outcome(total_s=0.004 * (number + 1)))
    for _ in range(5):
        metrics.answered(outcome(cloud=True, confidence=0.25, total_s=0.4))
    metrics.answered(outcome(failure=CloudTimeout("x"), confidence=0.0, total_s=2.0))
    metrics.rejected.labels("overloaded").inc(3)
    metrics.edge_queue_depth.set(7)
    metrics.batch_queue_depth.set(2)
    metrics.cloud_breaker_state.labels("default").set(2)
    metrics.cloud_breaker_state.labels("backup").set(1)
    metrics.cloud_attempts.labels("default", "200").inc(5)
    metrics.cloud_attempts.labels("default", "timeout").inc(1)
    metrics.show_budget([("calls", "day", 94.0, 100.0)])
    metrics.show_taus(0.5, {"law": 0.9})
    return metrics


def test_every_number_is_that_of_metrics(busy):
    event = json.loads(dumps(History(1.0).event(totals_of(busy, 1.0))))
    totals = event["since_start"]
    answered = exposed(busy, "foggate_requests_total")
    assert {(row["reason"], row["route"]): row["count"] for row in totals["reasons"]} == answered
    assert answered == {("confident", "edge"): 20, ("low_confidence", "cloud"): 5, ("cloud_timeout", "edge"): 1}
    assert (totals["edge"], totals["cloud"]) == (21, 5)
    assert totals["degraded"] == sum(exposed(busy, "foggate_degraded_total").values()) == 1
    assert totals["errors"] == sum(exposed(busy, "foggate_rejected_total").values()) == 3
    cumulative = [sum(totals["signal"]["counts"][: index + 1]) for index in range(len(totals["signal"]["counts"]))]
    buckets = exposed(busy, "foggate_signal_bucket")
    assert cumulative == list(buckets.values())
    assert totals["signal"]["bounds"] == [float(le) for (le,) in buckets if le != "+Inf"]
    assert event["queue"] == {"edge": 7, "batches": 2}
    assert {one["name"]: one["breaker"] for one in event["endpoints"]} == {"default": "open", "backup": "half-open"}
    assert event["endpoints"][0]["attempts"] == {"200": 5, "timeout": 1}
    assert event["budget"] == [{"kind": "calls", "per": "day", "left": 94, "limit": 100}]
    assert event["tau"] == {"default": 0.5, "law": 0.9}


def test_a_gateway_that_was_asked_nothing_has_numbers_too():
    event = json.loads(dumps(History(1.0).event(totals_of(Metrics(), 1.0))))
    assert event["now"]["per_second"] is None
    assert event["now"]["p95_s"] is None
    assert event["since_start"]["reasons"] == event["endpoints"] == event["budget"] == []


def test_now_is_what_the_last_ten_seconds_added(busy):
    history, metrics = History(1.0), busy
    for second in range(31):
        event = history.event(totals_of(metrics, 100.0 + second))
        metrics.answered(outcome(cloud=second % 2 == 0))
    now = event["now"]
    assert (now["seconds"], now["edge"], now["cloud"]) == (10, 5, 5)
    assert now["per_second"] == pytest.approx(1.0)
    assert (now["degraded"], now["errors"]) == (0, 0)
    assert 0.01 < now["p50_s"] <= 0.025, "the slow answers before are no part of it"
    assert len(history._kept) == 11


@pytest.mark.parametrize(
    ("counts", "share", "value"),
    [
        # Checked against Prometheus' rule: linear within a bucket, the highest finite bound above it.
        ((10, 0, 0, 0), 0.5, 0.05),
        ((0, 10, 0, 0), 0.5, 0.15),
        ((5, 5, 0, 0), 0.75, 0.15),
        ((0, 4, 4, 0), 0.95, 0.29),
        ((0, 0, 0, 3), 0.5, 0.3),
        ((1, 0, 0, 9), 0.5, 0.3),
        ((0, 0, 0, 0), 0.5, None),
    ],
)
def test_quantiles_are_those_of_prometheus(counts, share, value):
    bins = Bins((0.1, 0.2, 0.3, INF), counts)
    assert bins.quantile(share) == (None if value is None else pytest.approx(value))

"""Completeness: errors ↔ status table, metrics ↔ design, exceptions ↔ docstring, threads ↔ container."""

import inspect
import os
import re

import pytest
from pydantic import ValidationError

import app.core.errors
from app.api.errors import STATUS, response_of
from app.api.schemas import AnswerResponse, answer_body
from app.core.errors import CloudError, FogGateError, kinds_of
from app.core.outcome import REASONS, Decision, Outcome, Reason, Route
from app.core.verdict import EdgeReply, Signal
from app.edge.threads import set_wait_policy, usable_cores
from app.telemetry.metrics import Metrics
from tests.support.fakes import make_verdict


def test_every_kind_of_error_has_a_code_and_a_status_and_stands_in_the_drawing():
    drawing = inspect.getdoc(app.core.errors)
    kinds = kinds_of(FogGateError)
    assert set(kinds) == set(STATUS)
    for kind in kinds:
        assert kind.__name__ in drawing
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", vars(kind)["code"]), kind
    assert len({kind.code for kind in kinds}) == len(kinds)


def test_every_failure_of_the_cloud_is_a_reason_and_says_what_happened():
    failures = kinds_of(CloudError)
    assert len(failures) >= 8
    assert len({vars(kind)["summary"] for kind in failures}) == len(failures)
    assert set(REASONS) == {*(reason.value for reason in Reason), *(kind.code for kind in failures)}
    assert len(REASONS) == len(set(REASONS)) == len(Reason) + len(failures)


def test_a_reason_of_the_wire_is_one_of_those_and_no_other(question):
    for reason in REASONS:
        assert AnswerResponse.model_validate({**body_of_an_answer(question), "reason": reason}).reason == reason
    for other in ("", "cloud", "internal_error", "CONFIDENT", None, 1):
        with pytest.raises(ValidationError):
            AnswerResponse.model_validate({**body_of_an_answer(question), "reason": other})


@pytest.mark.parametrize("leaf", STATUS)
def test_retry_after_comes_with_429_and_503_and_only_there(leaf):
    response = response_of(leaf("x"), "id")
    assert response.status_code == STATUS[leaf]
    assert ("retry-after" in response.headers) == (STATUS[leaf] in (429, 503))


@pytest.mark.parametrize("asked", [61, 3600.0, 1e300, float("inf")])
@pytest.mark.parametrize("leaf", [leaf for leaf in STATUS if STATUS[leaf] in (429, 503)])
def test_no_reply_asks_anybody_to_wait_for_more_than_a_minute(leaf, asked):
    assert response_of(leaf("x", retry_after_s=asked), "id").headers["retry-after"] == "60"


def test_every_metric_of_the_design_is_exposed():
    names = [
        "foggate_requests_total",
        "foggate_request_duration_seconds",
        "foggate_edge_queue_depth",
        "foggate_edge_queue_duration_seconds",
        "foggate_edge_inference_duration_seconds",
        "foggate_edge_batch_size",
        "foggate_edge_passes_total",
        "foggate_edge_batches_failed_total",
        "foggate_edge_rereads_total",
        "foggate_signal",
        "foggate_cloud_attempts_total",
        "foggate_cloud_attempt_duration_seconds",
        "foggate_cloud_request_duration_seconds",
        "foggate_cloud_cost_total",
        "foggate_cloud_budget_limit",
        "foggate_cloud_budget_remaining",
        "foggate_cloud_tokens_total",
        "foggate_cloud_breaker_state",
        "foggate_cloud_shared_total",
        "foggate_batch_queue_depth",
        "foggate_passed_on_total",
        "foggate_http_requests_total",
        "foggate_key_requests_total",
        "foggate_rejected_total",
        "foggate_degraded_total",
        "foggate_tau",
        "foggate_build_info",
    ]
    text = Metrics().exposition().decode()
    exposed = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    # The process's own differ from one operating system to the next.
    assert {name for name in exposed if not name.startswith(("process_", "python_"))} == set(names)


def body_of_an_answer(question):
    decision = Decision(Route.EDGE, Reason.CONFIDENT, 0.5, Signal.VERBALIZED)
    return answer_body(Outcome(question, decision, None, EdgeReply(make_verdict(), "m", 0, 0.1), None, None, 0.1))


def test_the_body_has_exactly_the_documented_keys(question):
    body = body_of_an_answer(question)
    assert set(body) == set(AnswerResponse.model_fields)
    AnswerResponse.model_validate(body)
    for part in ("edge", "timings_ms"):
        annotation = AnswerResponse.model_fields[part].annotation
        model = next((a for a in getattr(annotation, "__args__", ()) if hasattr(a, "model_fields")), annotation)
        assert set(body[part]) == set(model.model_fields)


@pytest.mark.parametrize(("content", "cores"), [("100000 100000", 1), ("50000 100000", 1), ("max 100000", None), ("garbage", None)])
def test_a_containers_quota_bounds_the_threads(tmp_path, content, cores):
    path = tmp_path / "cpu.max"
    path.write_text(content)
    everything = usable_cores(tmp_path / "none")
    assert everything >= 1
    assert usable_cores(path) == (cores or everything)


def test_the_wait_policy_is_set_unless_the_user_did(monkeypatch):
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    set_wait_policy("brief")
    assert os.environ["GOMP_SPINCOUNT"] == "1000"
    set_wait_policy("passive")
    assert "OMP_WAIT_POLICY" not in os.environ
    monkeypatch.delenv("GOMP_SPINCOUNT")
    set_wait_policy("passive")
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.delenv("OMP_WAIT_POLICY")

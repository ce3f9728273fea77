"""One trace a question: request, queue, edge, each cloud attempt; the context goes on to the cloud, question text does not."""

import json

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.integration.test_api import ASK, UNSURE, gateway
from tests.support.fakes import TextEdge

EXPORTER = InMemorySpanExporter()


@pytest.fixture
def spans():
    """OpenTelemetry allows one provider per process."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(EXPORTER))
        trace.set_tracer_provider(provider)
    EXPORTER.clear()
    yield EXPORTER.get_finished_spans
    EXPORTER.clear()


async def test_a_question_is_one_trace(spans, capfd):
    async with gateway(faults={"500": 1.0}, tracing={"enabled": True}) as (http, _):
        context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        await http.post("/v1/answer", json=UNSURE, headers={"traceparent": context})
        await http.get("/health/ready")
    found = {}
    for span in spans():
        found.setdefault(span.name, []).append(span)
    request = next(span for name, same in found.items() if "/v1/answer" in name for span in same)
    assert {f"{span.context.trace_id:032x}" for span in (request, *found["edge queue"], *found["edge fake-edge"])} >= {
        context.split("-")[1]
    }
    assert request.attributes["foggate.reason"] == "cloud_unavailable"
    assert request.attributes["foggate.degraded"] is True
    attempts = found["chat Qwen/Qwen3-30B-A3B-Instruct-2507"]
    assert [span.attributes["foggate.attempt"] for span in attempts] == [1, 2]
    assert {span.attributes["error.type"] for span in attempts} == {"5xx"}
    assert {span.attributes["http.response.status_code"] for span in attempts} == {500}
    children = [
        span for span in spans() if span.instrumentation_scope.name == "foggate" and span.context.trace_id == request.context.trace_id
    ]
    assert sorted(span.name for span in children) == sorted(["edge queue", "edge fake-edge", *(span.name for span in attempts)])
    assert all(span.parent.span_id == request.context.span_id for span in children)
    assert not any("/health" in name for name in found)
    assert UNSURE["question"] not in json.dumps([dict(span.attributes) for span in spans()])
    assert f"trace_id={context.split('-')[1]}" in capfd.readouterr().out


async def test_the_context_goes_on_to_the_cloud_and_its_tokens_come_back(spans):
    async with gateway(tracing={"enabled": True, "question_text": True}, cloud={"api_key": "canary-trace"}) as (http, _):
        await http.post("/v1/answer", json=UNSURE)
    assert "canary-trace" not in "".join(span.to_json() for span in spans())
    (attempt,) = [span for span in spans() if span.name.startswith("chat ")]
    request = next(span for span in spans() if "foggate.route" in span.attributes)
    assert request.attributes["foggate.question"] == UNSURE["question"]
    assert request.attributes["gen_ai.response.model"] == "demo-cloud"
    assert request.attributes["gen_ai.usage.input_tokens"] > 0
    # The mock cloud is traced by the same provider: its request is a child of our attempt, through the W3C header alone.
    (received,) = [span for span in spans() if "chat/completions" in span.name and span.kind is trace.SpanKind.SERVER]
    assert received.parent.span_id == attempt.context.span_id


async def test_without_tracing_there_is_no_request_span(spans):
    async with gateway() as (http, _):
        await http.post("/v1/answer", json=ASK)
    assert not any("foggate.route" in span.attributes or "/v1/answer" in span.name for span in spans())


async def test_a_signal_that_the_edge_does_not_give_is_not_on_the_span(spans):
    async def build(settings, metrics):
        return TextEdge()

    async with gateway(build=build, tracing={"enabled": True}) as (http, _):
        assert (await http.post("/v1/answer", json=ASK)).json()["reason"] == "no_signal"
    request = next(span for span in spans() if "foggate.route" in span.attributes)
    assert (request.attributes["foggate.reason"], request.attributes["foggate.tau"]) == ("no_signal", 0.5)
    assert "foggate.signal" not in request.attributes

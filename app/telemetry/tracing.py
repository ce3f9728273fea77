"""OpenTelemetry spans under FastAPI's request span: queue, edge, each cloud attempt. Names and attributes are the GenAI conventions'.

Without a configured SDK all of this does nothing. No question text, unless that is asked for by name.
"""

import importlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from opentelemetry import propagate, trace

from app.core.errors import ConfigError
from app.core.outcome import Outcome
from app.core.verdict import EdgeReply

_NAME = "foggate"
_NS = 1_000_000_000
_NEEDED = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter")


def check_tracing(enabled: bool) -> None:
    """Refuse at the start what would otherwise fail after the server has started.

    Args:
        enabled: whether spans are wanted.

    Raises:
        ConfigError: an exporter is named in the environment and is not installed, or is of a kind that is not supported.
    """
    given = {name: os.environ.get(f"OTEL_{name}", "").strip() for name in ("SDK_DISABLED", "TRACES_EXPORTER")}
    endpoint = _otlp("ENDPOINT")
    if not enabled or given["SDK_DISABLED"].lower() == "true" or given["TRACES_EXPORTER"].lower() == "none" or not endpoint:
        return
    if given["TRACES_EXPORTER"].lower() not in {"", "otlp"}:
        raise ConfigError("tracing.enabled: OTEL_TRACES_EXPORTER must be otlp or none")
    if _otlp("PROTOCOL") not in {"", "http/protobuf"}:
        raise ConfigError("tracing.enabled: OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf")
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError("tracing.enabled: OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https URL")
    try:
        for name in _NEEDED:
            importlib.import_module(name)
    except ImportError:
        raise ConfigError("tracing.enabled needs OpenTelemetry's exporter: pip install 'foggate[otel]'") from None


def _otlp(what: str) -> str:
    """The variable for traces, else the one for all signals."""
    return (os.environ.get(f"OTEL_EXPORTER_OTLP_TRACES_{what}") or os.environ.get(f"OTEL_EXPORTER_OTLP_{what}") or "").strip()


class CloudSpan:
    """The span of one attempt."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def headers(self) -> dict[str, str]:
        """The W3C trace context for the endpoint; empty without a trace."""
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        return carrier

    def ended(self, outcome: str, status: int | None) -> None:
        """Set how the attempt ended.

        Args:
            outcome: the label of the metric; everything but `200` is an error.
            status: HTTP status of the reply, if one began.
        """
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)
        if outcome != "200":
            self._span.set_attribute("error.type", outcome)
            self._span.set_status(trace.StatusCode.ERROR)


@contextmanager
def cloud_attempt(*, endpoint: str, url: str, model: str, number: int) -> Iterator[CloudSpan]:
    """The span of one call to an endpoint; exceptions of the call are raised as they are."""
    parts = urlsplit(url)
    attributes: dict[str, str | int] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "server.address": parts.hostname or "",
        "server.port": parts.port or (443 if parts.scheme == "https" else 80),
        "foggate.endpoint": endpoint,
        "foggate.attempt": number,
    }
    tracer = trace.get_tracer(_NAME)
    with tracer.start_as_current_span(
        f"chat {model}", kind=trace.SpanKind.CLIENT, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        yield CloudSpan(span)


def edge_spans(reply: EdgeReply) -> None:
    """The spans of a question's wait and of its forward pass, which has just ended."""
    tracer = trace.get_tracer(_NAME)
    ended = time.time_ns()
    inferred = ended - int(reply.inference_s * _NS)
    if reply.queue_s is not None:
        tracer.start_span("edge queue", start_time=inferred - int(reply.queue_s * _NS)).end(inferred)
    attributes: dict[str, str | int] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": reply.model}
    if reply.batch is not None:
        attributes["foggate.batch"] = reply.batch
    tracer.start_span(f"edge {reply.model}", start_time=inferred, attributes=attributes).end(ended)


def describe(outcome: Outcome, *, question_text: bool) -> None:
    """Put an outcome on the request's span, and with `question_text` the question too."""
    span = trace.get_current_span()
    if not span.is_recording():
        return
    span.set_attributes(
        {
            "foggate.route": outcome.route.value,
            "foggate.reason": outcome.reason,
            "foggate.degraded": outcome.degraded,
            "foggate.tau": outcome.decision.tau,
        }
    )
    if outcome.signal is not None:
        span.set_attribute("foggate.signal", outcome.signal)
    if outcome.cloud is not None:
        span.set_attribute("gen_ai.response.model", outcome.cloud.model)
        for kind, name in (("prompt_tokens", "input"), ("completion_tokens", "output")):
            if kind in outcome.cloud.usage:
                span.set_attribute(f"gen_ai.usage.{name}_tokens", outcome.cloud.usage[kind])
    if question_text:
        span.set_attribute("foggate.question", outcome.question.question)


def trace_id() -> str | None:
    """Trace id of the current request, for the log line; None without one."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None

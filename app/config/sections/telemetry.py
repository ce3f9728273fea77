"""Traces and logs."""

from typing import Literal

from app.config.sections.base import Section, setting


class TracingSettings(Section):
    enabled: bool = setting(
        False,
        "Send OpenTelemetry traces to `OTEL_EXPORTER_OTLP_ENDPOINT`; needs `foggate[otel]`. Each request is a span with children for the "
        "queue, the edge model and each cloud attempt (GenAI conventions); the W3C trace context is sent to the cloud, and log lines carry "
        "`trace_id`.",
    )
    question_text: bool = setting(False, "Put the text of questions on spans.")


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = setting("info", "Least severe level that is logged.", reload=True)
    format: Literal["auto", "json", "text"] = setting(
        "auto",
        "`json` writes one JSON object a line on standard error, `text` lines for people; `auto` is `text` where standard error is a "
        'terminal, otherwise `json` (docs/operators.md, "Logs").',
    )

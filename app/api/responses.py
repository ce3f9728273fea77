"""Descriptions of the replies for the OpenAPI document: statuses, headers, bodies with real examples."""

from typing import Any

from pydantic import BaseModel

from app.api import examples
from app.api.decision.errors import decisions_error, system_one_error
from app.api.error_form import ErrorForm, openai_error
from app.api.schemas import AnswersResponse, ErrorResponse, HealthResponse, ModelEntry, ModelsResponse, OpenAIErrorResponse

NDJSON = "application/x-ndjson"
Responses = dict[int | str, dict[str, Any]]
_DESCRIPTIONS = {
    400: "Not JSON, not UTF-8, or not what its `Content-Encoding` says",
    401: "No key, or a wrong one",
    403: "The key lacks the permission",
    404: "No such model, or nothing here that could answer this",
    408: "The body did not come in time",
    413: "The body is too large, as it was sent or decompressed",
    415: "Not application/json, or compressed in another way than gzip or deflate",
    421: "Not a host name of this gateway",
    422: "Something inside the body is wrong",
    429: "The edge queue is full, or the key is over its rate (`Retry-After`)",
    500: "A bug; the log has the request id",
    502: "The cloud failed and `on_cloud_failure` is `error`",
    503: "Loading or draining (`Retry-After`)",
    504: "The deadline passed",
}


_NO_SUCH = 404


def _header(text: str, kind: str = "string") -> dict[str, Any]:
    return {"description": text, "schema": {"type": kind}}


_REQUEST_ID = {"x-request-id": _header("Of this request: the caller's own, or a new one")}
_RETRY_AFTER = {
    "retry-after": _header("Seconds until a new attempt makes sense", "integer"),
    "retry-after-ms": _header("The same in milliseconds", "integer"),
}
_ANSWERED = {
    **_REQUEST_ID,
    "x-foggate-route": _header("`edge` or `cloud`: who answered"),
    "x-foggate-signal": _header("The signal that was compared with tau, or `none`"),
}


def _shown(named: dict[str, Any]) -> dict[str, Any]:
    return {name: {"value": value} for name, value in named.items()}


def _error(status: int) -> dict[str, Any]:
    headers = {**_REQUEST_ID, **(_RETRY_AFTER if status in {429, 503} else {})}
    content = {"application/json": {"examples": _shown(examples.ERRORS[status])}}
    return {"model": ErrorResponse, "description": _DESCRIPTIONS[status], "headers": headers, "content": content}


def _in_form(form: ErrorForm, replies: Responses, model: type[BaseModel] | None = None) -> Responses:
    """Errors in the form of a protocol, under its statuses.

    Args:
        form: the form.
        replies: the errors in the gateway's own form.
        model: schema of a body in that form; None says only that it is an object.
    """
    kind = {"model": model} if model is not None else {}
    schema = {"schema": {"type": "object"}} if model is None else {}
    changed: Responses = {}
    for status, reply in replies.items():
        shown = {name: form(body["value"]["error"], int(status)) for name, body in reply["content"]["application/json"]["examples"].items()}
        wanted = next(status for _, status in shown.values())
        # Two statuses of ours can be one there.
        before = changed.get(wanted, {"description": "", "content": {"application/json": {"examples": {}}}})
        bodies = {**before["content"]["application/json"]["examples"], **{name: {"value": said} for name, (said, _) in shown.items()}}
        changed[wanted] = {
            "description": " · ".join(filter(None, (before["description"], reply["description"]))),
            "headers": reply["headers"],
            "content": {"application/json": {**schema, "examples": bodies}},
            **kind,
        }
    return dict(sorted(changed.items()))


_ASKING: Responses = {status: _error(status) for status in _DESCRIPTIONS if status != _NO_SUCH}
_READING: Responses = {status: _error(status) for status in (401, 403, 421, 500)}

OPENAI_ASKING: Responses = _in_form(openai_error, {**_ASKING, _NO_SUCH: _error(_NO_SUCH)}, OpenAIErrorResponse)
ANSWER: Responses = {
    200: {
        "description": "An answer, from the edge or from the cloud",
        "headers": _ANSWERED,
        "content": {"application/json": {"examples": examples.ANSWERS}},
    },
    **_ASKING,
}
ANSWERS: Responses = {
    200: {
        "model": AnswersResponse,
        "description": "One result per question, in order",
        "headers": _REQUEST_ID,
        "content": {
            "application/json": {"examples": {"results": {"summary": "Two answers and an error", "value": examples.RESULTS}}},
            NDJSON: {"schema": {"type": "string"}, "example": examples.LINES},
        },
    },
    **_ASKING,
}


def _decided(description: str, example: Any, form: ErrorForm) -> Responses:
    """Responses of an endpoint for decision clients."""
    headers = {**_REQUEST_ID, "x-foggate-decision-id": _header("For `explain_route` of `/mcp`; the request id")}
    content = {"application/json": {"schema": {"type": "object"}, "example": example}}
    return {200: {"description": description, "headers": headers, "content": content}, **_in_form(form, _ASKING)}


SYSTEM_ONE: Responses = _decided("One answer for each question, by its name", examples.SYSTEM_ONE, system_one_error)
DECISIONS: Responses = _decided("One answer for each question: in order, or by id in SGLang's form", examples.DECISIONS, decisions_error)
MODELS: Responses = {
    200: {"model": ModelsResponse, "headers": _REQUEST_ID, "content": {"application/json": {"example": examples.MODELS}}},
    **_in_form(openai_error, _READING, OpenAIErrorResponse),
}
MODEL: Responses = {
    200: {"model": ModelEntry, "headers": _REQUEST_ID, "content": {"application/json": {"example": examples.MODEL}}},
    **_in_form(openai_error, {**_READING, _NO_SUCH: _error(_NO_SUCH)}, OpenAIErrorResponse),
}
METRICS: Responses = {
    200: {
        "description": "The text format of Prometheus; every metric: docs/operators.md",
        "content": {"text/plain": {"schema": {"type": "string"}, "example": examples.METRICS}},
    },
    **_READING,
}


def _health(good: str, bad: dict[str, str]) -> Responses:
    return {
        200: {"model": HealthResponse, "content": {"application/json": {"example": {"status": good}}}},
        503: {
            "model": HealthResponse,
            "description": "Service Unavailable",
            "content": {
                "application/json": {"examples": {name: {"summary": text, "value": {"status": name}} for name, text in bad.items()}}
            },
        },
    }


_DEAD = {"dead": "The edge worker has ended, hangs, or fails again and again"}
LIVE = _health("alive", _DEAD)
READY = _health(
    "ready",
    {
        "loading": "The edge model is being loaded",
        "draining": "The gateway is shutting down",
        "stalled": "Questions wait and no batch is finished",
        "failing": "The edge model fails on every question",
        **_DEAD,
    },
)

"""One table from kinds of errors to statuses, and one form of error body: `{"error": {"type", "message", "param"?, "request_id"}}`.

Paths whose clients read another form get the same error in that form (`app/api/error_form.py`); the reply finds out when it is sent.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from app.api.error_form import ErrorReply
from app.core.errors import (
    BudgetExhausted,
    CircuitOpen,
    CloudMisconfigured,
    CloudNotConfigured,
    CloudRejected,
    CloudTimeout,
    CloudUnavailable,
    CloudUnparsable,
    ConfigError,
    DeadlineExceeded,
    Draining,
    EdgeError,
    FogGateError,
    Forbidden,
    InvalidQuestion,
    NotPassedOn,
    NotReady,
    Overloaded,
    PayloadTooLarge,
    RateLimited,
    Unauthorized,
    UnknownModel,
    Unsupported,
)
from app.telemetry.metrics import Metrics

STATUS: dict[type[FogGateError], int] = {
    InvalidQuestion: 422,
    Unsupported: 422,
    UnknownModel: 404,
    NotPassedOn: 404,
    PayloadTooLarge: 413,
    Unauthorized: 401,
    Forbidden: 403,
    RateLimited: 429,
    Overloaded: 429,
    Draining: 503,
    NotReady: 503,
    DeadlineExceeded: 504,
    EdgeError: 503,
    CloudTimeout: 504,
    CloudUnavailable: 502,
    CloudRejected: 502,
    CloudMisconfigured: 502,
    CloudUnparsable: 502,
    CircuitOpen: 502,
    BudgetExhausted: 502,
    # No caller gets these two: the edge answers in the place of a cloud that is not configured, and a configuration is checked at
    # start-up. Listed so that the table is complete.
    CloudNotConfigured: 502,
    ConfigError: 500,
}
# After these another request costs as much as the first one and ends in the same way: budget and breaker recover by themselves, and the
# pool has made all the attempts that can help.
_ONLY_COSTS = (BudgetExhausted, CircuitOpen, CloudMisconfigured, CloudNotConfigured, CloudRejected, CloudUnparsable)
_MAX_NAME_CHARS = 64
_NEEDS_RETRY_AFTER = (429, 503)
_LONGEST_WAIT_S = 86_400
_HTTP_TYPES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "payload_too_large",
    415: "unsupported_media_type",
    421: "misdirected_request",
}
_HTTP_MESSAGES = {
    400: "the body is not valid JSON in UTF-8",
    404: "there is nothing at this path",
    405: "this path does not take this method",
    408: "the body did not come in time",
    415: "the body must be sent as content-type application/json",
    421: "this gateway does not answer to that host name",
}


def error_body(kind: str, message: str, request_id: str, param: str | None = None) -> dict[str, Any]:
    """An error body."""
    return {"error": {"type": kind, "message": message, **({"param": param} if param else {}), "request_id": request_id}}


def body_of(error: FogGateError, request_id: str) -> dict[str, Any]:
    """The body of a FogGateError."""
    return error_body(error.code, error.message, request_id, error.param)


def status_of(error: FogGateError) -> int:
    """The status of an error; one that an edge refines for itself has the status of its kind."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def response_of(error: FogGateError, request_id: str) -> ErrorReply:
    """The response of a FogGateError."""
    status = status_of(error)
    return ErrorReply(body_of(error, request_id), status, retry_headers(error, status, error.retry_after_s))


def retry_headers(error: FogGateError, status: int, wait_s: float | None) -> dict[str, str]:
    """The headers that say whether and when another attempt makes sense.

    Args:
        error: what went wrong.
        status: status of the reply; with 429 and 503 there is always a `Retry-After`.
        wait_s: seconds to wait, where they are known.
    """
    if status in _NEEDS_RETRY_AFTER:
        return retry_after(1 if wait_s is None else wait_s)
    if isinstance(error, _ONLY_COSTS):
        return {"x-should-retry": "false"}
    return {} if wait_s is None else retry_after(wait_s)


def retry_after(wait_s: float) -> dict[str, str]:
    """The headers that say in how many seconds a new attempt makes sense: a day at most, whatever an endpoint says."""
    wait_s = min(wait_s, _LONGEST_WAIT_S)
    return {"retry-after": str(math.ceil(wait_s)), "retry-after-ms": str(math.ceil(wait_s * 1000))}


def usual_message(status: int) -> str:
    """The message of a plain HTTP condition."""
    return _HTTP_MESSAGES.get(status, f"HTTP {status}")


def http_response(status: int, request_id: str, headers: Mapping[str, str] | None = None, *, message: str | None = None) -> ErrorReply:
    """The response of a plain HTTP condition (400, 404, 405, 415 …), with the usual message of that status or another one."""
    kind = _HTTP_TYPES.get(status, "http_error")
    return ErrorReply(error_body(kind, message or usual_message(status), request_id), status, headers)


def internal_error(request_id: str) -> dict[str, Any]:
    """The body of a reply after a bug."""
    return error_body("internal_error", "an internal error; the request id is in the log", request_id)


def validation_error(errors: Sequence[Mapping[str, Any]]) -> InvalidQuestion:
    """The first of pydantic's errors as an InvalidQuestion: the field and what is wrong. The value itself is never repeated."""
    first = errors[0]
    path = ".".join(_shown(str(part)) for part in first["loc"] if part != "body")
    message = "unknown field" if first["type"] == "extra_forbidden" else str(first["msg"]).removeprefix("Value error, ")
    return InvalidQuestion(f"{path}: {message}" if path else message, param=path or None)


def _shown(name: str) -> str:
    """A field's name, shortened: a caller's name can be as long as the body."""
    return name if len(name) <= _MAX_NAME_CHARS else name[:_MAX_NAME_CHARS] + "…"


class Refusals:
    """Makes the response of every exception of FastAPI, Starlette and FogGate; nothing else does that.

    Args:
        metrics: where refusals are counted.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._rejected = metrics.rejected

    def of(self, request: Request, error: Exception) -> JSONResponse | None:
        """The response of an exception; None where it is none of theirs, but a bug."""
        if isinstance(error, FogGateError):
            self._rejected.labels(error.code).inc()
            return response_of(error, request.state.request_id)
        if isinstance(error, RequestValidationError):
            first = error.errors()[0]
            if first["type"] == "json_invalid" or (first["type"] == "missing" and first["loc"] == ("body",)):
                self._rejected.labels("bad_request").inc()
                return http_response(400, request.state.request_id)
            return self.of(request, validation_error([first]))
        if isinstance(error, HTTPException):
            headers = dict(error.headers or {})
            if "GET" in headers.get("Allow", ""):
                # The routes do not know that HEAD is answered as GET is; see `HeadAsGet`.
                headers["Allow"] = "GET, HEAD"
            return http_response(error.status_code, request.state.request_id, headers)
        return None


def install_handlers(app: FastAPI, refusals: Refusals) -> None:
    """Let the application translate exceptions that come through its router."""

    async def refused(request: Request, error: Exception) -> JSONResponse:
        response = refusals.of(request, error)
        assert response is not None  # noqa: S101  # only the exceptions below come here
        return response

    for kind in (FogGateError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, refused)

"""Pure ASGI around every request: its id, its one log line, bugs, HEAD, and callers who leave.

Pure ASGI because Starlette's BaseHTTPMiddleware hides the disconnect from the application inside it.
"""

import asyncio
import re
import time
from collections.abc import Callable, Collection
from typing import Any

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.error_form import FORM, ErrorReply
from app.api.errors import internal_error
from app.api.face import Endpoints
from app.api.page_session import STATE, key_in_cookies
from app.core.ids import new_id
from app.telemetry.metrics import OTHER, Metrics
from app.telemetry.request_line import note, request_line
from app.telemetry.tracing import trace_id

log = structlog.get_logger("foggate.request")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_OURS = b"x-foggate-"
_COOKIE = b"cookie"
# The one header of ours that a caller may send, and where its meaning stands in the state of the request.
DEBUG_HEADER, DEBUG = "x-foggate-debug", "debug"
# Where the state of a request holds headers for its reply, whoever makes that: a handler, a stream, or what refuses the request.
MORE_HEADERS = "more_headers"


class RequestContext:
    """Outermost: request id, log line, `Connection: close` while draining; no cookie or query comes through.

    Args:
        app: the application behind.
        draining: whether callers are to close their connections.
        metrics: where requests are counted.
        endpoints: the paths that metrics name (callers make up others), those that the log leaves out, and the forms of errors.
    """

    def __init__(self, app: ASGIApp, draining: Callable[[], bool], metrics: Metrics, endpoints: Endpoints) -> None:
        self.app = app
        self.draining = draining
        self.metrics = metrics
        self.endpoints = endpoints
        self.quiet = endpoints.paths(lambda one: one.quiet)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        # A body with two lengths: a proxy in front may believe the other one, and take the rest of the body for the next request (RFC 9112, 6.3).
        two_lengths = "transfer-encoding" in headers and "content-length" in headers
        request_id = given if _REQUEST_ID.fullmatch(given) else new_id()
        # Headers of ours are set by the gateway only: nothing behind may take a caller's for one. And nothing behind reads a cookie or a
        # query, but FastAPI parses both for every request, the cookie in time that grows with the square of its length. What a login of
        # the page left in a cookie is looked up here.
        own = [(name, value) for name, value in scope["headers"] if not (found := name.lower()).startswith(_OURS) and found != _COOKIE]
        key = key_in_cookies(scope["headers"])
        scope = {**scope, "headers": own, "query_string": b""}
        endpoint = self.endpoints.of(scope["path"])
        scope.setdefault("state", {}).update(
            {
                "request_id": request_id,
                STATE: key,
                FORM: endpoint.error_form if endpoint is not None else None,
                DEBUG: headers.get(DEBUG_HEADER, "").strip().lower() == "true",
            }
        )
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.monotonic()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                ours = [(b"x-request-id", request_id.encode())]
                ours += [(name.encode(), value.encode()) for name, value in scope["state"].get(MORE_HEADERS, {}).items()]
                if two_lengths or self.draining():
                    ours.append((b"connection", b"close"))
                names = [name for name, _ in ours]
                message["headers"] = [pair for pair in message.get("headers", ()) if pair[0].lower() not in names] + ours
            await send(message)

        with request_line() as fields:
            try:
                await self.app(scope, receive, send_with_id)
            except asyncio.CancelledError:
                note(cancelled=True)
                raise
            finally:
                self.metrics.responded(endpoint.shown if endpoint is not None and endpoint.counted else OTHER, status, fields.get("key"))
                if scope["path"] not in self.quiet:
                    self._log(scope, status, time.monotonic() - started, fields)
                structlog.contextvars.unbind_contextvars("request_id")

    @staticmethod
    def _log(scope: Scope, status: int, seconds: float, fields: dict[str, Any]) -> None:
        if (trace := trace_id()) is not None:
            fields["trace_id"] = trace
        client = scope["client"][0] if scope.get("client") else None
        duration_ms = round(seconds * 1000, 1)
        log.info("request", client=client, method=scope["method"], path=scope["path"], status=status, duration_ms=duration_ms, **fields)


class InternalErrors:
    """Answers 500 without details where a bug raised an exception."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception:
            if scope["type"] != "http":
                raise
            log.exception("a bug: unhandled exception", path=scope["path"])
            self.metrics.rejected.labels("internal_error").inc()
            if not begun:
                await ErrorReply(internal_error(scope["state"]["request_id"]), 500)(scope, receive, send)


class HeadAsGet:
    """Handles HEAD as GET; the server leaves the body out."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self.app(scope, receive, send)


class CancelOnDisconnect:
    """Cancels everything that runs for a caller as soon as they leave: their queued edge work, their cloud call, its retries.

    Stands inside `app.api.body_guard.BodyGuard`, so the body has been read and the next message can only be the disconnect.
    """

    def __init__(self, app: ASGIApp, paths: Collection[str]) -> None:
        self.app = app
        self.paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self.paths:
            await self._watched(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _watched(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await receive()
        gone = asyncio.Event()
        answered = False
        work = asyncio.current_task()
        assert work is not None  # noqa: S101  # a coroutine runs in one

        async def from_here() -> Message:
            nonlocal body
            if body:
                message, body = body, {}
                return message
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send_and_note(message: Message) -> None:
            nonlocal answered
            answered = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            # A server sends "disconnect" after a complete response too; clean-up that still runs then must not be cancelled.
            if not answered:
                gone.set()
                work.cancel()

        watcher = asyncio.ensure_future(watch())
        try:
            await self.app(scope, from_here, send_and_note)
        except asyncio.CancelledError:
            # Whoever else cancels this request wants its task to end.
            if not gone.is_set() or work.cancelling() > 1:
                raise
            note(client_left=True)
        finally:
            watcher.cancel()
            if gone.is_set():
                work.uncancel()

"""Pure ASGI around every request: its id, its one log line, the guard on its body, and the hang-up of its caller.

Pure ASGI because Starlette's BaseHTTPMiddleware hides the disconnect from what runs inside it.
"""

import asyncio
import re
import time
import uuid
from collections.abc import Callable, Collection
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.auth import QUIET
from app.api.encoding import ACCEPTED, NotDecodable, TooLarge, UnsupportedEncoding, coding_of, decoded
from app.api.errors import http_response, internal_error, response_of
from app.errors import PayloadTooLarge
from app.metrics import Metrics
from app.offload import in_text_thread
from app.tracing import trace_id

log = structlog.get_logger("foggate.request")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_OURS = b"x-foggate-"
_COOKIE = b"cookie"
# An oversized body is read and thrown away up to here, so that the caller gets to see the 413; beyond, we hang up.
_DISCARD_AT_MOST = 64 * 1024 * 1024


class RequestContext:
    """Outermost: request id, log line, 500 without details, `Connection: close` while draining; no cookie or query comes through.

    Handlers leave what the log line should say in `scope["state"]["log"]`: numbers and names, never question text.
    """

    def __init__(self, app: ASGIApp, draining: Callable[[], bool], metrics: Metrics) -> None:
        self.app = app
        self.draining = draining
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        # Ours are ours to say: nobody behind may take a caller's for one. And nobody behind reads a cookie or a query, but FastAPI
        # takes both apart for every request, the cookie in time that grows with the square of its length.
        own = [(name, value) for name, value in scope["headers"] if not (found := name.lower()).startswith(_OURS) and found != _COOKIE]
        scope = {**scope, "headers": own, "query_string": b""}
        fields: dict[str, Any] = {}
        scope.setdefault("state", {}).update(request_id=request_id, log=fields)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.monotonic()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                if self.draining():
                    headers["connection"] = "close"
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except asyncio.CancelledError:
            fields["cancelled"] = True
            raise
        except Exception:
            log.exception("a bug: unhandled exception", path=scope["path"])
            self.metrics.rejected.labels("internal_error").inc()
            if not status:
                await JSONResponse(internal_error(request_id), 500)(scope, receive, send_with_id)
        finally:
            if scope["path"] not in QUIET:
                duration_ms = round((time.monotonic() - started) * 1000, 1)
                if (trace := trace_id()) is not None:
                    fields["trace_id"] = trace
                client = scope["client"][0] if scope.get("client") else None
                log.info(
                    "request", client=client, method=scope["method"], path=scope["path"], status=status, duration_ms=duration_ms, **fields
                )
            structlog.contextvars.unbind_contextvars("request_id")


class HeadAsGet:
    """HEAD is GET without the body, which the server leaves out."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self.app(scope, receive, send)


class BodyGuard:
    """JSON only, no more of it than configured and no slower, before anything looks inside. Compressed bodies go on as they were
    before they were compressed.

    Args:
        app: what comes behind.
        paths: those that take a body; another path or method is answered without reading one.
        max_body_bytes: of a body as it is sent, and after decompression.
        timeout_s: until it is here.
        metrics: where refusals are counted.
    """

    def __init__(self, app: ASGIApp, paths: Collection[str], max_body_bytes: int, timeout_s: float, metrics: Metrics) -> None:
        self.app = app
        self.paths = frozenset(paths)
        self.timeout_s = timeout_s
        self.max_body_bytes = max_body_bytes
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in self.paths:
            await self.app(scope, receive, send)
            return
        request_id = scope["state"]["request_id"]
        try:
            async with asyncio.timeout(self.timeout_s):
                read = await self._read(receive)
        except TimeoutError:
            self.metrics.rejected.labels("request_timeout").inc()
            await http_response(408, request_id, {"connection": "close"})(scope, receive, send)
            return
        if read is None:
            return
        body, total, more = read
        if total > self.max_body_bytes:
            self.metrics.rejected.labels("payload_too_large").inc()
            error = PayloadTooLarge(f"the body is over the limit of {self.max_body_bytes} bytes")
            response = response_of(error, request_id)
            if more:
                response.headers["connection"] = "close"
            await response(scope, receive, send)
            return
        refusal, body = await self._refusal(Headers(scope=scope), body, request_id)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        waiting: Message | None = {"type": "http.request", "body": body, "more_body": False}

        async def replay() -> Message:
            nonlocal waiting
            if waiting is not None:
                message, waiting = waiting, None
                return message
            return await receive()

        await self.app(scope, replay, send)

    async def _refusal(self, headers: Headers, body: bytes, request_id: str) -> tuple[JSONResponse | None, bytes]:
        """What to say to a body that is not JSON by its type or cannot be decompressed, and the body without compression."""
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
            self.metrics.rejected.labels("unsupported_media_type").inc()
            return http_response(415, request_id), body
        try:
            coding = coding_of(headers.getlist("content-encoding"))
            if coding is None or not body:
                return None, body
            # A small body may become a large one, which takes milliseconds.
            return None, await in_text_thread(decoded, body, coding, self.max_body_bytes)
        except UnsupportedEncoding as error:
            self.metrics.rejected.labels("unsupported_media_type").inc()
            return http_response(415, request_id, {"accept-encoding": ACCEPTED}, message=str(error)), body
        except NotDecodable as error:
            self.metrics.rejected.labels("bad_request").inc()
            return http_response(400, request_id, message=str(error)), body
        except TooLarge:
            self.metrics.rejected.labels("payload_too_large").inc()
            too_large = PayloadTooLarge(f"the decompressed body is over the limit of {self.max_body_bytes} bytes")
            return response_of(too_large, request_id), body

    async def _read(self, receive: Receive) -> tuple[bytes, int, bool] | None:
        """The body up to the limit, its whole length, and whether more is coming; None if the caller left."""
        body, total, more = bytearray(), 0, True
        while more and total <= _DISCARD_AT_MOST:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            total += len(message.get("body", b""))
            more = message.get("more_body", False)
            if total <= self.max_body_bytes:
                body += message.get("body", b"")
        return bytes(body), total, more


class CancelOnDisconnect:
    """Cancels what runs for a caller as soon as he hangs up: his queued edge work, his cloud call, its retries.

    Stands inside `BodyGuard`, so the body is already here and the next message can only be the disconnect.
    """

    def __init__(self, app: ASGIApp, paths: Collection[str]) -> None:
        self.app = app
        self.paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in self.paths:
            await self.app(scope, receive, send)
            return
        body = await receive()
        gone = asyncio.Event()
        answered = False

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
            # A server says "disconnect" after a complete response too: what still tidies up then is not to be cancelled.
            if not answered:
                gone.set()
                work.cancel()

        work = asyncio.ensure_future(self.app(scope, from_here, send_and_note))
        watcher = asyncio.ensure_future(watch())
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            work.cancel()
            raise
        finally:
            watcher.cancel()
        if work.cancelled() and gone.is_set():
            scope["state"]["log"]["client_left"] = True
            return
        work.result()

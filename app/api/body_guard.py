"""Bodies before anything decodes them: JSON by their type, bounded in size and time, decompressed."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.encoding import ACCEPTED, NotDecodable, TooLarge, UnsupportedEncoding, coding_of, decoded
from app.api.errors import http_response, response_of
from app.core.errors import PayloadTooLarge
from app.core.offload import in_text_thread
from app.telemetry.metrics import Metrics

# An oversized body is read and discarded up to this size, so that the caller receives the 413; beyond it the connection is closed.
_DISCARD_AT_MOST = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Bounds of a body.

    Attributes:
        max_bytes: size of a body as it is sent, and after decompression.
        timeout_s: seconds until all of it is here.
    """

    max_bytes: int
    timeout_s: float


class BodyGuard:
    """Accepts JSON only, within the configured size and time, before anything decodes it. Compressed bodies are passed on
    decompressed.

    Args:
        app: the application behind.
        paths: paths that take a body; another path or method is answered without reading one.
        limits: bounds of a body.
        metrics: where refusals are counted.
    """

    def __init__(self, app: ASGIApp, paths: Collection[str], limits: BodyLimits, metrics: Metrics) -> None:
        self.app = app
        self.paths = frozenset(paths)
        self.timeout_s = limits.timeout_s
        self.max_body_bytes = limits.max_bytes
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
        """The refusal of a body that is not JSON by its type or cannot be decompressed, and the body without compression."""
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

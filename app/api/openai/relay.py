"""Replies to chats that went to the cloud as they came: whole, streamed, and what the cloud refuses, each as the cloud sent it."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from app.api.error_form import openai_error
from app.api.errors import body_of, error_body, retry_headers, status_of
from app.api.openai.chat_reply import event
from app.api.openai.facts import PASSED_ON, headers_of, shown_cost
from app.cloud.passing import RawChat
from app.core.errors import CloudError, FogGateError, Refusal
from app.core.offload import SMALL, in_text_thread
from app.core.strict_json import loads
from app.gateway.gateway import Gateway
from app.gateway.passing import PassedReply, PassedStream
from app.telemetry.request_line import note

JSON, EVENTS = "application/json", "text/event-stream"
_MAX_ERROR_VALUES = 1_000


async def pass_on(gateway: Gateway, content: bytes, fields: dict[str, Any], request: Request) -> PassedReply | PassedStream | Response:
    """The cloud's reply to a chat, or the response with what it says in place of an answer.

    Args:
        gateway: passes it on.
        content: the chat's body, a JSON object.
        fields: the same, decoded.
        request: the request that it came with; tells who asks.

    Raises:
        FogGateError: what `Gateway.pass_through` raises, but for a refusal that its caller may read.
    """
    chat = RawChat.of(content, fields) if len(content) <= SMALL else await in_text_thread(RawChat.of, content, fields)
    note(route="cloud", reason=PASSED_ON)
    try:
        return await gateway.pass_through(chat, request.state.caller)
    except CloudError as error:
        if error.refusal is None:
            raise
        gateway.state.metrics.rejected.labels(error.code).inc()
        return _refused(error, error.refusal, request.state.request_id)


def facts_of(passed: PassedReply | PassedStream, ignored: Sequence[str] = ()) -> dict[str, str]:
    """Headers of such a reply; `ignored` names what of the request had no effect."""
    # What a stream costs is known at its end.
    cost = passed.cost if isinstance(passed, PassedReply) else None
    said = {"route": "cloud", "reason": PASSED_ON, "model": passed.model, "cost": shown_cost(cost), "ignored": ",".join(ignored) or None}
    return headers_of(said)


class Relay(Response):
    """A streamed reply, handed on as it comes: no faster than the caller reads it.

    Where it breaks off, the caller reads an error as its last event. A caller who leaves ends the call to the cloud.

    Args:
        stream: the reply, which this closes.
        request_id: id of the request, which an error repeats.
        ignored: names of what of the request has no effect.
    """

    def __init__(self, stream: PassedStream, request_id: str, *, ignored: Sequence[str] = ()) -> None:
        super().__init__(headers={**facts_of(stream, ignored), "cache-control": "no-store"}, media_type=EVENTS)
        del self.headers["content-length"]
        self._stream = stream
        self.request_id = request_id

    def begin(self) -> bytes:
        """What comes in front of the first events."""
        return b""

    def take(self, events: bytes) -> bytes:
        """What becomes of events of the cloud."""
        return events

    def end(self) -> bytes:
        """What comes behind the last events of a reply that came to its end."""
        return b""

    def failed(self, error: FogGateError) -> bytes:
        """What comes behind the last events of a reply that broke off."""
        return (b"\n\n" if self._stream.broken else b"") + error_event(error, self.request_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI
        async with self._stream as stream:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": self.begin(), "more_body": True})
            try:
                async for events in stream:
                    await send({"type": "http.response.body", "body": self.take(events), "more_body": True})
                last = self.end()
            except CloudError as error:
                note(reason=error.code)
                last = self.failed(error)
            await send({"type": "http.response.body", "body": last, "more_body": False})


def error_event(error: FogGateError, request_id: str) -> bytes:
    """An error as the last event of a stream; OpenAI's clients raise it."""
    return event(error_in_stream(error, request_id))


def error_in_stream(error: FogGateError, request_id: str) -> dict[str, Any]:
    """An error in OpenAI's form, for a stream whose status has been sent already."""
    return openai_error(body_of(error, request_id)["error"], status_of(error))[0]


def _refused(error: CloudError, refusal: Refusal, request_id: str) -> Response:
    """What the cloud says in place of an answer, with its status; in OpenAI's form, whatever form it has."""
    headers = headers_of({"route": "cloud", "reason": PASSED_ON}) | retry_headers(error, refusal.status, refusal.retry_after_s)
    if _is_error(refusal.content):
        return Response(refusal.content, refusal.status, headers, JSON)
    body, _ = openai_error(error_body(error.code, error.message, request_id)["error"], refusal.status)
    return JSONResponse(body, refusal.status, headers)


def _is_error(content: bytes) -> bool:
    try:
        payload = loads(content, max_values=_MAX_ERROR_VALUES)
    except ValueError:
        return False
    return isinstance(payload, dict) and bool(payload.get("error"))

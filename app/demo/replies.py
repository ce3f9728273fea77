"""What the mock cloud sends: whole completions, streamed ones, errors, and replies that break off."""

import asyncio
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from app.demo.chats import Call

MODEL = "demo-cloud"


def completion(prompt: str, said: str | Call, call: int) -> dict[str, Any]:
    """A chat completion.

    Args:
        prompt: text of the last user message.
        said: text of the reply, or the call of a function.
        call: number of the call, for the id.
    """
    if isinstance(said, Call):
        message: dict[str, Any] = {"content": None, "tool_calls": [_called(said, said.arguments, call)]}
    else:
        message = {"content": said}
    reason = "tool_calls" if isinstance(said, Call) else "stop"
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return {**_head("chat.completion", call), "choices": [choice], "usage": _usage(prompt, said)}


def events_of(prompt: str, said: str | Call, call: int, *, with_usage: bool) -> list[bytes]:
    """The server-sent events of a streamed chat completion, one a word, `[DONE]` last.

    Args:
        prompt: text of the last user message.
        said: text of the reply, or the call of a function, whose arguments come in two pieces.
        call: number of the call, for the id.
        with_usage: whether an event with the usage and without choices comes before the end (`stream_options.include_usage`).
    """
    deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": ""}, None)]
    if isinstance(said, Call):
        half = len(said.arguments) // 2
        rest = {"index": 0, "function": {"arguments": said.arguments[half:]}}
        deltas += [({"tool_calls": [one]}, None) for one in (_called(said, said.arguments[:half], call), rest)]
    else:
        words = said.split(" ")
        deltas += [({"content": piece}, None) for piece in (words[0], *(f" {word}" for word in words[1:]))]
    deltas.append(({}, "tool_calls" if isinstance(said, Call) else "stop"))
    head = _head("chat.completion.chunk", call)
    no_usage = {"usage": None} if with_usage else {}
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **no_usage} for delta, reason in deltas]
    if with_usage:
        chunks.append({**head, "choices": [], "usage": _usage(prompt, said)})
    return [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks] + [b"data: [DONE]\n\n"]


def with_broken_json(events: Sequence[bytes]) -> list[bytes]:
    """The events, the second one cut in the middle of its JSON."""
    first, second, *rest = events
    return [first, second[: len(second) // 2] + b"\n\n", *rest]


def error(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An error in OpenAI's form."""
    return JSONResponse({"error": {"message": message, "type": "demo_cloud", "code": status}}, status_code=status, headers=headers)


async def left(receive: Receive, wait_s: float) -> bool:
    """Wait like a busy model would; True if the caller closed the connection meanwhile.

    Args:
        receive: channel of a request whose body has been read, so that its next message can only be the disconnect.
        wait_s: seconds to wait; infinite waits for the disconnect.
    """
    if wait_s <= 0:
        return False
    gone = asyncio.ensure_future(receive())
    done, _ = await asyncio.wait({gone}, timeout=None if math.isinf(wait_s) else wait_s)
    gone.cancel()
    return bool(done)


class Cut(Response):
    """A response that promises more than it sends, after which the server closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"id": "chatcmpl-', "more_body": True})


class Streamed(Response):
    """Server-sent events, one after the other.

    Args:
        events: what is sent.
        gap_s: seconds between two events.
        cut: whether the server closes the connection in the middle of the events.
        on_left: called when the caller has closed the connection before the last event.
    """

    def __init__(self, events: Sequence[bytes], *, gap_s: float, cut: bool, on_left: Callable[[], None]) -> None:
        super().__init__()
        self._events = events[: len(events) // 2] if cut else events
        self._gap_s = gap_s
        self._cut = cut
        self._on_left = on_left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number, event in enumerate(self._events):
            if number and await left(receive, self._gap_s):
                self._on_left()
                return
            await send({"type": "http.response.body", "body": event, "more_body": True})
        if not self._cut:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _head(kind: str, call: int) -> dict[str, Any]:
    return {"id": f"chatcmpl-demo-{call}", "object": kind, "created": 0, "model": MODEL}


def _called(said: Call, arguments: str, call: int) -> dict[str, Any]:
    return {"index": 0, "id": f"call_demo_{call}", "type": "function", "function": {"name": said.name, "arguments": arguments}}


def _usage(prompt: str, said: str | Call) -> dict[str, int]:
    text = said.arguments if isinstance(said, Call) else said
    # Four characters a token: an estimate, good enough to exercise whoever counts.
    used, written = len(prompt) // 4, max(1, len(text) // 4)
    return {"prompt_tokens": used, "completion_tokens": written, "total_tokens": used + written}

"""Errors in the forms that decision clients read, made of the gateway's own form when a reply is sent.

Keys, hosts and bodies are refused before any route is chosen, so that errors are translated here by path, whatever made them.
"""

import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.face import Endpoints

# The gateway's own error and the status of its reply → the body and the status of the protocol.
ErrorForm = Callable[[Mapping[str, Any], int], tuple[dict[str, Any], int]]

_SYSTEM_ONE = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_OPENAI = {401: "authentication_error", 403: "permission_error", 408: "timeout_error", 429: "rate_limit_error"}
# Which of two forms of a body was read is the name of neither's field.
_FORM = re.compile(r"(?:openai|sglang)(?:\.|: )")


def system_one_error(error: Mapping[str, Any], status: int) -> tuple[dict[str, Any], int]:
    """System One's: 422 with a list of details for a body that is wrong, else one detail with a type and a message."""
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
        place = error["param"].split(".") if error.get("param") else []
        return {"detail": [{"loc": ["body", *place], "msg": error["message"], "type": error["type"]}]}, 422
    kind = _SYSTEM_ONE.get(status, error["type"])
    return {"detail": {"error_type": kind, "message": error["message"], "request_id": error["request_id"]}}, status


def decisions_error(error: Mapping[str, Any], status: int) -> tuple[dict[str, Any], int]:
    """OpenAI's, with SGLang's fields beside it: 400 for whatever is wrong in a body."""
    status = 400 if status == HTTPStatus.UNPROCESSABLE_ENTITY else status
    kind = _OPENAI.get(status, "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error")
    message, param = (_FORM.sub("", text, count=1) if text else None for text in (error["message"], error.get("param")))
    said = {"message": message, "type": kind, "param": param}
    openai = {**said, "code": error["type"], "request_id": error["request_id"]}
    return {"error": openai, "object": "error", **said, "code": status}, status


class ErrorForms:
    """Translates the errors of paths whose clients read another form.

    Args:
        app: the application behind.
        endpoints: tells the form of each path.
    """

    def __init__(self, app: ASGIApp, endpoints: Endpoints) -> None:
        self.app = app
        self.forms = {one.path: one.error_form for one in endpoints if one.error_form is not None}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        form = self.forms.get(scope["path"]) if scope["type"] == "http" else None
        if form is None:
            await self.app(scope, receive, send)
            return
        start: Message | None = None
        body = bytearray()

        async def translated(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and message["status"] >= HTTPStatus.BAD_REQUEST:
                start = message
                return
            if start is None or message["type"] != "http.response.body":
                await send(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body", False):
                return
            said, status = form(json.loads(body)["error"], start["status"])
            content = json.dumps(said, ensure_ascii=False).encode()
            headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
            await send({**start, "status": status, "headers": [*headers, (b"content-length", str(len(content)).encode())]})
            await send({"type": "http.response.body", "body": content})

        await self.app(scope, receive, translated)

"""The forms of an error body: the gateway's own, and those that the clients of other interfaces read.

An endpoint names its form (`Endpoint.error_form`). Keys, hosts and bodies are refused before any route is chosen, so an error learns
only when it is sent which form its path has; `ErrorReply` is the one place that applies it.
"""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

# The gateway's own error (what its body has under "error") and the status of its reply → the body and the status of the protocol.
ErrorForm = Callable[[Mapping[str, Any], int], tuple[dict[str, Any], int]]

# In the state of a request's scope: the form of the errors of its path; None where it is the gateway's own.
FORM = "error_form"
_TYPES = {401: "authentication_error", 403: "permission_error", 408: "timeout_error", 429: "rate_limit_error"}


def openai_status(status: int) -> int:
    """The status that OpenAI gives such an error: a field that is wrong is 400 there."""
    return 400 if status == HTTPStatus.UNPROCESSABLE_ENTITY else status


def openai_error(error: Mapping[str, Any], status: int) -> tuple[dict[str, Any], int]:
    """OpenAI's form; `code` is our name of the kind of error."""
    status = openai_status(status)
    kind = _TYPES.get(status, "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error")
    said = {"message": error["message"], "type": kind, "param": error.get("param"), "code": error["type"]}
    return {"error": {**said, "request_id": error["request_id"]}}, status


class ErrorReply(JSONResponse):
    """An error as a response, in the form that belongs to the path.

    Args:
        body: the body in our own form.
        status: status of the reply in our own form.
        headers: headers of the reply.
    """

    def __init__(self, body: dict[str, Any], status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(body, status, headers)
        self._ours = body

    def render(self, content: Any) -> bytes:
        """The body; a name of the caller's that is not valid Unicode is shown with question marks."""
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        form: ErrorForm | None = scope.get("state", {}).get(FORM)
        if form is not None:
            body, self.status_code = form(self._ours["error"], self.status_code)
            self.body = self.render(body)
            self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)

"""The forms of errors that decision clients read, made of the gateway's own form."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from app.api.error_form import openai_error

_SYSTEM_ONE = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
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
    """OpenAI's, with SGLang's fields beside it, whose `code` is the status."""
    message, param = (_FORM.sub("", text, count=1) if text else None for text in (error["message"], error.get("param")))
    body, status = openai_error({**error, "message": message, "param": param}, status)
    beside = {name: body["error"][name] for name in ("message", "type", "param")}
    return {**body, "object": "error", **beside, "code": status}, status

"""The face for clients of OpenAI's Responses API: `/v1/responses`, stateless."""

import json
import time
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from app.api.body import chat_route
from app.api.error_form import openai_error
from app.api.face import Endpoint, Face
from app.api.middleware import DEBUG
from app.api.model_names import chosen_by
from app.api.openai import described
from app.api.openai.asking import Answered, Chat, answered, check_may_leave
from app.api.openai.chat_reply import usage_of
from app.api.openai.relay import EVENTS, JSON, facts_of, pass_on
from app.api.openai.responses_relay import ResponseRelay
from app.api.openai.responses_reply import Responder
from app.api.openai.responses_request import ResponsesRequest, fields_of, messages_of, repeated, turns_of
from app.api.openai.responses_tools import tools_of
from app.api.openai.responses_written import Written
from app.core.errors import FogGateError, InvalidQuestion
from app.core.ids import new_id
from app.core.strict_json import loads
from app.gateway.gateway import Gateway
from app.gateway.passing import PassedReply, PassedStream

RESPONSES = Endpoint("/v1/responses", takes_body=True, replies=described.RESPONSES, error_form=openai_error)
_MAX_VALUES = 100_000
_NAMES = {"max_completion_tokens": "max_output_tokens", "response_format": "text", "messages": "input"}


def responses_face(gateway: Gateway) -> Face:
    """The route of responses."""
    face = Face("openai", chat_route())

    @face.serves(RESPONSES, summary="Answer a chat as a response", description=described.RESPONSES_TEXT)
    async def responses(asked: ResponsesRequest, request: Request) -> Response:
        caller = request.state.caller
        chosen = chosen_by(asked.model, gateway.state)
        tools = tools_of(asked.fields)
        messages, fields = messages_of(asked), fields_of(asked.fields, tools)
        responder = Responder(new_id(), int(time.time()), asked.model, repeated(asked, tools), tools)
        try:
            found = await answered(gateway, Chat(chosen, turns_of(messages), fields), caller)
        except FogGateError as error:
            _rename(error)
            raise
        if isinstance(found, Answered):
            return _reply(found, responder, streamed=bool(asked.stream), debug=getattr(request.state, DEBUG))
        if found.error is not None:
            _rename(found.error)
        check_may_leave(gateway, chosen, found, request)
        body: dict[str, Any] = {"model": asked.model, "messages": messages, **fields, "stream": bool(asked.stream)}
        # The last event of a response reports its usage, whoever asks.
        body |= {"stream_options": {"include_usage": True}} if asked.stream else {}
        passed = await pass_on(gateway, _encoded(body), body, request)
        if isinstance(passed, PassedStream):
            return ResponseRelay(passed, request.state.request_id, responder)
        if not isinstance(passed, PassedReply):
            return passed
        written = Written()
        written.take(loads(passed.content, max_values=_MAX_VALUES), part="message")
        return Response(responder.content(written), headers=facts_of(passed, tools.ignored), media_type=JSON)

    return face


def _rename(error: FogGateError) -> None:
    """Give a field of chat completions the name that it has here."""
    if error.param in _NAMES:
        error.message = error.message.replace(error.param, _NAMES[error.param])
        error.param = _NAMES[error.param]


def _encoded(body: Mapping[str, Any]) -> bytes:
    """A chat as JSON; half of a character stays what it is. Raises InvalidQuestion for a number that JSON does not have."""
    try:
        return json.dumps(body, allow_nan=False).encode()
    except ValueError:
        raise InvalidQuestion("the request holds a number that is not finite") from None


def _reply(found: Answered, responder: Responder, *, streamed: bool, debug: bool) -> Response:
    facts, written = found.facts, Written(usage=usage_of(found.facts.outcome))
    responder.id, responder.foggate = facts.decision_id, facts.body(debug=debug)
    if not streamed:
        for piece in found.pieces:
            written.say(piece.text)
        return Response(responder.content(written), headers=facts.headers(), media_type=JSON)
    events = [responder.beginning(), *(responder.changed(written, written.say(piece.text)) for piece in found.pieces)]
    content = b"".join((*events, responder.end(written)))
    return Response(content, headers={**facts.headers(), "cache-control": "no-store"}, media_type=EVENTS)

"""The face for OpenAI's clients: `/v1/chat/completions`."""

import time

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from app.api.body import chat_route
from app.api.error_form import openai_error
from app.api.face import Endpoint, Face
from app.api.middleware import DEBUG
from app.api.model_names import chosen_by
from app.api.openai import described
from app.api.openai.asking import Answered, Chat, answered, check_may_leave
from app.api.openai.chat_reply import Reply, knows_probabilities, usage_of
from app.api.openai.chat_request import ChatRequest, conversation
from app.api.openai.relay import EVENTS, JSON, Relay, facts_of, pass_on
from app.core.errors import InvalidQuestion, NotPassedOn
from app.gateway.gateway import Gateway
from app.gateway.passing import PassedReply, PassedStream

CHAT = Endpoint("/v1/chat/completions", takes_body=True, replies=described.CHAT, error_form=openai_error)
COMPLETIONS = Endpoint("/v1/completions", takes_body=True, counted=False, error_form=openai_error)
_NO_COMPLETIONS = (
    "/v1/completions is not served: an answer is read in one pass, and there are no log-probabilities of a prompt (echo). Use "
    "/v1/chat/completions; in lm-evaluation-harness: --model local-chat-completions with a generate_until task; in inspect_ai: "
    "--model openai-api/gateway/foggate with GATEWAY_BASE_URL (docs/clients.md)"
)


def chat_face(gateway: Gateway) -> Face:
    """The routes of chat completions."""
    face = Face("openai", chat_route())

    @face.serves(CHAT, summary="Answer a chat", description=described.CHAT_TEXT)
    async def chat(asked: ChatRequest, request: Request) -> Response:
        chosen = chosen_by(asked.model, gateway.state)
        if asked.stream_options is not None and not asked.stream:
            raise InvalidQuestion("stream_options needs stream: true", param="stream_options")
        found = await answered(gateway, Chat(chosen, conversation(asked.messages), asked.fields), request.state.caller)
        if isinstance(found, Answered):
            return _reply(found, asked, debug=getattr(request.state, DEBUG))
        check_may_leave(gateway, chosen, found, request)
        passed = await pass_on(gateway, await request.body(), await request.json(), request)
        if isinstance(passed, PassedReply):
            return Response(passed.content, headers=facts_of(passed), media_type=JSON)
        return Relay(passed, request.state.request_id) if isinstance(passed, PassedStream) else passed

    # It is no part of the interface: whoever comes here is told where to go.
    @face.router.post(COMPLETIONS.path, include_in_schema=False)
    async def completions() -> Response:
        raise NotPassedOn(_NO_COMPLETIONS)

    face.endpoints.append(COMPLETIONS)
    return face


def _reply(found: Answered, asked: ChatRequest, *, debug: bool) -> Response:
    facts, wishes = found.facts, found.wishes
    known = wishes.top_logprobs is None or knows_probabilities(found.pieces)
    if not known:
        facts = facts.without("logprobs")
    reply = Reply(
        id=f"chatcmpl-{facts.decision_id}",
        created=int(time.time()),
        model=asked.model,
        pieces=found.pieces,
        usage=usage_of(facts.outcome),
        foggate=facts.body(debug=debug),
        top_logprobs=wishes.top_logprobs if known else None,
    )
    if not asked.stream:
        return JSONResponse(reply.whole(), headers=facts.headers())
    headers = {**facts.headers(), "cache-control": "no-store"}
    return Response(reply.events(with_usage=asked.wants_usage), headers=headers, media_type=EVENTS)

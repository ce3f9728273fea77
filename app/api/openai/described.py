"""Descriptions of the replies of OpenAI's faces for the OpenAPI document, with real examples."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.api import examples, responses
from app.api.openai.chat_reply import Reply, usage_of
from app.api.openai.facts import Facts
from app.api.openai.form import pieces_of
from app.api.openai.responses_reply import Responder
from app.api.openai.responses_written import Written
from app.api.openai.wishes import Wishes
from app.recognise import Recognised

CHAT_TEXT = (
    "A chat whose last message asks one multiple-choice question is answered as `Confidence: c`, `Final answer: L`, or in the form that "
    "the chat asks for. The field `foggate` and the headers `x-foggate-…` say who answered and why; with the header `x-foggate-debug: "
    "true` the field holds everything that `/v1/answer` says. Parameters: docs/openai.md."
)


class ChatCompletion(BaseModel):
    """A chat completion in OpenAI's form."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: str
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: dict[str, Any] | None = None
    foggate: dict[str, Any] | None = Field(None, description="The routing; absent where the cloud's reply came through as it was.")


def _completion() -> dict[str, Any]:
    outcome = examples.EDGE_OUTCOME
    found = Recognised(outcome.question, tuple(outcome.question.letters), "A. lines")
    facts = Facts(found, outcome, "3f2a…")
    pieces = pieces_of(found, outcome, Wishes())
    foggate = examples.rounded(facts.body(debug=False))
    return Reply("chatcmpl-3f2a…", 1_764_115_200, "foggate", pieces, usage_of(outcome), foggate).whole()


class ResponseBody(BaseModel):
    """A response in OpenAI's form."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: str
    created_at: int
    status: str
    model: str
    output: list[dict[str, Any]]
    usage: dict[str, Any] | None = None
    foggate: dict[str, Any] | None = Field(None, description="The routing; absent where the cloud replied to a chat that is no question.")


def _response() -> dict[str, Any]:
    completion = _completion()
    written = Written()
    written.take(completion, part="message")
    return Responder("3f2a…", completion["created"], "foggate", foggate=completion["foggate"]).whole(written)


def _header(text: str) -> dict[str, Any]:
    return {"description": text, "schema": {"type": "string"}}


ROUTED = {
    "x-request-id": _header("Of this request: the caller's own, or a new one"),
    "x-foggate-route": _header("`edge`, `cloud`, or `edge-degraded` where the cloud was to answer and failed"),
    "x-foggate-reason": _header("Why, as in `/v1/answer`; `passed_on` for a chat that is no multiple-choice question"),
    "x-foggate-model": _header("The model that answered"),
    "x-foggate-tau": _header("The threshold"),
    "x-foggate-signal": _header("The signal that was compared with tau, or `none`"),
    "x-foggate-confidence": _header("The confidence that the edge model states"),
    "x-foggate-overhead-ms": _header("Time that was not spent waiting for the cloud"),
    "x-foggate-decision-id": _header("Id of the decision, which the log holds too"),
    "x-foggate-cost": _header("What the cloud cost for this reply, in the currency of `prices`; absent without prices and for streams"),
    "x-foggate-not-honoured": _header("With `x-foggate-debug: true`: the parameter because of which a question was passed on"),
    "x-foggate-not-recognised": _header("With `x-foggate-debug: true`: why the chat is no multiple-choice question (docs/recogniser.md)"),
    "x-foggate-ignored": _header("Parameters that had no effect on the answer, such as `temperature`"),
}
CHAT: responses.Responses = {
    200: {
        "model": ChatCompletion,
        "description": "An answer, or the cloud's reply to a chat that is no multiple-choice question",
        "headers": ROUTED,
        "content": {
            "application/json": {"example": _completion()},
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": 'data: {"object": "chat.completion.chunk", …}\n\ndata: [DONE]\n\n',
            },
        },
    },
    **responses.OPENAI_ASKING,
}
RESPONSES_TEXT = (
    "The part of OpenAI's Responses API that needs no memory: `input` as a text or a list of messages, calls of functions and their results; "
    "`instructions`; functions as `tools`; whole or as a stream of events. The answers are those of `/v1/chat/completions`. What is not "
    "supported (`previous_response_id`, `background`, other tools …) is refused by its name."
)
RESPONSES: responses.Responses = {
    200: {
        "model": ResponseBody,
        "description": "An answer, or the cloud's reply to a chat that is no multiple-choice question",
        "headers": ROUTED,
        "content": {
            "application/json": {"example": _response()},
            "text/event-stream": {"schema": {"type": "string"}, "example": "event: response.created\ndata: {…}\n\n"},
        },
    },
    **responses.OPENAI_ASKING,
}

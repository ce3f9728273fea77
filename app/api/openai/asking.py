"""From a conversation to an answer: finds its multiple-choice question and lets the gateway answer it, whatever face it came by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from app.access.caller import Caller
from app.access.keys import Permission
from app.api.middleware import DEBUG, MORE_HEADERS
from app.api.model_names import Chosen
from app.api.openai.facts import Facts, headers_of
from app.api.openai.form import Piece, check_form, pieces_of
from app.api.openai.wishes import Wishes, wishes_of
from app.core.ask import Ask
from app.core.errors import FogGateError, InvalidQuestion, Unsupported
from app.core.ids import new_id
from app.core.offload import SMALL, in_text_thread
from app.core.outcome import RouteRequest
from app.gateway.gateway import Gateway
from app.recognise import Recognised, Refusal, examine_chat
from app.telemetry.request_line import note


@dataclass(frozen=True, slots=True)
class Chat:
    """A request of an OpenAI client.

    Attributes:
        chosen: what the name of its model asks for.
        turns: pairs of role and text; None where the conversation is more than text.
        fields: its other fields, by the names that a chat completion has for them.
    """

    chosen: Chosen
    turns: Sequence[tuple[str, str]] | None
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answered:
    """An answered multiple-choice question.

    Attributes:
        facts: its routing.
        pieces: text of its answer.
        wishes: what the request asked for beside the question.
    """

    facts: Facts
    pieces: list[Piece]
    wishes: Wishes


@dataclass(frozen=True, slots=True)
class Refused:
    """A chat that the cascade does not answer.

    Attributes:
        error: what its caller is told where the chat cannot be passed on; None where it is no multiple-choice question.
        why: why it is no multiple-choice question; None where it is one.
    """

    error: FogGateError | None = None
    why: Refusal | None = None

    def headers(self) -> dict[str, str]:
        """What the reply says to a caller who asked for details, whether the chat is passed on or refused."""
        return headers_of(
            {
                "not-recognised": None if self.why is None else self.why.value,
                "not-honoured": None if self.error is None else self.error.param or self.error.code,
            }
        )


async def answered(gateway: Gateway, chat: Chat, caller: Caller) -> Answered | Refused:
    """The answer to the multiple-choice question that a chat asks, or why the cascade has none.

    Args:
        gateway: answers the question.
        chat: the chat.
        caller: who asks.

    Raises:
        InvalidQuestion: a parameter of the request is wrong.
        FogGateError: what `Gateway.answer` raises.
    """
    if chat.chosen.is_a_choice:
        caller.require(Permission.FORCE_ROUTE, param="model")
    found = await _recognised(chat.turns) if chat.turns is not None else Refusal.CONVERSATION
    if isinstance(found, Refusal):
        return Refused(why=found)
    wishes = wishes_of(chat.fields)
    try:
        if wishes.beyond is not None:
            raise _beyond(wishes.beyond)
        check_form(found, wishes)
    except Unsupported as error:
        return Refused(error)
    try:
        outcome = await gateway.answer(Ask(found.question, chat.chosen.tau, chat.chosen.route), caller)
    except InvalidQuestion as error:
        # It is too long for the edge model. The question is paid for, so it is not charged again where it is passed on.
        caller.paid += 1
        error.param = "messages"
        return Refused(error)
    decision_id = new_id()
    note(decision=decision_id)
    return Answered(Facts(found, outcome, decision_id, wishes.ignored), pieces_of(found, outcome, wishes), wishes)


def check_may_leave(gateway: Gateway, chosen: Chosen, why: Refused, request: Request) -> None:
    """See whether a chat that the cascade does not answer may go to the cloud as it came; note why for a caller who asked for details.

    A question with a parameter that the cascade cannot honour, or a longer one than the edge model reads, goes there only where the
    caller may pass chats on anyway. To anybody else it is refused by the parameter's name.

    Raises:
        FogGateError: it may not.
    """
    if getattr(request.state, DEBUG):
        setattr(request.state, MORE_HEADERS, why.headers())
    if why.error is not None and (chosen.route is RouteRequest.EDGE or not gateway.passes_on(request.state.caller)):
        raise why.error
    if chosen.route is RouteRequest.EDGE:
        raise Unsupported("the edge model answers multiple-choice questions only, and this chat is not clearly one", param="messages")


async def _recognised(turns: Sequence[tuple[str, str]]) -> Recognised | Refusal:
    if sum(len(text) for _, text in turns) <= SMALL:
        return examine_chat(turns)
    return await in_text_thread(examine_chat, turns)


def _beyond(name: str) -> Unsupported:
    return Unsupported(f"{name[:64]} cannot be honoured for a multiple-choice question: leave it out", param=name[:64])

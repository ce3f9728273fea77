"""The face for decision clients: `/v1/systemone`, and `/v1/decisions` in OpenAI's form and in SGLang's.

A request's questions are answered as those of `/v1/answers` are: each alone, routed as configured, behind single questions. One
question alone is a single question.
"""

from typing import Annotated, Any, Protocol

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import Discriminator, Tag

from app.access.caller import Caller
from app.api import responses
from app.api.body import json_route
from app.api.decision.errors import decisions_error, system_one_error
from app.api.decision.openai_form import OpenAIRequest
from app.api.decision.sglang_form import SGLangRequest
from app.api.decision.systemone import SystemOneRequest
from app.api.decision.typed import Decided, TypedQuestion
from app.api.face import Endpoint, Face
from app.api.model_names import Chosen, chosen_or_configured
from app.core.ask import Ask
from app.core.errors import FogGateError, Forbidden, InvalidQuestion
from app.core.offload import SMALL, in_text_thread
from app.core.outcome import Outcome
from app.gateway.batch import Batch
from app.gateway.gateway import Gateway
from app.telemetry.request_line import note

SYSTEM_ONE = Endpoint("/v1/systemone", takes_body=True, replies=responses.SYSTEM_ONE, error_form=system_one_error)
DECISIONS = Endpoint("/v1/decisions", takes_body=True, replies=responses.DECISIONS, error_form=decisions_error)
DECISION_ID = "x-foggate-decision-id"


def _form(raw: Any) -> str:
    """SGLang's questions have a field `question`, OpenAI's `instructions`."""
    questions = raw.get("questions") if isinstance(raw, dict) else None
    first = questions[0] if isinstance(questions, list) and questions else None
    return "sglang" if isinstance(first, dict) and "question" in first else "openai"


EitherForm = Annotated[Annotated[OpenAIRequest, Tag("openai")] | Annotated[SGLangRequest, Tag("sglang")], Discriminator(_form)]


class Asked(Protocol):
    """A request in any of the forms."""

    model: str

    @property
    def about(self) -> str: ...

    def typed(self) -> list[TypedQuestion]: ...

    def reply(self, decided: list[Decided], decision_id: str) -> dict[str, Any]: ...


def decisions_face(gateway: Gateway, prior: float) -> Face:
    """The routes that answer typed questions.

    Args:
        gateway: answers the questions.
        prior: confidence of an answer whose side gave no distribution.
    """
    face = Face("decisions", json_route(gateway.state.limits.max_questions, distinct_names=True))

    async def decide(asked: Asked, request: Request) -> JSONResponse:
        typed = asked.typed()
        about = asked.about
        asks = await _asks(typed, about, chosen_or_configured(asked.model))
        outcomes = await _outcomes(gateway, asks, [question.place for question in typed], request.state.caller)
        decided = [Decided.of(question, outcome, prior) for question, outcome in zip(typed, outcomes, strict=True)]
        decision_id = request.state.request_id
        return JSONResponse(asked.reply(decided, decision_id), headers={DECISION_ID: decision_id})

    @face.serves(SYSTEM_ONE, summary="Answer typed questions about a state (System One)")
    async def system_one(asked: SystemOneRequest, request: Request) -> JSONResponse:
        return await decide(asked, request)

    @face.serves(
        DECISIONS,
        summary="Answer typed questions about an input (OpenAI, SGLang)",
        description="The body has OpenAI's form, or SGLang's where its questions have a field `question`.",
    )
    async def decisions(asked: EitherForm, request: Request) -> JSONResponse:
        return await decide(asked, request)

    return face


async def _asks(typed: list[TypedQuestion], about: str, chosen: Chosen) -> list[Ask]:
    """What is asked; long texts are looked through beside the event loop. Raises InvalidQuestion."""

    def made() -> list[Ask]:
        return [question.ask(about, chosen) for question in typed]

    length = len(typed) * len(about) + sum(len(option) for question in typed for option in question.options)
    return made() if length <= SMALL else await in_text_thread(made)


async def _outcomes(gateway: Gateway, asks: list[Ask], places: list[str], caller: Caller) -> list[Outcome]:
    """The outcomes in order; the first error is raised, and the others are given up then.

    Raises:
        InvalidQuestion: a question is too long; with its place in the request.
        FogGateError: what `Gateway.answer` raises.
    """
    if len(asks) == 1:
        try:
            return [await gateway.answer(asks[0], caller)]
        except FogGateError as error:
            raise _placed(error, places[0]) from None
    batch = await Batch.admitted(gateway, caller, len(asks))
    note(questions=len(asks))
    outcomes: dict[int, Outcome] = {}

    def seen(number: int, found: Outcome | Exception) -> None:
        if isinstance(found, Exception):
            raise _placed(found, places[number])
        outcomes[number] = found

    await batch.answer(asks, seen)
    return [outcomes[number] for number in range(len(asks))]


def _placed(error: Exception, place: str) -> Exception:
    """An error that names what is wrong as the request has it: its question, or the name of its model."""
    if isinstance(error, InvalidQuestion):
        error.param = place
    elif isinstance(error, Forbidden) and error.param in {"tau", "route"}:
        error.param = "model"
    return error

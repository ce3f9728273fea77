"""The REST interface: answers, health, metrics, models."""

import asyncio
import math
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from app.access.keys import Permission
from app.api import responses
from app.api.auth import METRICS, Caller
from app.api.batches import Batch, cancel, lines
from app.api.body import json_route
from app.api.responses import NDJSON
from app.api.schemas import AnswerRequest, AnswerResponse, AnswersRequest, AnswersResponse, answer_body
from app.core.cascade import Cascade
from app.core.deadline import Deadline
from app.core.edge import EdgeHealth
from app.core.errors import Draining, InvalidQuestion, NotReady, Overloaded
from app.core.offload import SMALL, in_text_thread
from app.core.outcome import Outcome, RouteRequest
from app.gateway.state import GatewayState
from app.telemetry.metrics import CONTENT_TYPE
from app.telemetry.tracing import describe

ANSWER, ANSWERS, MODELS = "/v1/answer", "/v1/answers", "/v1/models"

REPLIES = {
    ANSWER: responses.ANSWER,
    ANSWERS: responses.ANSWERS,
    MODELS: responses.MODELS,
    METRICS: responses.METRICS,
    "/health/live": responses.LIVE,
    "/health/ready": responses.READY,
}


def answers_router(state: GatewayState) -> APIRouter:
    """The routes that answer questions."""
    router = APIRouter(tags=["answers"], route_class=json_route(state.limits.max_questions))

    @router.post(ANSWER, response_model=AnswerResponse, responses=REPLIES[ANSWER], summary="Answer one question")
    async def answer(asked: AnswerRequest, request: Request) -> JSONResponse:
        _running(state)
        await request.state.caller.count(1)
        try:
            outcome = await _answer_one(state, asked, request.state.caller)
        except (Overloaded, Draining):
            await request.state.caller.give_back()
            raise
        request.state.log.update(_log_fields(outcome))
        return JSONResponse(answer_body(outcome), headers=_headers(outcome))

    @router.post(
        ANSWERS,
        response_model=AnswersResponse,
        responses=REPLIES[ANSWERS],
        summary="Answer several questions",
        description=(
            "Results come in the order of the questions, each an answer or an error. With `Accept: application/x-ndjson` each comes "
            "as a line of its own as soon as it is there, with its `index`. Questions of a batch wait for places at the edge model, behind "
            "single questions and in turn with other batches, until the batch's own deadline; the deadline of each question counts from "
            "its own start."
        ),
    )
    async def answers(asked: AnswersRequest, request: Request) -> Response:
        if len(asked.questions) > state.limits.max_questions:
            raise InvalidQuestion(f"{len(asked.questions)} questions, the limit is {state.limits.max_questions}", param="questions")
        _running(state)
        await request.state.caller.count(len(asked.questions))
        request.state.log["questions"] = len(asked.questions)

        async def ask(one: AnswerRequest, within_s: float) -> Outcome:
            return await _answer_one(state, one, request.state.caller, within_s=within_s, yields=True)

        deadline = Deadline.after(min(asked.deadline_ms or math.inf, state.limits.batch_deadline_ms) / 1000)
        numbered = NDJSON in request.headers.get("accept", "")
        tasks = Batch(state, request, ask, deadline).begin(asked.questions, numbered=numbered)
        if numbered:
            return StreamingResponse(lines(tasks), media_type=NDJSON)
        try:
            results = await asyncio.gather(*tasks)
        finally:
            cancel(tasks)
        return Response(b'{"results":[' + b",".join(results) + b"]}", media_type="application/json")

    @router.get(MODELS, responses=REPLIES[MODELS], summary="The models behind this gateway")
    async def models() -> dict[str, Any]:
        known = {"edge": state.edge_model, "cloud": state.cloud_model}
        models: list[dict[str, Any]] = [
            {"id": name, "object": "model", "owned_by": "foggate", "role": role} for role, name in known.items() if name
        ]
        if state.edge_model and state.calibration:
            models[0] = {**models[0], "calibration": state.calibration}
        if state.cloud_model and (endpoints := state.cloud_endpoints()):
            models[-1] = {**models[-1], "endpoints": endpoints}
        return {"object": "list", "data": models}

    return router


def operations_router(state: GatewayState) -> APIRouter:
    """The routes for those who run the gateway."""
    router = APIRouter(tags=["operations"])

    @router.get("/health/live", responses=REPLIES["/health/live"], summary="Is the process alive?")
    async def live() -> JSONResponse:
        return JSONResponse({"status": "dead"}, 503) if state.health() is EdgeHealth.DEAD else JSONResponse({"status": "alive"})

    @router.get("/health/ready", responses=REPLIES["/health/ready"], summary="Should traffic come here?")
    async def ready() -> JSONResponse:
        headers = {"retry-after": "2"} if state.status != "ready" else None
        return JSONResponse({"status": state.status}, 200 if state.status == "ready" else 503, headers)

    @router.get(METRICS, responses=REPLIES[METRICS], summary="Prometheus metrics", response_class=Response)
    async def metrics() -> Response:
        await state.before_scrape()
        return Response(state.metrics.exposition(), media_type=CONTENT_TYPE)

    return router


def _running(state: GatewayState) -> Cascade:
    if state.cascade is None:
        raise NotReady("the edge model is still being loaded", retry_after_s=2)
    return state.cascade


async def _answer_one(
    state: GatewayState, asked: AnswerRequest, caller: Caller, *, within_s: float = math.inf, yields: bool = False
) -> Outcome:
    cascade = _running(state)
    length = len(asked.question) + sum(map(len, asked.options))
    if length > state.limits.max_text_chars:
        raise InvalidQuestion(f"the text is {length} characters long, the limit is {state.limits.max_text_chars}", param="question")
    deadline_s = min(within_s, math.inf if asked.deadline_ms is None else asked.deadline_ms / 1000)
    for field, chosen in (("tau", asked.tau is not None), ("route", asked.route_request is not RouteRequest.AUTO)):
        if chosen:
            caller.require(Permission.FORCE_ROUTE, param=field)
    question = asked.to_question() if length <= SMALL else await in_text_thread(asked.to_question)
    outcome = await cascade.answer(
        question, tau=asked.tau, route=asked.route_request, deadline_s=deadline_s, allowance=caller.allowance, yields=yields
    )
    state.metrics.answered(outcome)
    describe(outcome, question_text=state.trace_question_text)
    return outcome


def _headers(outcome: Outcome) -> dict[str, str]:
    signal = "none" if (value := outcome.signal_value) is None else f"{value:.4g}"
    return {"x-foggate-route": outcome.route.value, "x-foggate-signal": signal}


def _log_fields(outcome: Outcome) -> dict[str, Any]:
    return {
        "route": outcome.route.value,
        "reason": outcome.reason.value,
        "degraded": outcome.degraded,
        "signal": outcome.signal_value,
        "attempts": outcome.cloud.attempts if outcome.cloud else 0,
    }

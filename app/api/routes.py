"""The REST interface: answers, health, metrics, models."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import ValidationError

from app.api.auth import Caller
from app.api.body import json_route
from app.api.errors import body_of, internal_error, type_name, validation_error
from app.api.schemas import MAX_ID_CHARS, AnswerRequest, AnswerResponse, AnswersRequest, AnswersResponse, ErrorResponse, answer_body
from app.api.state import GatewayState
from app.cascade import Cascade
from app.domain import Outcome, RouteRequest, is_unicode
from app.errors import Draining, FogGateError, InvalidQuestion, NotReady, Overloaded
from app.keys import Permission
from app.metrics import CONTENT_TYPE
from app.offload import SMALL, in_text_thread
from app.strict_json import dumps
from app.tracing import describe

log = structlog.get_logger("foggate")

NDJSON = "application/x-ndjson"
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": text}
    for status, text in {
        400: "Not JSON, or not UTF-8",
        401: "No key, or a wrong one",
        403: "The key lacks the permission",
        408: "The body did not come in time",
        413: "Body too large",
        415: "Not application/json",
        421: "Not a host name of this gateway",
        422: "Something inside the body is wrong",
        429: "The edge queue is full, or the key is over its rate (`Retry-After`)",
        502: "The cloud failed and `on_cloud_failure` is `error`",
        503: "Loading or draining (`Retry-After`)",
        504: "The deadline passed",
    }.items()
}


def answers_router(state: GatewayState) -> APIRouter:
    """The routes that answer questions."""
    router = APIRouter(tags=["answers"], route_class=json_route(state.limits.max_questions))

    @router.post("/v1/answer", response_model=AnswerResponse, responses=_ERRORS, summary="Answer one question")
    async def answer(asked: AnswerRequest, request: Request) -> JSONResponse:
        _running(state)
        await request.state.caller.count(1)
        outcome = await _answer_one(state, asked, request.state.caller)
        request.state.log.update(_log_fields(outcome))
        return JSONResponse(answer_body(outcome), headers=_headers(outcome))

    @router.post(
        "/v1/answers",
        response_model=AnswersResponse,
        responses={
            **_ERRORS,
            200: {"content": {NDJSON: {"schema": {"type": "string"}}}, "description": "One result per question, in order"},
        },
        summary="Answer several questions",
        description=(
            "Results come in the order of the questions, each an answer or an error. With `Accept: application/x-ndjson` each comes "
            "as a line of its own as soon as it is there, with its `index`. The deadline counts for each question from its own start."
        ),
    )
    async def answers(asked: AnswersRequest, request: Request) -> Response:
        if len(asked.questions) > state.limits.max_questions:
            raise InvalidQuestion(f"{len(asked.questions)} questions, the limit is {state.limits.max_questions}", param="questions")
        _running(state)
        await request.state.caller.count(len(asked.questions))
        turn = asyncio.Semaphore(state.limits.batch_concurrency)
        request.state.log.update(questions=len(asked.questions), errors=0)
        lines = NDJSON in request.headers.get("accept", "")
        tasks = [
            asyncio.ensure_future(_one_of_many(state, turn, request, index, raw, numbered=lines))
            for index, raw in enumerate(asked.questions)
        ]
        if lines:
            return StreamingResponse(_lines(tasks), media_type=NDJSON)
        try:
            results = await asyncio.gather(*tasks)
        finally:
            _cancel(tasks)
        return Response(b'{"results":[' + b",".join(results) + b"]}", media_type="application/json")

    @router.get("/v1/models", summary="The models behind this gateway")
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

    @router.get("/health/live", summary="Is the process alive?")
    async def live() -> JSONResponse:
        return JSONResponse({"status": "alive"}) if state.alive() else JSONResponse({"status": "dead"}, 503)

    @router.get("/health/ready", summary="Should traffic come here?")
    async def ready() -> JSONResponse:
        headers = {"retry-after": "2"} if state.status != "ready" else None
        return JSONResponse({"status": state.status}, 200 if state.status == "ready" else 503, headers)

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def metrics() -> Response:
        await state.before_scrape()
        return Response(state.metrics.exposition(), media_type=CONTENT_TYPE)

    return router


def _running(state: GatewayState) -> Cascade:
    if state.cascade is None:
        raise NotReady("the edge model is still being loaded", retry_after_s=2)
    return state.cascade


async def _answer_one(state: GatewayState, asked: AnswerRequest, caller: Caller) -> Outcome:
    cascade = _running(state)
    length = len(asked.question) + sum(map(len, asked.options))
    if length > state.limits.max_text_chars:
        raise InvalidQuestion(f"the text is {length} characters long, the limit is {state.limits.max_text_chars}", param="question")
    deadline_s = None if asked.deadline_ms is None else asked.deadline_ms / 1000
    for field, chosen in (("tau", asked.tau is not None), ("route", asked.route_request is not RouteRequest.AUTO)):
        if chosen:
            caller.require(Permission.FORCE_ROUTE, param=field)
    question = asked.to_question() if length <= SMALL else await in_text_thread(asked.to_question)
    try:
        outcome = await cascade.answer(
            question, tau=asked.tau, route=asked.route_request, deadline_s=deadline_s, allowance=caller.allowance
        )
    except (Overloaded, Draining):
        await caller.give_back()
        raise
    state.metrics.answered(outcome)
    describe(outcome, state.tracing)
    return outcome


async def _may_begin(state: GatewayState, caller: Caller) -> None:
    """Raise Draining once the listener is closed: a batch must not keep the process from ending."""
    if state.stopping:
        await caller.give_back()
        raise Draining("the gateway is shutting down", retry_after_s=1)


async def _one_of_many(state: GatewayState, turn: asyncio.Semaphore, request: Request, index: int, raw: Any, *, numbered: bool) -> bytes:
    """One result of `/v1/answers` as JSON: an answer, or an error of its own, whatever went wrong."""
    number = {"index": index} if numbered else {}
    async with turn:
        # Not all of a batch in one turn of the loop: two hundred questions that are refused at once would hold it for long.
        await asyncio.sleep(0)
        try:
            await _may_begin(state, request.state.caller)
            outcome = await _answer_one(state, AnswerRequest.model_validate(raw), request.state.caller)
            return dumps({**number, **answer_body(outcome)})
        except ValidationError as error:
            kind, failed = _refused(validation_error([dict(item) for item in error.errors()]), request)
        except FogGateError as error:
            kind, failed = _refused(error, request)
        except Exception:
            log.exception("a bug: unhandled exception", path=request.url.path, index=index)
            kind, failed = "internal_error", internal_error(request.state.request_id)
    request.state.log["errors"] += 1
    state.metrics.rejected.labels(kind).inc()
    return dumps({**number, "id": _echoed(raw), **failed})


def _refused(error: FogGateError, request: Request) -> tuple[str, dict[str, Any]]:
    return type_name(error), body_of(error, request.state.request_id)


def _echoed(raw: Any) -> str | None:
    """The id of a question that may have been refused for it."""
    given = raw.get("id") if isinstance(raw, dict) else None
    return given if isinstance(given, str) and len(given) <= MAX_ID_CHARS and is_unicode(given) else None


async def _lines(tasks: Sequence[asyncio.Future[bytes]]) -> AsyncIterator[bytes]:
    try:
        for done in asyncio.as_completed(tasks):
            yield await done + b"\n"
    finally:
        # The reader may have left in the middle.
        _cancel(tasks)


def _cancel(tasks: Sequence[asyncio.Future[bytes]]) -> None:
    for task in tasks:
        task.cancel()


def _headers(outcome: Outcome) -> dict[str, str]:
    confidence = f"{outcome.edge.verdict.signal(outcome.signal):.4g}" if outcome.edge else "none"
    return {"x-foggate-route": outcome.route.value, "x-foggate-confidence": confidence}


def _log_fields(outcome: Outcome) -> dict[str, Any]:
    return {
        "route": outcome.route.value,
        "reason": outcome.reason.value,
        "degraded": outcome.degraded,
        "confidence": outcome.edge.verdict.confidence if outcome.edge else None,
        "attempts": outcome.cloud.attempts if outcome.cloud else 0,
    }

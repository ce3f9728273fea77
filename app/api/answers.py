"""The face for questions: `/v1/answer` and `/v1/answers`."""

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from app.api import responses
from app.api.batches import Results
from app.api.body import json_route
from app.api.face import Endpoint, Face
from app.api.responses import NDJSON
from app.api.schemas import AnswerRequest, AnswerResponse, AnswersRequest, AnswersResponse, answer_body
from app.core.outcome import Outcome
from app.gateway.batch import Batch
from app.gateway.gateway import Gateway
from app.telemetry.request_line import note

ANSWER = Endpoint("/v1/answer", takes_body=True, replies=responses.ANSWER)
ANSWERS = Endpoint("/v1/answers", takes_body=True, replies=responses.ANSWERS)


def answers_face(gateway: Gateway) -> Face:
    """The routes that answer questions."""
    face = Face("answers", json_route(gateway.state.limits.max_questions))

    @face.serves(ANSWER, response_model=AnswerResponse, summary="Answer one question")
    async def answer(asked: AnswerRequest, request: Request) -> JSONResponse:
        outcome = await gateway.answer(await asked.to_ask(), request.state.caller)
        return JSONResponse(answer_body(outcome), headers=_headers(outcome))

    @face.serves(
        ANSWERS,
        response_model=AnswersResponse,
        summary="Answer several questions",
        description=(
            "Results come in the order of the questions, each an answer or an error. With `Accept: application/x-ndjson` each comes "
            "as a line of its own as soon as it is there, with its `index`. Questions of a batch wait for places at the edge model, behind "
            "single questions and in turn with other batches, until the batch's own deadline; the deadline of each question counts from "
            "its own start."
        ),
    )
    async def answers(asked: AnswersRequest, request: Request) -> Response:
        deadline_s = None if asked.deadline_ms is None else asked.deadline_ms / 1000
        batch = await Batch.admitted(gateway, request.state.caller, len(asked.questions), deadline_s)
        note(questions=len(asked.questions))
        numbered = NDJSON in request.headers.get("accept", "")
        results = Results(gateway.state, batch, request.state.request_id, numbered=numbered)
        if numbered:
            return StreamingResponse(results.lines(asked.questions), media_type=NDJSON)
        return Response(b'{"results":[' + b",".join(await results.all(asked.questions)) + b"]}", media_type="application/json")

    return face


def _headers(outcome: Outcome) -> dict[str, str]:
    signal = "none" if outcome.signal is None else f"{outcome.signal:.4g}"
    return {"x-foggate-route": outcome.route.value, "x-foggate-signal": signal}

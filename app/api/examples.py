"""Examples of the OpenAPI document: real bodies, made by the code that makes those of requests."""

from collections.abc import Mapping
from typing import Any

from app.api.decision import examples as decision_examples
from app.api.errors import body_of, error_body, internal_error, usual_message
from app.api.schemas import EXAMPLE, EXAMPLE_BATCH, answer_body
from app.core.buckets import BUCKETS
from app.core.errors import (
    BudgetExhausted,
    CircuitOpen,
    CloudError,
    CloudRejected,
    CloudTimeout,
    CloudUnavailable,
    CloudUnparsable,
    DeadlineExceeded,
    Draining,
    EdgeError,
    FogGateError,
    Forbidden,
    InvalidQuestion,
    NotPassedOn,
    NotReady,
    Overloaded,
    PayloadTooLarge,
    RateLimited,
    Unauthorized,
    UnknownModel,
    Unsupported,
)
from app.core.outcome import CloudReply, Decision, Outcome, Reason, Route
from app.core.question import MAX_OPTIONS, MIN_OPTIONS, Question
from app.core.strict_json import dumps
from app.core.verdict import EdgeReply, JointVerdict, Signal

REQUEST_ID = "example-request-1"
QUESTION = EXAMPLE
UNSURE: dict[str, Any] = EXAMPLE_BATCH["questions"][1]

# P(bucket) and P(letter), in hundredths.
_SURE = EdgeReply(
    JointVerdict.from_weights([[bucket * letter for letter in (2, 95, 2, 1)] for bucket in (2, 3, 5, 20, 70)], len(BUCKETS) - 1),
    "issai/foggen",
    0.0004,
    0.0213,
)
_UNSURE = EdgeReply(
    JointVerdict.from_weights([[bucket * letter for letter in (40, 20, 30, 10)] for bucket in (30, 40, 20, 8, 2)], 1),
    "issai/foggen",
    0.0006,
    0.0208,
)
_CLOUD = CloudReply("A", "Qwen/Qwen3-30B-A3B-Instruct-2507", 1, {"prompt_tokens": 98, "completion_tokens": 1})


def _outcome(
    asked: Mapping[str, Any], decision: Decision, edge: EdgeReply, *, cloud: CloudReply | None = None, failure: CloudError | None = None
) -> Outcome:
    question = Question(asked["question"], tuple(asked["options"]), asked.get("domain"), asked["id"])
    cloud_s = None if decision.route is Route.EDGE else 0.4127
    return Outcome(question, decision, failure, edge, cloud, cloud_s, 0.022 + (cloud_s or 0))


def _answered(outcome: Outcome) -> dict[str, Any]:
    body: dict[str, Any] = rounded(answer_body(outcome))
    return body


def rounded(value: Any) -> Any:
    """Without the digits that only binary fractions have."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value


_KEEP = Decision(Route.EDGE, Reason.CONFIDENT, 0.5, Signal.VERBALIZED)
_ESCALATE = Decision(Route.CLOUD, Reason.LOW_CONFIDENCE, 0.5, Signal.VERBALIZED)
_LATE = CloudTimeout("the cloud did not answer within the deadline")
EDGE_OUTCOME = _outcome(QUESTION, _KEEP, _SURE)
EDGE_ANSWER = _answered(EDGE_OUTCOME)
CLOUD_ANSWER = _answered(_outcome(UNSURE, _ESCALATE, _UNSURE, cloud=_CLOUD))
DEGRADED_ANSWER = _answered(_outcome(UNSURE, _ESCALATE, _UNSURE, failure=_LATE))
ANSWERS: dict[str, Any] = {
    "edge": {"summary": "The edge model is confident", "value": EDGE_ANSWER},
    "cloud": {"summary": "The edge model is not confident, the cloud answers", "value": CLOUD_ANSWER},
    "degraded": {"summary": "The cloud does not answer in time, the edge answer is served", "value": DEGRADED_ANSWER},
}


SYSTEM_ONE: dict[str, Any] = rounded(decision_examples.system_one(REQUEST_ID))
DECISIONS: dict[str, Any] = rounded(decision_examples.decisions(REQUEST_ID))


def _ours(error: FogGateError) -> dict[str, Any]:
    return body_of(error, REQUEST_ID)


def _plain(status: int, kind: str, message: str | None = None) -> dict[str, Any]:
    return error_body(kind, message or usual_message(status), REQUEST_ID)


_TOO_FEW = _ours(InvalidQuestion(f"options must be {MIN_OPTIONS} to {MAX_OPTIONS}, got 1", param="options"))
RESULTS: dict[str, Any] = {"results": [EDGE_ANSWER, CLOUD_ANSWER, {"id": "q-3", **_TOO_FEW}]}
LINES = "".join(
    dumps({"index": index, **result}).decode() + "\n"
    for index, result in ((1, CLOUD_ANSWER), (0, EDGE_ANSWER), (2, {"id": "q-3", **_TOO_FEW}))
)
ERRORS: dict[int, dict[str, dict[str, Any]]] = {
    400: {
        "json": _plain(400, "bad_request"),
        "compressed": _plain(400, "bad_request", "the compressed body is cut short"),
    },
    401: {"key": _ours(Unauthorized("a valid API key is needed: authorization: Bearer …"))},
    403: {"permission": _ours(Forbidden("this key lacks the permission 'force_route'", param="tau"))},
    404: {
        "model": _ours(
            UnknownModel("there is no such model here; the models are foggate, foggate-<tau> (as in foggate-0.7), edge", param="model")
        ),
        "chat": _ours(NotPassedOn("this chat is not one multiple-choice question, and no cloud is configured", param="messages")),
    },
    408: {"time": _plain(408, "request_timeout")},
    413: {
        "size": _ours(PayloadTooLarge("the body is over the limit of 1048576 bytes")),
        "decompressed": _ours(PayloadTooLarge("the decompressed body is over the limit of 1048576 bytes")),
    },
    415: {
        "type": _plain(415, "unsupported_media_type"),
        "encoding": _plain(
            415,
            "unsupported_media_type",
            "the body's content-encoding is not supported: send it with gzip, with deflate, or with none",
        ),
    },
    421: {"host": _plain(421, "misdirected_request")},
    422: {
        "options": _TOO_FEW,
        "field": _ours(InvalidQuestion("temperature: unknown field", param="temperature")),
        "parameter": _ours(Unsupported("n cannot be honoured for a multiple-choice question: leave it out", param="n")),
        "type": _ours(InvalidQuestion("options.1: Input should be a valid string", param="options.1")),
    },
    429: {
        "queue": _ours(Overloaded("the edge queue is full")),
        "rate": _ours(RateLimited("over 600 questions a minute")),
    },
    500: {"bug": internal_error(REQUEST_ID)},
    502: {
        "unavailable": _ours(CloudUnavailable("the cloud did not answer (5xx)")),
        "rejected": _ours(CloudRejected("the cloud refused the request with status 400")),
        "unparsable": _ours(CloudUnparsable("the cloud's reply names no single offered option")),
        "circuit": _ours(CircuitOpen("the cloud failed too often lately and is not being asked")),
        "budget": _ours(BudgetExhausted("the cloud budget of the gateway or of this caller is spent")),
    },
    503: {
        "loading": _ours(NotReady("the edge model is still being loaded")),
        "draining": _ours(Draining("the gateway is shutting down")),
        "edge": _ours(EdgeError("the edge model failed on this question")),
    },
    504: {
        "deadline": _ours(DeadlineExceeded("no answer within the deadline")),
        "cloud": _ours(_LATE),
    },
}
_MODEL: dict[str, Any] = {"object": "model", "created": 1_764_115_200, "owned_by": "foggate"}
MODELS: dict[str, Any] = {
    "object": "list",
    "data": [
        {"id": _SURE.model, **_MODEL, "role": "edge"},
        {"id": _CLOUD.model, **_MODEL, "role": "cloud"},
        {"id": "foggate", **_MODEL, "role": "router"},
        {"id": "edge", **_MODEL, "role": "edge"},
        {"id": "cloud", **_MODEL, "role": "cloud"},
    ],
}
MODEL: dict[str, Any] = {"id": "foggate-0.7", **_MODEL, "role": "router", "tau": 0.7}
METRICS = """# HELP foggate_requests_total Answered questions.
# TYPE foggate_requests_total counter
foggate_requests_total{reason="confident",route="edge"} 41.0
"""

"""The wire: what a question and an answer look like in JSON. Strict types, unknown fields refused, every number bounded."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, FailFast, Field, SkipValidation, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from typing_extensions import TypeAliasType

from app.core.ask import Ask
from app.core.buckets import BUCKET_LABELS
from app.core.offload import SMALL, in_text_thread
from app.core.outcome import REASONS, CloudReply, Outcome, RouteRequest
from app.core.outcome import Reason as RoutingReason
from app.core.question import MAX_OPTIONS, MIN_OPTIONS, Question, letters_of
from app.core.verdict import Signal

EXAMPLE: dict[str, Any] = {
    "id": "q-1",
    "question": "Which gas do green plants take in for photosynthesis?",
    "options": ["Oxygen", "Carbon dioxide", "Nitrogen", "Helium"],
    "domain": "science",
}
EXAMPLE_BATCH: dict[str, Any] = {
    "questions": [
        EXAMPLE,
        {
            "id": "q-2",
            "question": "A train covers 150 km in 2 hours. What is its average speed?",
            "options": ["75 km/h", "300 km/h", "70 km/h", "50 km/h"],
        },
        {"id": "q-3", "question": "Which is a colour?", "options": ["Blue"]},
    ]
}

MAX_ID_CHARS = 128
# 24 days; what fits into 32 bits.
MAX_DEADLINE_MS = 2_147_483_647


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _first_unknown_field(cls, raw: Any) -> Any:
        """Refuse at the first unknown field: pydantic would describe each of a hundred thousand, which takes a second."""
        if isinstance(raw, dict):
            for name in raw:
                if name not in cls.model_fields:
                    unknown = InitErrorDetails(type="extra_forbidden", loc=(name,), input=None)
                    raise ValidationError.from_exception_data(cls.__name__, [unknown])
        return raw


class AnswerRequest(_Wire):
    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE, {**EXAMPLE, "tau": 0.9}, {**EXAMPLE, "route": "cloud"}]})

    question: str = Field(description="The question; any text that is not blank.")
    # After the first option that is no text the others are not validated, for the same reason.
    options: Annotated[list[str], FailFast()] = Field(
        description=f"{MIN_OPTIONS} to {MAX_OPTIONS} distinct options; they are lettered {', '.join(letters_of(3))} … in this order."
    )
    id: Annotated[str, Field(max_length=MAX_ID_CHARS)] | None = Field(None, description="Returned as it is.")
    domain: Annotated[str, Field(max_length=64)] | None = Field(None, description="Selects a per-domain tau.")
    tau: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = Field(None, description="Overrides the configured threshold.")
    route: Literal["auto", "edge", "cloud"] = Field("auto", description="Force one side instead of letting the signal decide.")
    deadline_ms: Annotated[int, Field(ge=1, le=MAX_DEADLINE_MS)] | None = Field(
        None, description="May shorten the configured deadline, never lengthen it."
    )

    async def to_ask(self) -> Ask:
        """What is asked, as the core has it; a long text is looked through beside the event loop. Raises InvalidQuestion."""
        length = len(self.question) + sum(map(len, self.options))
        question = self._question() if length <= SMALL else await in_text_thread(self._question)
        deadline_s = None if self.deadline_ms is None else self.deadline_ms / 1000
        return Ask(question, self.tau, RouteRequest(self.route), deadline_s)

    def _question(self) -> Question:
        return Question(self.question, tuple(self.options), self.domain, self.id)


class AnswersRequest(_Wire):
    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_BATCH]})

    # Each question is validated separately: a bad one gets an error, and the others get their answers.
    questions: list[SkipValidation[AnswerRequest]] = Field(min_length=1)
    deadline_ms: Annotated[int, Field(ge=1, le=MAX_DEADLINE_MS)] | None = Field(
        None, description="May shorten the configured deadline of a batch, never lengthen it."
    )


def _known(reason: str) -> str:
    if reason not in REASONS:
        raise PydanticCustomError("enum", "Input should be a reason of this gateway")
    return reason


# A closed list, which follows the classes of `app.core.errors.CloudError`; a named type, so that the OpenAPI document names it too.
Reason = TypeAliasType(
    "Reason",
    Annotated[
        str,
        AfterValidator(_known),
        Field(
            description=(
                "Why the answer comes from the edge or from the cloud.\n\n"
                f"Up to `{list(RoutingReason)[-1]}` they are routing decisions; the others are on degraded answers only: the cloud was to "
                "answer, and failed."
            ),
            title="Reason",
            json_schema_extra={"enum": list(REASONS)},
        ),
    ],
)


class EdgePart(BaseModel):
    model: str
    answer: str
    answer_probabilities: dict[str, float] | None = Field(
        description="By letter, corrected where the calibration holds a letter prior; null where the edge gives a letter only."
    )
    confidence_probabilities: dict[str, float] | None = Field(
        description=f"Keys: {', '.join(BUCKET_LABELS)}; null where the edge gives no confidence."
    )


class CloudPart(BaseModel):
    model: str
    answer: str
    attempts: int
    usage: dict[str, int]
    answer_probabilities: dict[str, float] | None = Field(
        None, description="The cloud's own distribution, where `cloud.top_logprobs` asks for it and the endpoint gives it; else absent."
    )


class Timings(BaseModel):
    queue: float | None
    edge: float | None
    cloud: float | None
    total: float


class AnswerResponse(BaseModel):
    id: str | None
    answer: str
    answer_text: str
    route: Literal["edge", "cloud"]
    reason: Reason
    degraded: bool
    tau: float
    signal: Signal = Field(description="Name of the signal that is compared with tau.")
    signal_value: float | None = Field(
        None,
        description="The signal itself; null where the edge failed or gives no such signal, and where the calibration is not for this number of options (unless the route is forced).",
    )
    confidence: float | None = Field(description="The verbalized confidence; null where the edge failed or gives none.")
    expected_confidence: float | None = Field(description="Mean of the confidences; null where the edge failed or gives none.")
    edge: EdgePart | None
    cloud: CloudPart | None
    timings_ms: Timings


class ErrorDetail(BaseModel):
    type: str
    message: str
    param: str | None = None
    request_id: str


class ErrorResponse(BaseModel):
    error: ErrorDetail


class OpenAIErrorDetail(BaseModel):
    message: str
    type: str = Field(description="The kind of error in OpenAI's words, as in `invalid_request_error`.")
    param: str | None
    code: str = Field(description="The kind of error in the gateway's words, as in `unsupported`.")
    request_id: str


class OpenAIErrorResponse(BaseModel):
    error: OpenAIErrorDetail


class AnswersResponse(BaseModel):
    results: list[AnswerResponse | ErrorResponse]


class ModelEntry(BaseModel):
    # A model may have more fields: its calibration or a warning that it has none, its endpoints.
    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["model"]
    created: int = Field(description="When the gateway began, in seconds since 1970.")
    owned_by: str
    role: Literal["edge", "cloud", "router"] = Field(description="Which side answers; `router` lets the signal decide.")


class ModelsResponse(BaseModel):
    object: Literal["list"]
    data: list[ModelEntry]


class HealthResponse(BaseModel):
    status: str


def answer_body(outcome: Outcome) -> dict[str, Any]:
    """One outcome as the body of `/v1/answer`; the keys of `AnswerResponse`, which a test compares."""
    edge, cloud, verdict = outcome.edge, outcome.cloud, outcome.edge.verdict if outcome.edge else None
    return {
        "id": outcome.question.id,
        "answer": outcome.answer,
        "answer_text": outcome.question.text_of(outcome.answer),
        **outcome.routing(),
        "confidence": verdict.confidence if verdict else None,
        "expected_confidence": verdict.expected_confidence if verdict else None,
        "edge": {
            "model": edge.model,
            "answer": edge.verdict.answer(outcome.decision.signal),
            "answer_probabilities": edge.verdict.answer_probabilities,
            "confidence_probabilities": edge.verdict.confidence_probabilities,
        }
        if edge
        else None,
        "cloud": _cloud_part(cloud) if cloud else None,
        "timings_ms": {
            "queue": _ms(edge.queue_s if edge else None),
            "edge": _ms(edge.inference_s if edge else None),
            "cloud": _ms(outcome.cloud_s),
            "total": _ms(outcome.total_s),
        },
    }


def _cloud_part(cloud: CloudReply) -> dict[str, Any]:
    part: dict[str, Any] = {"model": cloud.model, "answer": cloud.answer, "attempts": cloud.attempts, "usage": dict(cloud.usage)}
    # Absent, not null, where the endpoint gave none.
    return part if cloud.answer_probabilities is None else {**part, "answer_probabilities": dict(cloud.answer_probabilities)}


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)

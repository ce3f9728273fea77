"""OpenAI's wire form of decisions (`client.decisions.create`), as openai-python 3.54 sends and reads it."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from app.api.decision.typed import NO, YES, Decided, Kind, Tokens, TypedQuestion, described, model_of, text_of
from app.api.decision.wire import (
    MAX_CHOICES,
    MAX_LEVELS,
    MAX_QUESTIONS,
    MODEL,
    Name,
    Strict,
    checked_count,
    checked_distinct,
    checked_text,
    fault,
)

EXAMPLE: dict[str, Any] = {
    "model": "foggate",
    "input": "I was charged twice for my March invoice and want one of the charges back.",
    "questions": [
        {"type": "predicate", "name": "refund", "instructions": "Is the customer asking for money back?"},
        {
            "type": "choice",
            "name": "team",
            "instructions": "Which team should handle this?",
            "choices": [{"value": "billing", "description": "Payments, invoices, refunds"}, {"value": "technical"}],
        },
        {
            "type": "score",
            "name": "anger",
            "instructions": "How frustrated is the customer?",
            "levels": [{"label": "calm"}, {"label": "frustrated"}, {"label": "very angry"}],
        },
    ],
}
# They change nothing about an answer of this gateway.
_IGNORED = frozenset({"prompt_cache_key", "prompt_cache_options", "safety_identifier", "metadata", "store", "user", "service_tier"})
# Not a set: a caller can send a role, or a type, that is a list.
_ROLES = ("user", "developer", "system", "assistant")
_TEXT_PARTS = {"input_text": "text", "output_text": "text", "refusal": "refusal", "input_json": "data"}


def text_of_parts(content: Any) -> str:
    """The text of a string, or of an ordered list of text and JSON parts. Raises PydanticCustomError."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        raise fault("must be a string or a list of parts")
    texts = []
    for at, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        field = _TEXT_PARTS.get(kind) if isinstance(kind, str) else None
        if field is None:
            raise fault(f"part {at} is no text: this gateway reads input_text and input_json only")
        value = part.get(field)
        if not isinstance(value, (dict, list) if field == "data" else str):
            raise fault(f"part {at} has no '{field}'")
        texts.append(text_of(checked_text(value)))
    return "\n".join(texts)


def text_of_input(given: Any) -> str:
    """A string, or the messages and tool calls of a conversation with the role of each before it. Raises PydanticCustomError."""
    if isinstance(given, str):
        return given
    if not isinstance(given, list) or not given:
        raise fault("must be a string or a list of messages")
    texts = [_item(item, at) for at, item in enumerate(given)]
    return texts[0][1] if len(texts) == 1 else "\n\n".join(f"{role}: {text}" for role, text in texts)


def _item(item: Any, at: int) -> tuple[str, str]:
    kind = item.get("type", "message") if isinstance(item, dict) else None
    if kind == "message" and item.get("role") in _ROLES:
        return item["role"], text_of_parts(item.get("content"))
    if kind in ("function_call", "custom_tool_call"):
        said = item.get("arguments" if kind == "function_call" else "input")
        if isinstance(said, str) and isinstance(item.get("name"), str):
            return kind, f"{item['name']} {said}"
    if kind in ("function_call_output", "custom_tool_call_output"):
        return kind, text_of_parts(item.get("output"))
    raise fault(f"item {at} is neither a message with a role nor a tool call or its output")


Instructions = Annotated[Any, AfterValidator(text_of_parts)]


class Predicate(Strict):
    type: Literal["predicate"]
    instructions: Instructions
    name: Name | None = None

    def options(self) -> tuple[str, ...]:
        """Texts of the options."""
        return YES, NO


def _value(value: Any) -> str | bool:
    """A text or a truth value; a union of the two would name both in the place of its error. Raises PydanticCustomError."""
    if not isinstance(value, (str, bool)):
        raise fault("must be a string, true or false")
    return value


class Value(Strict):
    value: Annotated[Any, AfterValidator(_value), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "boolean"}]})]
    description: str | None = None


class Choice(Strict):
    type: Literal["choice"]
    instructions: Instructions
    choices: list[Value] = Field(description="2 to 255 values.")
    name: Name | None = None

    @model_validator(mode="after")
    def _bounded(self) -> "Choice":
        checked_count(len(self.choices), MAX_CHOICES, "choices")
        checked_distinct([one.value for one in self.choices], "choices")
        return self

    def options(self) -> tuple[str, ...]:
        """Texts of the options."""
        return tuple(described(text_of_value(one.value), one.description) for one in self.choices)


class Level(Strict):
    label: str
    description: str | None = None


class Score(Strict):
    type: Literal["score"]
    instructions: Instructions
    levels: list[Level] = Field(description="2 to 10 levels, the lowest one first.")
    name: Name | None = None

    @model_validator(mode="after")
    def _bounded(self) -> "Score":
        checked_count(len(self.levels), MAX_LEVELS, "levels")
        return self

    def options(self) -> tuple[str, ...]:
        """Texts of the options."""
        return tuple(described(one.label, one.description) for one in self.levels)


_KINDS = {"predicate": Kind.YES_NO, "choice": Kind.CHOICE, "score": Kind.SCORE}


def text_of_value(value: str | bool) -> str:
    """A value of a choice as text."""
    return value if isinstance(value, str) else str(value).lower()


class OpenAIRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, title="OpenAIDecisionsRequest", json_schema_extra={"examples": [EXAMPLE]})

    model: str = Field(description=MODEL)
    input: Annotated[Any, AfterValidator(text_of_input)] = Field(description="A text, or a list of messages, tool calls and their outputs.")
    questions: list[Annotated[Predicate | Choice | Score, Field(discriminator="type")]] = Field(min_length=1, max_length=MAX_QUESTIONS)

    @model_validator(mode="before")
    @classmethod
    def _without_what_changes_nothing(cls, raw: Any) -> Any:
        return {name: value for name, value in raw.items() if name not in _IGNORED} if isinstance(raw, dict) else raw

    def typed(self) -> list[TypedQuestion]:
        """The questions in order."""
        return [
            TypedQuestion(f"questions.{at}", _KINDS[question.type], question.instructions, question.options())
            for at, question in enumerate(self.questions)
        ]

    @property
    def about(self) -> str:
        """The input as text."""
        text: str = self.input
        return text

    def reply(self, decided: Sequence[Decided], decision_id: str) -> dict[str, Any]:
        """The body of the reply."""
        tokens = Tokens.of(decided)
        return {
            "model": model_of(decided),
            "answers": [
                {"name": question.name, **_answer(question, one), "x_foggate": one.facts(decision_id)}
                for question, one in zip(self.questions, decided, strict=True)
            ],
            "usage": {
                "input_tokens": tokens.read,
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens": tokens.written,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": tokens.read + tokens.written,
            },
            "x_foggate": {"decision_id": decision_id},
        }


def _answer(question: Predicate | Choice | Score, decided: Decided) -> dict[str, Any]:
    if isinstance(question, Predicate):
        return {"type": "predicate", "probability": decided.yes}
    if isinstance(question, Choice):
        values = [one.value for one in question.choices]
        return {
            "type": "choice",
            "choice": values[decided.chosen],
            "probabilities": [
                {"value": value, "probability": probability} for value, probability in zip(values, decided.probabilities, strict=True)
            ],
            "confidence": decided.confidence,
        }
    return {
        "type": "score",
        "score": decided.score,
        "probabilities": [
            {"value": level, "label": one.label, "probability": probability}
            for level, (one, probability) in enumerate(zip(question.levels, decided.probabilities, strict=True))
        ],
        "confidence": decided.confidence,
    }

"""SGLang's wire form of `/v1/decisions` (sglang 0.5.21 and later): questions with ids, options with names.

`label_mass` is left out of the answers: this gateway computes the logits of the labels only, so that it does not know it.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from app.api.decision.typed import NO, YES, Decided, Kind, Tokens, TypedQuestion, described, model_of, text_of
from app.api.decision.wire import (
    MAX_CHOICES,
    MAX_QUESTIONS,
    MODEL,
    Id,
    NullableText,
    Strict,
    Text,
    checked_count,
    checked_distinct,
    checked_levels,
    fault,
    fault_of_field,
)

EXAMPLE: dict[str, Any] = {
    "input": "I was charged twice for my March invoice and want one of the charges back.",
    "questions": [
        {
            "id": "team",
            "type": "choice",
            "question": "Which team should handle this?",
            "options": [{"name": "billing", "description": "Payments, invoices, refunds"}, {"name": "technical"}],
        },
        {"id": "refund", "type": "yes_no", "question": "Is the customer asking for money back?"},
    ],
}
# Fields that ask for something that this gateway does not do, with the value that asks for nothing.
_NOT_IGNORED: dict[str, tuple[Any, ...]] = {
    "temperature": (1, 1.0, None),
    "chat_template_kwargs": ({}, None),
    "prompt_format_version": (None,),
    "return_prompt_token_ids": (False, None),
    "images": ([], None),
}


class Option(Strict):
    name: str
    description: NullableText = None


class Choice(Strict):
    id: Id
    type: Literal["choice"]
    question: Text
    options: list[Option] = Field(description="2 to 255 options.")

    @model_validator(mode="after")
    def _bounded(self) -> "Choice":
        checked_count(len(self.options), MAX_CHOICES, "options")
        checked_distinct(self.names(), "options")
        return self

    def texts(self) -> tuple[str, ...]:
        """Texts of the options."""
        return tuple(described(option.name, option.description) for option in self.options)

    def names(self) -> list[str]:
        """Names of the options."""
        return [option.name for option in self.options]


class Score(Strict):
    id: Id
    type: Literal["score"]
    question: Text
    levels: Annotated[list[Any], AfterValidator(checked_levels)] = Field(description="2 to 10 levels, the lowest one first.")

    def texts(self) -> tuple[str, ...]:
        """Texts of the levels."""
        return tuple(map(text_of, self.levels))

    def names(self) -> list[str]:
        """Numbers of the levels."""
        return [str(level) for level in range(len(self.levels))]


class YesNo(Strict):
    id: Id
    type: Literal["yes_no"]
    question: Text
    yes: NullableText = None
    no: NullableText = None

    def texts(self) -> tuple[str, ...]:
        """Texts of the options."""
        return described(YES, self.yes), described(NO, self.no)

    def names(self) -> list[str]:
        """Names of the options."""
        return ["yes", "no"]


class SGLangRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, title="SGLangDecisionsRequest", json_schema_extra={"examples": [EXAMPLE]})

    model: str = Field("default", description=MODEL)
    input: Text = Field(description="What the questions are about: a string, an object or an array.")
    questions: list[Annotated[Choice | Score | YesNo, Field(discriminator="type")]] = Field(min_length=1, max_length=MAX_QUESTIONS)

    @model_validator(mode="before")
    @classmethod
    def _nothing_that_would_change_an_answer(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        for name, nothing in _NOT_IGNORED.items():
            if name in raw and raw[name] not in nothing:
                raise fault_of_field(name, "not supported by this gateway")
        return {name: value for name, value in raw.items() if name not in _NOT_IGNORED}

    @model_validator(mode="after")
    def _each_id_once(self) -> "SGLangRequest":
        if len({question.id for question in self.questions}) < len(self.questions):
            raise fault("questions: two questions have the same id")
        return self

    def typed(self) -> list[TypedQuestion]:
        """The questions in order."""
        return [
            TypedQuestion(f"questions.{at}", Kind(question.type), text_of(question.question), question.texts())
            for at, question in enumerate(self.questions)
        ]

    @property
    def about(self) -> str:
        """The input as text."""
        return text_of(self.input)

    def reply(self, decided: Sequence[Decided], decision_id: str) -> dict[str, Any]:
        """The body of the reply."""
        tokens = Tokens.of(decided)
        return {
            "model": model_of(decided),
            "answers": {
                question.id: {**_answer(question, one), "x_foggate": one.facts(decision_id)}
                for question, one in zip(self.questions, decided, strict=True)
            },
            "usage": {
                "prompt_tokens": tokens.read,
                "completion_tokens": tokens.written,
                "total_tokens": tokens.read + tokens.written,
            },
            "x_foggate": {"decision_id": decision_id},
        }


def _answer(question: Choice | Score | YesNo, decided: Decided) -> dict[str, Any]:
    names = question.names()
    answer: dict[str, Any] = {"type": question.type, "probabilities": dict(zip(names, decided.probabilities, strict=True))}
    if isinstance(question, Choice):
        answer["choice"] = names[decided.chosen]
    elif isinstance(question, Score):
        answer["score"] = decided.score
    return answer

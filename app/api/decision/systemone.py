"""System One's wire form, which TypeSafe's clients speak: `POST /v1/systemone` with a state and a map of questions.

Written after the specification that `jevcompat` 0.1.1 tests (github.com/mandu5/jevcompat, SPEC.md).
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from app.api.decision.typed import NO, YES, Decided, Kind, Tokens, TypedQuestion, described, model_of, text_of
from app.api.decision.wire import MAX_QUESTIONS, MODEL, NullableText, Strict, Text, checked_levels, checked_options, fault_of_field
from app.core.question import is_unicode

EXAMPLE: dict[str, Any] = {
    "model": "foggate",
    "state": "I was charged twice for my March invoice and want one of the charges back.",
    "questions": {
        "refund": {"type": "noul", "instructions": "Is the customer asking for money back?"},
        "team": {
            "type": "choice",
            "instructions": "Which team should handle this?",
            "criteria": {"Billing": "Payments, invoices, refunds", "Technical": "Bugs and outages", "Sales": None},
        },
        "anger": {"type": "score", "instructions": "How frustrated is the customer?", "criteria": ["Calm", "Frustrated", "Very angry"]},
    },
}
# Fields of other servers that would change an answer; any other unknown field is ignored, as the specification has it.
_NOT_IGNORED = ("assets", "images")


class NoulCriteria(Strict):
    true: NullableText = None
    false: NullableText = None


class Noul(Strict):
    type: Literal["noul"]
    instructions: NullableText = None
    criteria: NoulCriteria | None = None

    def typed(self, place: str) -> TypedQuestion:
        """The question as all wire forms have it."""
        said = self.criteria or NoulCriteria()
        return TypedQuestion(place, Kind.YES_NO, text_of(self.instructions), (described(YES, said.true), described(NO, said.false)))


class Choice(Strict):
    type: Literal["choice"]
    instructions: NullableText = None
    criteria: Annotated[dict[str, Any], AfterValidator(checked_options)] = Field(
        description="2 to 255 options by name, each with a description or null."
    )

    def typed(self, place: str) -> TypedQuestion:
        """The question as all wire forms have it."""
        options = tuple(described(name, description) for name, description in self.criteria.items())
        return TypedQuestion(place, Kind.CHOICE, text_of(self.instructions), options)


class Score(Strict):
    type: Literal["score"]
    instructions: NullableText = None
    criteria: Annotated[list[Any], AfterValidator(checked_levels)] = Field(description="2 to 10 levels, the lowest one first.")

    def typed(self, place: str) -> TypedQuestion:
        """The question as all wire forms have it."""
        return TypedQuestion(place, Kind.SCORE, text_of(self.instructions), tuple(map(text_of, self.criteria)))


class SystemOneRequest(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, json_schema_extra={"examples": [EXAMPLE]})

    model: str = Field("foggate", description=MODEL)
    state: Text = Field(description="What the questions are about: a string, an object or an array.")
    questions: dict[str, Annotated[Noul | Choice | Score, Field(discriminator="type")]] = Field(
        min_length=1, max_length=MAX_QUESTIONS, description="Questions by the names under which they are answered."
    )

    @model_validator(mode="before")
    @classmethod
    def _nothing_that_would_change_an_answer(cls, raw: Any) -> Any:
        if isinstance(raw, dict):
            for name in _NOT_IGNORED:
                if raw.get(name):
                    raise fault_of_field(name, "this gateway reads text only")
            questions = raw.get("questions")
            names = list(questions) if isinstance(questions, dict) else []
            if not all(name and is_unicode(name) for name in names):
                raise fault_of_field("questions", "a name must not be empty, and must be valid Unicode")
        return raw

    def typed(self) -> list[TypedQuestion]:
        """The questions in order."""
        return [question.typed(f"questions.{name}") for name, question in self.questions.items()]

    @property
    def about(self) -> str:
        """The state as text."""
        return text_of(self.state)

    def reply(self, decided: Sequence[Decided], decision_id: str) -> dict[str, Any]:
        """The body of the reply."""
        tokens = Tokens.of(decided)
        pairs = zip(self.questions.items(), decided, strict=True)
        return {
            "model": model_of(decided),
            "answers": {name: {**_answer(question, one), "x_foggate": one.facts(decision_id)} for (name, question), one in pairs},
            "usage": {"input_tokens": tokens.read, "output_tokens": tokens.written},
            "x_foggate": {"decision_id": decision_id},
        }


def _answer(question: Noul | Choice | Score, decided: Decided) -> Mapping[str, Any]:
    if isinstance(question, Noul):
        return {"type": "noul", "noul": decided.yes}
    if isinstance(question, Choice):
        names = list(question.criteria)
        return {
            "type": "choice",
            "choice": names[decided.chosen],
            "probabilities": dict(zip(names, decided.probabilities, strict=True)),
            "confidence": decided.confidence,
        }
    return {
        "type": "score",
        "score": decided.score,
        "legend": {str(level): text for level, text in enumerate(question.criteria)},
        "probabilities": {str(level): probability for level, probability in enumerate(decided.probabilities)},
        "confidence": decided.confidence,
    }

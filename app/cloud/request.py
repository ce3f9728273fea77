"""The body of a request: the fields of every question, and those that the configuration adds, replaces or removes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.cloud.formats import AnswerFormat, format_fields, messages_for
from app.cloud.thinking import thinks
from app.config.extra_body import FORMAT_FIELDS
from app.core.question import Question

# A letter in a short sentence; and what a model that thinks needs before it writes that.
PLAIN_TOKENS, THINKING_TOKENS = 64, 4_096


@dataclass(frozen=True, slots=True)
class RequestSettings:
    """What every request is made with.

    Attributes:
        max_tokens: largest number of tokens of a reply; None for 64, or 4096 where the model thinks.
        top_logprobs: number of alternatives to ask for at each token; 0 asks for no probabilities.
        extra_body: fields that are added to the body or replace its own; a null removes the field.
    """

    max_tokens: int | None = None
    top_logprobs: int = 0
    extra_body: Mapping[str, Any] = field(default_factory=dict)

    def tokens_for(self, model: str) -> int:
        """How many tokens a reply of this model may have."""
        return self.max_tokens or (THINKING_TOKENS if thinks(model, self.extra_body) else PLAIN_TOKENS)

    def body(self, messages: list[dict[str, str]], model: str, more: Mapping[str, Any]) -> dict[str, Any]:
        """A request body. `stream` is false whatever the extra fields say: replies are read whole."""
        body: dict[str, Any] = {"model": model, "messages": messages, "temperature": 0, **more}
        # Models that have the new name of this bound refuse both at once.
        if self.extra_body.get("max_completion_tokens") is None:
            body["max_tokens"] = self.tokens_for(model)
        if self.top_logprobs:
            body |= {"logprobs": True, "top_logprobs": self.top_logprobs}
        body |= self.extra_body
        return {**{name: value for name, value in body.items() if value is not None}, "stream": False}

    def keeps_text(self, model: str) -> str | None:
        """Why no answer format may be chosen for this model by a probe; None where one may.

        A model that must write a letter as its first token cannot think before it answers.
        """
        if any(self.extra_body.get(name) is not None for name in FORMAT_FIELDS):
            return "extra_body"
        return "thinks" if thinks(model, self.extra_body) else None

    def question(self, question: Question, model: str, form: AnswerFormat) -> dict[str, Any]:
        """The body that asks a question in an answer format."""
        return self.body(messages_for(question, form), model, format_fields(form, question.labels))

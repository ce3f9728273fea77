"""Typed questions (choice, score, yes or no) about one input, as questions with options; and outcomes as distributions over what was named.

Knows no wire form: those are in the files beside it.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.api.model_names import ROUTER, Chosen
from app.core.ask import Ask
from app.core.distribution import is_distribution
from app.core.errors import EdgeError, InvalidQuestion
from app.core.outcome import Outcome, Route
from app.core.question import LongQuestion, Question, labels_of

YES, NO = "Yes", "No"


class Kind(StrEnum):
    """What a typed question asks for."""

    CHOICE = "choice"
    SCORE = "score"
    YES_NO = "yes_no"


@dataclass(frozen=True, slots=True)
class TypedQuestion:
    """One question about an input.

    Attributes:
        place: where the request holds it, for errors.
        kind: what it asks for.
        text: what is asked; may be empty where the options say it.
        options: texts of the options, or of the levels in ascending order; of a question that asks for yes or no, yes first.
    """

    place: str
    kind: Kind
    text: str
    options: tuple[str, ...]

    def ask(self, about: str, chosen: Chosen) -> Ask:
        """What is asked of the gateway.

        Args:
            about: the input as text.
            chosen: what the name of the model asks for.

        Raises:
            InvalidQuestion: nothing is asked, or two options are the same; with the place of the question.
        """
        text = "\n\n".join(part for part in (about, self.text) if part.strip())
        try:
            question: Question = LongQuestion(text, self.options)
            question = question if question.is_long else Question(text, self.options)
        except InvalidQuestion as error:
            raise InvalidQuestion(error.message, param=self.place) from None
        return Ask(question, chosen.tau, chosen.route)


class Source(StrEnum):
    """Where the probabilities of an answer are from."""

    # The edge model's distribution, read in one pass.
    EDGE = "edge"
    # The cloud's log-probabilities at the answer.
    LOGPROBS = "logprobs"
    # A configured number: the side that answered gave an option and nothing about the others.
    PRIOR = "prior"


@dataclass(frozen=True, slots=True)
class Decided:
    """An answered question.

    Attributes:
        asked: the question.
        outcome: what became of it.
        probabilities: one probability for each option, in order; the option that was chosen has the largest.
        source: where they are from.
    """

    asked: TypedQuestion
    outcome: Outcome
    probabilities: tuple[float, ...]
    source: Source

    @classmethod
    def of(cls, asked: TypedQuestion, outcome: Outcome, prior: float) -> "Decided":
        """An outcome with its probabilities.

        Args:
            asked: the question.
            outcome: its outcome.
            prior: confidence of an answer whose side gave no distribution; more than 0 and less than 1.
        """
        labels = outcome.question.labels
        given, source = _given(outcome)
        if given is not None:
            values = tuple(given.get(label, 0.0) for label in labels)
            known = sum(label in given for label in labels)
            chosen = labels.index(outcome.answer)
            if known > 1 and is_distribution(values) and values[chosen] == max(values):
                return cls(asked, outcome, values, source)
        rest = (1 - prior) / len(labels)
        return cls(asked, outcome, tuple(prior + rest if label == outcome.answer else rest for label in labels), Source.PRIOR)

    @property
    def chosen(self) -> int:
        """Index of the option that was chosen."""
        return labels_of(len(self.probabilities)).index(self.outcome.answer)

    @property
    def yes(self) -> float:
        """The probability of yes, of a question that asks for yes or no."""
        return self.probabilities[0]

    @property
    def score(self) -> float:
        """The mean level, counted from 0."""
        return math.fsum(level * probability for level, probability in enumerate(self.probabilities))

    @property
    def confidence(self) -> float:
        """How far the answer is from a uniform distribution, from 0 to 1, by the formulas of System One.

        Of a choice: (max p - 1/n) / (1 - 1/n). Of a score: 1 minus the mean distance from the most probable level, divided by the mean
        distance of a uniform distribution from the middle of the scale.
        """
        count = len(self.probabilities)
        if self.asked.kind is not Kind.SCORE:
            return min(1.0, max(0.0, (max(self.probabilities) - 1 / count) / (1 - 1 / count)))
        distance = math.fsum(probability * abs(level - self.chosen) for level, probability in enumerate(self.probabilities))
        uniform = math.fsum(abs(level - (count - 1) / 2) for level in range(count)) / count
        return min(1.0, max(0.0, 1 - distance / uniform))

    def facts(self, decision_id: str) -> dict[str, Any]:
        """How it was routed, and where its probabilities are from."""
        return {**self.outcome.routing(), "probabilities": self.source.value, "model": self.outcome.model, "decision_id": decision_id}


def _given(outcome: Outcome) -> tuple[Any, Source]:
    """The distribution of the side that answered, by label; None where it gave none."""
    if outcome.route is Route.CLOUD:
        return (outcome.cloud.answer_probabilities if outcome.cloud is not None else None), Source.LOGPROBS
    try:
        return (outcome.edge.verdict.answer_distribution(outcome.decision.signal) if outcome.edge is not None else None), Source.EDGE
    except EdgeError:
        return None, Source.EDGE


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens that were read and written for a request, by both sides; what a side does not count is left out."""

    read: int
    written: int

    @classmethod
    def of(cls, decided: Sequence[Decided]) -> "Tokens":
        """The tokens of some answers. The edge writes none."""
        edge = sum(one.outcome.edge.prompt_tokens or 0 for one in decided if one.outcome.edge is not None)
        usages = [one.outcome.cloud.usage for one in decided if one.outcome.cloud is not None]
        return cls(
            edge + sum(usage.get("prompt_tokens", 0) for usage in usages), sum(usage.get("completion_tokens", 0) for usage in usages)
        )


def model_of(decided: Sequence[Decided]) -> str:
    """The model that gave all answers, or the name of the router where several did."""
    names = {one.outcome.model for one in decided}
    return names.pop() if len(names) == 1 else ROUTER


def text_of(value: Any) -> str:
    """A text, or an object or an array as compact JSON; empty for None. Raises ValueError for a number that is not finite."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def is_text(value: Any) -> bool:
    """Whether a value is a text, an object or an array."""
    return isinstance(value, (str, dict, list))


def described(name: str, description: Any) -> str:
    """An option with what is said about it."""
    said = text_of(description)
    return f"{name}: {said}" if said.strip() else name

"""What a reply says about its routing: headers, and the field `foggate` of its body."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.api.schemas import answer_body
from app.core.outcome import Outcome
from app.recognise import Recognised

DEGRADED = "edge-degraded"
# The reason of a chat that is no multiple-choice question and went to the cloud as it came; all others are those of an outcome.
PASSED_ON = "passed_on"
_MAX_HEADER_CHARS = 200


@dataclass(frozen=True, slots=True)
class Facts:
    """The routing of one answered question.

    Attributes:
        found: the question as the chat asked it.
        outcome: its answer.
        decision_id: id of this decision, which the log line of the request holds too.
        ignored: names of parameters that had no effect on the answer.
    """

    found: Recognised
    outcome: Outcome
    decision_id: str
    ignored: tuple[str, ...] = ()

    @property
    def route(self) -> str:
        """`edge`, `cloud`, or `edge-degraded` where the cloud was to answer and failed."""
        return DEGRADED if self.outcome.degraded else self.outcome.route.value

    def without(self, name: str) -> "Facts":
        """The same where one more parameter could not be honoured."""
        return replace(self, ignored=(*self.ignored, name))

    def headers(self) -> dict[str, str]:
        """Headers of the reply."""
        outcome = self.outcome
        verdict = outcome.edge.verdict if outcome.edge else None
        overhead_s = outcome.total_s - (outcome.cloud_s or 0.0)
        said: dict[str, str | None] = {
            "route": self.route,
            "reason": outcome.reason,
            "tau": f"{outcome.decision.tau:.4g}",
            "signal": "none" if outcome.signal is None else f"{outcome.signal:.4g}",
            "confidence": None if verdict is None or verdict.confidence is None else f"{verdict.confidence:.4g}",
            "model": self.outcome.model,
            "cost": shown_cost(outcome.cost),
            "overhead-ms": f"{overhead_s * 1000:.1f}",
            "decision-id": self.decision_id,
            "ignored": ",".join(self.ignored) or None,
        }
        return headers_of(said)

    def body(self, *, debug: bool) -> dict[str, Any]:
        """The field `foggate`: the routing in short, or with everything that `/v1/answer` says."""
        outcome = self.outcome
        said = {
            "decision_id": self.decision_id,
            "route": self.route,
            "reason": outcome.reason,
            "answer": outcome.answer,
            "label": self.found.label(outcome.answer),
            "model": self.outcome.model,
            "tau": outcome.decision.tau,
            "signal": outcome.decision.signal.value,
            "signal_value": outcome.signal,
            "cost": outcome.cost,
            "ignored": list(self.ignored),
        }
        if not debug:
            return said
        question = self.found.question
        asked = {"question": question.question, "options": list(question.options), "labels": list(self.found.labels)}
        return {**said, "recognised": asked | {"layout": self.found.layout, "form": self.found.form.value}, "outcome": answer_body(outcome)}


def shown_cost(cost: float | None) -> str | None:
    """A cost in the currency of the prices, to the millionth in which money is counted."""
    return None if cost is None else f"{cost:.6f}"


def headers_of(said: Mapping[str, str | None]) -> dict[str, str]:
    """Headers with these endings and values, in printable ASCII; None leaves one out."""
    return {f"x-foggate-{name}": _printable(value) for name, value in said.items() if value is not None}


def _printable(value: str) -> str:
    return "".join(character if " " <= character <= "~" else "?" for character in value[:_MAX_HEADER_CHARS])

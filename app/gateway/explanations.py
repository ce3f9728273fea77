"""The last decisions, so that a caller can ask later why a question was routed as it was. Numbers and names, never question text."""

from collections import OrderedDict
from typing import Any

from structlog.contextvars import get_contextvars

from app.core.ask import Ask
from app.core.outcome import Outcome, Reason, Route
from app.telemetry.request_line import noted

# A request id, and the id of the key with which it came; None without keys.
_Which = tuple[str, str | None]


class Explanations:
    """An observer that remembers a bounded number of decisions, by the id of their request.

    Args:
        most: most decisions that are remembered; the requests that came first are forgotten first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._remembered = 0
        self._requests: OrderedDict[_Which, list[dict[str, Any]]] = OrderedDict()

    def seen(self, ask: Ask, outcome: Outcome) -> None:  # noqa: ARG002  # an Observer's
        """Remember one; outside of a request nothing is remembered."""
        request_id = get_contextvars().get("request_id")
        if request_id is None:
            return
        self._requests.setdefault((request_id, noted("key")), []).append(explained(outcome))
        self._remembered += 1
        while self._remembered > self._most:
            _, forgotten = self._requests.popitem(last=False)
            self._remembered -= len(forgotten)

    def of(self, decision_id: str, key: str | None) -> list[dict[str, Any]]:
        """The decisions of a request, in the order in which they were taken; empty where none is remembered.

        Args:
            decision_id: the request id.
            key: id of the key of whoever asks. Only decisions that were taken for the same key are shown.
        """
        return list(self._requests.get((decision_id, key), ()))


def explained(outcome: Outcome) -> dict[str, Any]:
    """One decision in numbers and in a sentence."""
    edge, cloud = outcome.edge, outcome.cloud
    return {
        "explanation": _sentence(outcome),
        **outcome.routing(),
        "confidence": edge.verdict.confidence if edge else None,
        "expected_confidence": edge.verdict.expected_confidence if edge else None,
        "options": len(outcome.question.options),
        "edge_model": edge.model if edge else None,
        "cloud_model": cloud.model if cloud else None,
        "cloud_attempts": cloud.attempts if cloud else None,
        "total_ms": round(outcome.total_s * 1000, 3),
    }


def _sentence(outcome: Outcome) -> str:
    decision = outcome.decision
    words, tau = decision.signal.words, f"tau, {decision.tau:.4g}"
    value = "none" if outcome.signal is None else f"{outcome.signal:.4g}"
    why = {
        Reason.CONFIDENT: f"The {words} was {value}, at least {tau}, so the edge model's answer was kept",
        Reason.LOW_CONFIDENCE: f"The {words} was {value}, below {tau}, so the cloud was to answer",
        Reason.NO_SIGNAL: f"The edge model gave no {words} that could be compared with tau, so the cloud was to answer",
        Reason.NOT_CALIBRATED: (
            f"The calibration is not for questions with {len(outcome.question.options)} options, so there is no threshold for this one, and the cloud "
            "was to answer"
        ),
        Reason.FORCED: f"The caller asked for the {decision.route.value}",
        Reason.EDGE_FAILED: "The edge model failed on the question, so the cloud was to answer",
    }[decision.reason]
    if outcome.failure is not None:
        return f"{why}; {outcome.failure.summary}, so the edge model's answer was served, marked as degraded."
    return f"{why}; the cloud answered." if outcome.route is Route.CLOUD and decision.route is Route.CLOUD else f"{why}."

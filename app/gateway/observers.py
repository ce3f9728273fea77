"""What is told of every answered question: metrics, the request's span, and the request's log line."""

from dataclasses import dataclass
from typing import Protocol

from app.core.ask import Ask
from app.core.outcome import Outcome
from app.telemetry.metrics import Metrics
from app.telemetry.request_line import note
from app.telemetry.tracing import describe


class Observer(Protocol):
    """Sees every outcome once, in the event loop, before the caller gets it: it must return at once and wait for nothing.

    An observer that raises is logged; the caller gets the answer, and the other observers see it. Questions that get an error
    instead are not seen here: most of them never come this far, so the faces count them where they make the reply.
    """

    def seen(self, ask: Ask, outcome: Outcome) -> None:
        """Take note of an outcome, and of what was asked for."""


@dataclass(frozen=True, slots=True)
class MetricsObserver:
    """Counts outcomes."""

    metrics: Metrics

    def seen(self, ask: Ask, outcome: Outcome) -> None:  # noqa: ARG002  # an Observer's
        """Count one."""
        self.metrics.answered(outcome)


@dataclass(frozen=True, slots=True)
class SpanObserver:
    """Puts outcomes on the current span.

    Attributes:
        question_text: whether the span holds the question too.
    """

    question_text: bool

    def seen(self, ask: Ask, outcome: Outcome) -> None:  # noqa: ARG002  # an Observer's
        """Put it on the span."""
        describe(outcome, question_text=self.question_text)


class LineObserver:
    """Puts outcomes into the log line of the request."""

    def seen(self, ask: Ask, outcome: Outcome) -> None:
        """Add its fields. The line of a batch counts its questions instead."""
        if not ask.yields:
            note(
                route=outcome.route.value,
                reason=outcome.reason,
                degraded=outcome.degraded,
                signal=outcome.signal,
                attempts=outcome.cloud.attempts if outcome.cloud else 0,
            )

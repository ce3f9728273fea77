"""The contract of an edge: the small model that is asked first, in this process or elsewhere.

The in-process implementation is `app/edge/batcher.py`. What is built for the configured edge is decided in `app/edge/build.py`;
nothing above it knows which implementation answers.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from app.core.deadline import Deadline
from app.core.question import Question
from app.core.round_robin import RoundRobin
from app.core.verdict import EdgeReply, Signal


class EdgeHealth(StrEnum):
    """The state of an edge, in one word.

    Only `ALIVE` lets traffic come (`/health/ready`). `DEAD` means that a restart is needed (`/health/live`).
    """

    ALIVE = "alive"
    # Questions wait and none of them is answered.
    STALLED = "stalled"
    # Every question fails, one that was answered before among them.
    FAILING = "failing"
    # It answers nothing and will not recover without a restart.
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Identity:
    """What an edge is, as far as calibrations, records and `/v1/models` need to know it; it does not change while the edge lives.

    Attributes:
        model: name of the model in answers, `base` or `base+adapter`.
        fingerprint: changes when the weights change.
        prompt_fingerprint: changes when the rendering of questions changes; None where that is not known.
        signals: the signals that its verdicts have; empty where nothing can be compared with tau. A single verdict may have fewer.
    """

    model: str
    fingerprint: str
    prompt_fingerprint: str | None
    signals: frozenset[Signal]


class Edge(Protocol):
    """The small model. Used in one event loop."""

    @property
    def identity(self) -> Identity:
        """What answers."""

    @property
    def turns(self) -> RoundRobin:
        """Where questions that yield wait after they were refused; the edge calls `next` whenever it may have room."""

    async def warm_up(self, question: Question, within_s: float) -> None:
        """Ask a first question, before all others; the edge can answer when this returns.

        Args:
            question: a question that a working edge answers.
            within_s: seconds that it may take.

        Raises:
            EdgeError: the edge cannot answer it, or not in that time.
        """

    async def verdict(self, question: Question, deadline: Deadline, *, yields: bool = False) -> EdgeReply:
        """The verdict on one question.

        Args:
            question: what is asked.
            deadline: when the caller stops waiting.
            yields: whether the question takes no place from one that does not yield: it is refused while others wait, and asked again.

        Raises:
            Overloaded: there is no place for this question; said at once.
            Draining: the edge is closing.
            InvalidQuestion: this edge cannot read the question, for example because it is too long.
            EdgeError: the edge failed on this question.
        """

    def health(self) -> EdgeHealth:
        """The state at this moment. Does not wait for anything."""

    async def close(self, *, wait: bool = True) -> None:
        """Take nothing new, finish what waits, release what is held.

        Args:
            wait: whether to wait until what waits is finished.
        """

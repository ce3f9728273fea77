"""The contract of an edge: the small model that is asked first, in this process or elsewhere.

The in-process implementation is `app/edge/batcher.py`. What is built for the configured edge is decided in `app/edge/build.py`;
nothing above it knows which implementation answers.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from app.core.deadline import Deadline
from app.core.errors import FogGateError
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


class Prepared(Protocol):
    """A question in the form in which an edge reads it. Only the edge that made it can be asked it."""

    @property
    def columns(self) -> int:
        """What it costs, in a unit of the edge. Questions that cost the same are best asked together."""


class Edge(Protocol):
    """The small model. Used in one event loop."""

    @property
    def identity(self) -> Identity:
        """What answers."""

    @property
    def turns(self) -> RoundRobin:
        """Where batches wait for room; the edge calls `next` whenever it may have some."""

    async def warm_up(self, question: Question, within_s: float) -> None:
        """Ask a first question, before all others; the edge can answer when this returns.

        Args:
            question: a question that a working edge answers.
            within_s: seconds that it may take.

        Raises:
            EdgeError: the edge cannot answer it, or not in that time.
        """

    async def verdict(self, question: Question, deadline: Deadline) -> EdgeReply:
        """The verdict on a single question.

        Args:
            question: what is asked.
            deadline: when the caller stops waiting.

        Raises:
            Overloaded: there is no place for this question; said at once.
            Draining: the edge is closing.
            InvalidQuestion: this edge cannot read the question, for example because it is too long.
            EdgeError: the edge failed on this question.
        """

    async def prepare(self, questions: Sequence[Question]) -> Sequence[Prepared | FogGateError]:
        """Questions of a batch in the form in which this edge reads them, in their order; the error, where it cannot read one."""

    def ask(self, wanted: Iterable[tuple[Prepared, Deadline]]) -> list[asyncio.Future[EdgeReply]]:
        """Ask the first ones of these questions of a batch, as many as there is room for now. They take no place from single questions.

        Args:
            wanted: questions that this edge has prepared, each with the time at which its caller stops waiting.

        Returns:
            What gives the reply to each question that was asked, in their order, or raises what `verdict` raises. Fewer than were wanted,
            possibly none, where there is no room for more: `turns` says when to try again. Cancelling one takes the question back.

        Raises:
            Draining: the edge is closing.
            EdgeError: the edge answers nothing any more.
        """

    def health(self) -> EdgeHealth:
        """The state at this moment. Does not wait for anything."""

    async def close(self, *, wait: bool = True) -> None:
        """Take nothing new, finish what waits, release what is held.

        Args:
            wait: whether to wait until what waits is finished.
        """

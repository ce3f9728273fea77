"""Fakes that implement our Protocols: an engine steered by words of the question, an edge and a cloud by what they are given."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.ask import Bound
from app.core.buckets import BUCKETS
from app.core.deadline import Deadline
from app.core.edge import EdgeHealth, Identity, Prepared
from app.core.errors import EdgeError, FogGateError, InvalidQuestion
from app.core.outcome import CloudReply
from app.core.question import LETTERS, Question
from app.core.round_robin import RoundRobin
from app.core.verdict import EdgeReply, JointVerdict, OptionsVerdict, TextVerdict, Verdict
from app.edge.rendering import Prompt


def make_verdict(confidence: float = 1.0, answer: int = 0, options: int = 4, *, top: float = 0.7) -> JointVerdict:
    """A verdict that puts 0.8 on one bucket and, within each bucket, `top` on one letter."""
    bucket = BUCKETS.index(confidence)
    row = [top if i == answer else (1 - top) / (options - 1) for i in range(options)]
    return JointVerdict.from_weights([[(0.8 if b == bucket else 0.05) * p for p in row] for b in range(len(BUCKETS))], bucket)


class Unexpected(JointVerdict):
    """A sound verdict that cannot be read: a bug that only a request finds."""

    @property
    def confidence(self) -> float:
        raise KeyError("secret detail")


class FakeEngine:
    """`sure` in a question makes it confident, `long` makes its prompt too long, `poison` breaks its batch.

    `gate` holds every batch while it is cleared; `started` is set when a batch is entered.
    """

    name = "fake-edge"
    fingerprint = "fake"
    prompt_fingerprint = "fake-prompt"

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Event()
        self.on_batch = lambda: None

    def prepare(self, question: Question) -> Prompt:
        words = question.question.split()
        if "long" in words:
            raise InvalidQuestion("the prompt is 9999 tokens long, the limit is 100", param="question")
        return Prompt((4 if "sure" in words else 0, int("poison" in words), *range(len(words))), len(question.options), shares_prefix=True)

    def prepare_all(self, questions: Sequence[Question]) -> list[Prompt | FogGateError]:
        found: list[Prompt | FogGateError] = []
        for question in questions:
            try:
                found.append(self.prepare(question))
            except FogGateError as error:
                found.append(error)
        return found

    def verdicts(self, prompts: Sequence[Prompt]) -> list[JointVerdict]:
        self.batches.append(len(prompts))
        self.started.set()
        self.gate.wait(30)
        self.on_batch()
        if any(prompt.ids[1] for prompt in prompts):
            raise RuntimeError("CUDA out of memory, say")
        return [make_verdict(BUCKETS[prompt.ids[0]], 1, prompt.options) for prompt in prompts]


class AlteredEngine(FakeEngine):
    """`alter` makes the result of a batch from the sound verdicts, or raises; None leaves the verdicts as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.alter: Callable[[list[JointVerdict]], Any] | None = None

    def verdicts(self, prompts: Sequence[Prompt]) -> list[JointVerdict]:
        verdicts = super().verdicts(prompts)
        return verdicts if self.alter is None else self.alter(verdicts)


class FakeClock:
    """A clock that stands still until a test moves it; `now` is in seconds."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Unread:
    """A question as a `FakeEdge` prepares it."""

    question: Question
    columns: int = 1


class FakeEdge:
    """An edge (`app.core.edge.Edge`) that gives the same verdict on every question, or fails on every one.

    `state` is what it says of its health; `first_error` is raised by its warm-up; `questions` counts what it was asked, warm-ups left out.
    """

    identity = Identity("fake-edge", "fake", "fake-prompt", JointVerdict.signals)

    def __init__(self, reply: Verdict | FogGateError) -> None:
        self.reply = reply
        self.turns = RoundRobin()
        self.state = EdgeHealth.ALIVE
        self.first_error: FogGateError | None = None
        self.questions = 0
        self.closed = False

    async def warm_up(self, question: Question, within_s: float) -> None:
        if self.first_error is not None:
            raise self.first_error

    async def prepare(self, questions: Sequence[Question]) -> list[Prepared | FogGateError]:
        return [Unread(question) for question in questions]

    def ask(self, wanted: Iterable[tuple[Prepared, Deadline]]) -> list[asyncio.Future[EdgeReply]]:
        return [asyncio.ensure_future(self.verdict(one.question, deadline)) for one, deadline in wanted if isinstance(one, Unread)]

    async def verdict(self, question: Question, deadline: Deadline) -> EdgeReply:
        self.questions += 1
        reply = self.about(question)
        if isinstance(reply, FogGateError):
            raise reply
        return EdgeReply(reply, self.identity.model, None, 0.01)

    def about(self, question: Question) -> Verdict | FogGateError:
        return self.reply

    def health(self) -> EdgeHealth:
        return self.state

    async def close(self, *, wait: bool = True) -> None:
        self.closed = True


class OptionsEdge(FakeEdge):
    """Gives a distribution over the options and nothing else: 0.7 on the second letter. `broken` in a question makes it fail."""

    identity = Identity("options-edge", "fake", None, OptionsVerdict.signals)

    def __init__(self) -> None:
        super().__init__(EdgeError("the edge model failed on this question", retry_after_s=1))

    def about(self, question: Question) -> Verdict | FogGateError:
        others = len(question.options) - 1
        weights = [0.7 if letter == "B" else 0.3 / others for letter in question.letters]
        return self.reply if "broken" in question.question else OptionsVerdict.from_weights(weights)


class TextEdge(FakeEdge):
    """Writes the second letter and nothing else. `broken` in a question makes it fail, `astray` makes it write a letter that was not offered."""

    identity = Identity("text-edge", "fake", None, TextVerdict.signals)

    def __init__(self) -> None:
        super().__init__(EdgeError("the edge model failed on this question", retry_after_s=1))

    def about(self, question: Question) -> Verdict | FogGateError:
        if "broken" in question.question:
            return self.reply
        return TextVerdict(LETTERS[len(question.options)] if "astray" in question.question else "B")


class FakeCloud:
    def __init__(self, reply: str | FogGateError) -> None:
        self.reply = reply
        self.deadlines: list[Deadline] = []

    async def answer(self, question: Question, deadline: Deadline, allowance: Sequence[Bound] = ()) -> CloudReply:
        self.deadlines.append(deadline)
        if isinstance(self.reply, FogGateError):
            raise self.reply
        return CloudReply(self.reply, "fake-cloud", 1, {"prompt_tokens": 5, "completion_tokens": 1})

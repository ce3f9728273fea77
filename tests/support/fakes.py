"""Fakes that implement our Protocols: an engine steered by words of the question, an edge and a cloud by what they are given."""

import threading
from collections.abc import Sequence

from app.core.ask import Bound
from app.core.deadline import Deadline
from app.core.errors import FogGateError, InvalidQuestion
from app.core.outcome import CloudReply
from app.core.question import Question
from app.core.verdict import BUCKETS, EdgeReply, Verdict
from app.edge.rendering import Prompt


def make_verdict(confidence: float = 1.0, answer: int = 0, options: int = 4) -> Verdict:
    """A verdict that puts 0.8 on one bucket and, within each bucket, 0.7 on one letter."""
    bucket = BUCKETS.index(confidence)
    row = [0.7 if i == answer else 0.3 / (options - 1) for i in range(options)]
    return Verdict.from_weights([[(0.8 if b == bucket else 0.05) * p for p in row] for b in range(len(BUCKETS))], bucket)


class Unexpected(Verdict):
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

    def verdicts(self, prompts: Sequence[Prompt]) -> list[Verdict]:
        self.batches.append(len(prompts))
        self.started.set()
        self.gate.wait(30)
        self.on_batch()
        if any(prompt.ids[1] for prompt in prompts):
            raise RuntimeError("CUDA out of memory, say")
        return [make_verdict(BUCKETS[prompt.ids[0]], 1, prompt.options) for prompt in prompts]


class FakeEdge:
    def __init__(self, reply: Verdict | FogGateError) -> None:
        self.reply = reply

    async def verdict(self, question: Question, deadline: Deadline, *, yields: bool = False) -> EdgeReply:
        if isinstance(self.reply, FogGateError):
            raise self.reply
        return EdgeReply(self.reply, "fake-edge", 0.0, 0.01)


class FakeCloud:
    def __init__(self, reply: str | FogGateError) -> None:
        self.reply = reply
        self.deadlines: list[Deadline] = []

    async def answer(self, question: Question, deadline: Deadline, allowance: Sequence[Bound] = ()) -> CloudReply:
        self.deadlines.append(deadline)
        if isinstance(self.reply, FogGateError):
            raise self.reply
        return CloudReply(self.reply, "fake-cloud", 1, {"prompt_tokens": 5, "completion_tokens": 1})

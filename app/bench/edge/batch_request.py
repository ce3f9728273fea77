"""Many questions in one request, to a server that can be asked so: how fast, and is any of them refused?"""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.bench.client import drive
from app.bench.connection import prepare
from app.bench.numbers import Spread
from app.bench.peers.protocol import UNREADABLE, Asked, BatchWay
from app.bench.processes import Server
from app.core import interrupts


@dataclass
class BatchRuns:
    """A server that is asked many questions in one request, and what came back so far."""

    server: Server
    way: BatchWay
    asked: list[int] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    first_failure: str | None = None

    def measure(self, questions: Sequence[Asked], timeout: float) -> None:
        """Send one request with these questions."""
        answered: list[int] = []

        def heard(_: int, status: int, body: bytes) -> None:
            if status // 100 == 2:  # noqa: PLR2004  # 2xx
                with contextlib.suppress(*UNREADABLE):
                    answered.append(self.way.answered(body))

        request = prepare(self.server.url + self.way.path, json.dumps(self.way.body(questions)).encode())
        load = interrupts.run(drive([request], clients=1, count=1, timeout=timeout, on_reply=heard))
        self.asked.append(len(questions))
        self.answered.append(answered[0] if answered else 0)
        self.seconds.append(load.seconds)
        self.first_failure = self.first_failure or load.first_failure

    def row(self) -> dict[str, Any]:
        """As a JSON object; rates are those of the questions that were answered."""
        return {
            "questions": max(self.asked),
            "rounds": len(self.asked),
            "not_answered": sum(self.asked) - sum(self.answered),
            "first_failure": self.first_failure,
            "seconds": Spread.of(self.seconds).row(),
            "questions_per_s": Spread.of([count / seconds for count, seconds in zip(self.answered, self.seconds, strict=True)]).row(),
        }

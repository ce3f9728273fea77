"""FogGate itself over HTTP: the real gateway as a process, asked for the edge's answer."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.bench.peers.protocol import Asked, BatchWay, Place, Start, Way, threads_of

NAME = "foggate"


@dataclass(frozen=True)
class FogGate:
    """The gateway with a configuration.

    Attributes:
        options: options of `foggate serve`.
        environment: variables that change settings.
    """

    options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    name: str = NAME
    about: str = "this gateway, edge route"

    def install(self, place: Place) -> Start:
        """It is installed already."""
        return Start(
            lambda port: [sys.executable, "-m", "app", "serve", "--host", "127.0.0.1", "--port", str(port), *self.options],
            "/health/ready",
            [Way("one pass", "/v1/answer", _body, _letter, joint=True)],
            {**threads_of(place), "FOGGATE_LOG__LEVEL": "warning", **self.environment},
            BatchWay("/v1/answers", lambda asked: {"questions": [_body(each) for each in asked]}, _answered),
        )


def _body(asked: Asked) -> dict[str, object]:
    return {"question": asked.question.question, "options": list(asked.question.options), "route": "edge"}


def _letter(reply: bytes) -> str | None:
    answer = json.loads(reply)["answer"]
    return None if answer is None else str(answer)


def _answered(reply: bytes) -> int:
    return sum("answer" in result for result in json.loads(reply)["results"])

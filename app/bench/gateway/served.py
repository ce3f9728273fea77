"""The gateway as it is served, with an edge engine that waits and computes nothing: `python -m app.bench.gateway.served`.

It is a program of the bench and not an option of `foggate serve`, so that nobody serves its answers by accident. It listens on loopback
only, and its model is called `bench-waiting-engine` in every answer. Settings of the caller's environment, such as the address and the
key of a real cloud, are not read: those of the command line are the only ones.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Sequence

from app.api.listener import listen_on
from app.api.server import serve
from app.config.loading import load_settings
from app.config.tree import PREFIX
from app.core import interrupts
from app.core.buckets import BUCKETS
from app.core.errors import FogGateError
from app.core.question import Question
from app.core.verdict import JointVerdict
from app.edge.build import with_engine
from app.edge.rendering import Prompt
from app.telemetry.logs import configure_logging

MODEL = "bench-waiting-engine"
_CHARS_PER_TOKEN = 4


class WaitingEngine:
    """An engine (`app.edge.runner.Engine`) that takes a fixed time for a batch and is sure of the first option.

    Args:
        batch_s: seconds that a batch takes, whatever is in it.
    """

    name = MODEL
    fingerprint = MODEL
    prompt_fingerprint = MODEL

    def __init__(self, batch_s: float) -> None:
        self._batch_s = batch_s

    def prepare(self, question: Question) -> Prompt:
        """A prompt of about the length that a tokenizer would make; its tokens mean nothing."""
        chars = len(question.question) + sum(map(len, question.options))
        return Prompt((0,) * (1 + chars // _CHARS_PER_TOKEN), len(question.options), shares_prefix=False)

    def prepare_all(self, questions: Sequence[Question]) -> list[Prompt | FogGateError]:
        """The same for several questions."""
        return [self.prepare(question) for question in questions]

    def verdicts(self, prompts: Sequence[Prompt]) -> list[JointVerdict]:
        """Wait, then give the same distribution for every prompt: 0.9 on the first option and on the highest confidence."""
        time.sleep(self._batch_s)
        return [_verdict(prompt.options) for prompt in prompts]


def _verdict(options: int) -> JointVerdict:
    letters = [0.9, *([0.1 / (options - 1)] * (options - 1))]
    highest = len(BUCKETS) - 1
    return JointVerdict.from_weights([[(0.9 if b == highest else 0.025) * p for p in letters] for b in range(len(BUCKETS))], highest)


async def _run(port: int, batch_s: float) -> int:
    settings = load_settings()
    configure_logging(settings.log.level, settings.log.format)
    edge = with_engine(lambda _: WaitingEngine(batch_s))
    return await serve(settings, *listen_on("127.0.0.1", port), on_ready=lambda _: None, edge=edge)


def main() -> None:
    """Serve until a signal ends it."""
    interrupts.install(terminated=0)
    parser = argparse.ArgumentParser(description="A gateway whose edge model is a wait. For foggate bench.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--edge-ms", type=float, default=0.5)
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE", help="a variable FOGGATE_… without its prefix")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        del os.environ[name]
    os.environ.update((PREFIX + name, value) for name, _, value in (setting.partition("=") for setting in given.setting))
    code = asyncio.run(_run(given.port, given.edge_ms / 1000))
    if code:
        interrupts.finish(code)


if __name__ == "__main__":
    main()

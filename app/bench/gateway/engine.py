"""An edge engine that waits and computes nothing: where the speed of a model would be noise."""

import time
from collections.abc import Callable, Sequence

from app.core.buckets import BUCKETS
from app.core.errors import FogGateError
from app.core.question import Question
from app.core.verdict import JointVerdict
from app.edge.rendering import Prompt

MODEL = "bench-waiting-engine"
_CHARS_PER_TOKEN = 4
_LOWEST, _HIGHEST = 0, len(BUCKETS) - 1


def _always(_: str) -> bool:
    return True


class WaitingEngine:
    """An engine (`app.edge.runner.Engine`) that takes a fixed time for a batch and prefers the first option.

    Args:
        batch_s: seconds that a batch takes, whatever is in it.
        is_sure: whether the verdict on a question with this text has the highest confidence; otherwise it has the lowest.
    """

    name = MODEL
    fingerprint = MODEL
    prompt_fingerprint = MODEL

    def __init__(self, batch_s: float, is_sure: Callable[[str], bool] = _always) -> None:
        self._batch_s = batch_s
        self._is_sure = is_sure

    def prepare(self, question: Question) -> Prompt:
        """A prompt of about the length that a tokenizer would make. Its tokens say the confidence and mean nothing else."""
        chars = len(question.question) + sum(map(len, question.options))
        bucket = _HIGHEST if self._is_sure(question.question) else _LOWEST
        return Prompt((bucket,) * (1 + chars // _CHARS_PER_TOKEN), len(question.options), shares_prefix=False)

    def prepare_all(self, questions: Sequence[Question]) -> list[Prompt | FogGateError]:
        """The same for several questions."""
        return [self.prepare(question) for question in questions]

    def verdicts(self, prompts: Sequence[Prompt]) -> list[JointVerdict]:
        """Wait, then give every prompt 0.9 on the first option and on its confidence."""
        time.sleep(self._batch_s)
        return [_verdict(prompt.ids[0], prompt.options) for prompt in prompts]


def _verdict(bucket: int, options: int) -> JointVerdict:
    letters = [0.9, *([0.1 / (options - 1)] * (options - 1))]
    return JointVerdict.from_weights([[(0.9 if b == bucket else 0.025) * p for p in letters] for b in range(len(BUCKETS))], bucket)

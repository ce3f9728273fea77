"""Runs prompts on an engine, checks what comes back, and knows whether the engine works. Knows no queue and no loop."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from app.core.edge import Identity
from app.core.errors import EdgeError, FogGateError
from app.core.question import Question
from app.core.verdict import JointVerdict
from app.edge.rendering import Prompt
from app.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)


class Engine(Protocol):
    """The model that a batch is run on. `verdicts` is called from the worker thread only, `prepare` and `prepare_all` from the text thread."""

    name: str
    fingerprint: str
    # Fingerprint of the rendering of questions; see `app.edge.rendering.Renderer`.
    prompt_fingerprint: str

    def prepare(self, question: Question) -> Prompt: ...

    def prepare_all(self, questions: Sequence[Question]) -> list[Prompt | FogGateError]: ...

    def verdicts(self, prompts: Sequence[Prompt]) -> list[JointVerdict]: ...


def identity_of(engine: Engine) -> Identity:
    """What answers when this engine runs in this process."""
    return Identity(engine.name, engine.fingerprint, engine.prompt_fingerprint, JointVerdict.signals)


def prepared(engine: Engine, question: Question) -> Prompt:
    """The prompt of a question, made in the text thread.

    Raises:
        InvalidQuestion: the prompt is over the token limit.
        EdgeError: the tokenizer failed.
    """
    try:
        return engine.prepare(question)
    except FogGateError:
        raise
    except BaseException:
        # A panic inside a tokenizer of the Rust library is no Exception.
        logger.exception("a question could not be prepared")
        raise EdgeError("the edge model failed on this question", retry_after_s=1) from None


def prepared_all(engine: Engine, questions: Sequence[Question]) -> list[Prompt | FogGateError]:
    """The prompts of several questions, made in the text thread; where one has none, the error that `prepared` would raise."""
    try:
        return engine.prepare_all(questions)
    except BaseException:
        # One of them may have broken the call: the others must not fail for that.
        logger.exception("%d questions could not be prepared together", len(questions))
    found: list[Prompt | FogGateError] = []
    for question in questions:
        try:
            found.append(prepared(engine, question))
        except FogGateError as error:
            found.append(error)
    return found


class Runner:
    """An engine that may fail.

    One thread runs prompts; any thread may read the attributes.

    Args:
        engine: the model that runs a batch.
        metrics: where failed batches are counted.
        probe_after: number of failed batches in a row after which the known-good prompt is run too.
        probe_every_s: seconds between further runs of it while it fails.
        clock: monotonic seconds.

    Attributes:
        known_good: a prompt that this engine has answered; None until there is one.
        failed_in_a_row: failed batches since the last one that gave any verdict. It reaches `probe_after` only when the
            known-good prompt has failed too: then the engine is broken, not the questions.
        busy_since: when the present batch was begun; None when none runs.
        progress_at: when the last one ended.
    """

    def __init__(
        self, engine: Engine, metrics: Metrics, *, probe_after: int, probe_every_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._metrics = metrics
        self._probe_after = probe_after
        self._probe_every_s = probe_every_s
        self._clock = clock
        self._probed_at = clock()
        # A failure that is not counted yet.
        self._suspected = False
        self.known_good: Prompt | None = None
        self.failed_in_a_row = 0
        self.busy_since: float | None = None
        self.progress_at = clock()

    def run(self, prompts: list[Prompt]) -> list[JointVerdict | None]:
        """The verdicts, None for each prompt on which the engine failed. Raises no `Exception`, whatever the engine does."""
        verdicts = self._attempt(prompts)
        if any(verdicts):
            self.failed_in_a_row, self._suspected = 0, False
        elif self.failed_in_a_row + 1 == self._probe_after and self.known_good is not None:
            # Questions that break a working engine must not take it out of service, however often they are sent: this
            # failure counts when the known-good prompt has failed too.
            self._suspected = True
        else:
            self.failed_in_a_row += 1
        return verdicts

    def probe_in(self) -> float:
        """Seconds until `probe` is to be called; infinite where that is not called for."""
        if self._suspected:
            return 0.0
        if self.known_good is None or self.failed_in_a_row < self._probe_after:
            return math.inf
        return max(0.0, self._probed_at + self._probe_every_s - self._clock())

    def probe(self) -> None:
        """Run the known-good prompt: does the engine work at all? A failing one gets no traffic by which it could show that."""
        assert self.known_good is not None  # noqa: S101  # for mypy: `probe_in` has looked
        works = any(self._attempt([self.known_good]))
        self.failed_in_a_row = 0 if works else self.failed_in_a_row + (2 if self._suspected else 1)
        self._suspected = False
        self._probed_at = self._clock()
        logger.warning("after failed batches the edge model %s its warm-up question", "answers" if works else "fails on")

    def _attempt(self, prompts: list[Prompt]) -> list[JointVerdict | None]:
        self.busy_since = self._clock()
        try:
            verdicts = _verdicts(self._engine, prompts)
        except Exception:
            # Whatever the model throws (out of memory, a CUDA error) belongs to this batch, never to the worker.
            logger.exception("a batch of %d failed", len(prompts))
            verdicts = [None] * len(prompts)
        finally:
            self.busy_since, self.progress_at = None, self._clock()
        if not any(verdicts):
            self._metrics.edge_batches_failed.inc()
        return verdicts


def _verdicts(engine: Engine, prompts: list[Prompt]) -> list[JointVerdict | None]:
    """The verdicts of the engine, one entry per prompt, None where its output is no distribution.

    Raises:
        Exception: whatever the engine raises; ValueError where it returns more or fewer verdicts than prompts.
    """
    try:
        given: Sequence[object] = engine.verdicts(prompts)
    except EdgeError as error:
        if not error.verdicts:
            raise
        logger.error("%s", error.message)  # noqa: TRY400  # a sentence, not a traceback
        given = error.verdicts
    return [
        verdict if isinstance(verdict, JointVerdict) and verdict.is_sound(prompt.options) else None
        for verdict, prompt in zip(given, prompts, strict=True)
    ]

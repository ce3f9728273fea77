"""Dynamic batching: a bounded queue in front of one worker thread that runs whatever is waiting when it becomes free.

No timer: an idle engine takes a single question at once, a busy one finds a batch when it returns. A failed batch fails
its own callers only; a caller who leaves takes his question out of the queue. Knows nothing of torch beyond a Protocol.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.deadline import Deadline
from app.domain import EdgeReply, Question, Verdict
from app.edge.rendering import Prompt
from app.errors import Draining, EdgeError, FogGateError, Overloaded
from app.metrics import Metrics
from app.offload import in_text_thread
from app.tracing import edge_spans

logger = logging.getLogger(__name__)

# By then every caller's deadline has passed.
_CLOSE_S = 30.0


class Engine(Protocol):
    """What a batch is run on. `verdicts` is called from the worker thread only, `prepare` from the text thread."""

    name: str
    fingerprint: str

    def prepare(self, question: Question) -> Prompt: ...

    def verdicts(self, prompts: Sequence[Prompt]) -> list[Verdict]: ...


@dataclass(eq=False, slots=True)
class _Waiting:
    prompt: Prompt
    reply: asyncio.Future[EdgeReply]
    since: float


class Batcher:
    """The edge side of the cascade.

    Args:
        engine: what runs a batch.
        metrics: where depths, waits and sizes are counted.
        max_batch_size: questions per forward pass.
        max_batch_tokens: padded prompt tokens per forward pass (the longest prompt times the number of prompts); a single
            longer prompt still runs, alone.
        max_queue_size: questions that may wait; one more is refused.
        clock: monotonic seconds, the deadline's clock.
    """

    def __init__(
        self,
        engine: Engine,
        metrics: Metrics,
        *,
        max_batch_size: int,
        max_batch_tokens: int,
        max_queue_size: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._metrics = metrics
        self._max_batch_size = max_batch_size
        self._max_batch_tokens = max_batch_tokens
        self._max_queue_size = max_queue_size
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Waiting] = deque()
        # Questions whose text is being tokenised; they count as queued.
        self._preparing = 0
        self._running_tokens = 0
        self._seconds_per_token = 0.0
        # Since when the present batch runs, and when the worker last finished one or found nothing to do.
        self._busy_since: float | None = None
        self._progress_at = clock()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="foggate-edge", daemon=True)
        self._thread.start()

    @property
    def model(self) -> str:
        """Name of the model behind the queue."""
        return self._engine.name

    @property
    def fingerprint(self) -> str:
        """Fingerprint of its weights."""
        return self._engine.fingerprint

    @property
    def alive(self) -> bool:
        """Whether the worker thread runs."""
        return self._thread.is_alive()

    def batch_age_s(self) -> float:
        """How long the present batch has been running; 0 when none is."""
        since = self._busy_since
        return 0.0 if since is None else self._clock() - since

    def stalled_s(self) -> float:
        """How long questions have been waiting without any batch being finished; 0 when none waits.

        An overloaded worker is not stalled: it finishes one batch after the other.
        """
        with self._changed:
            if not self._queue:
                return 0.0
            return max(0.0, self._clock() - max(self._progress_at, self._queue[0].since))

    async def verdict(self, question: Question, deadline: Deadline) -> EdgeReply:
        """Wait for this question's verdict.

        Raises:
            Overloaded: the queue is full, or so long that the deadline would pass in it; said at once.
            Draining: the batcher is closing.
            InvalidQuestion: the prompt is over the token limit.
            EdgeError: the tokenizer or the forward pass failed.
        """
        # Asked before the tokenizer works, and again under the lock: refusing must be cheap exactly when it is frequent.
        self._admit(deadline)
        self._preparing += 1
        try:
            # A long text takes the tokenizer a tenth of a second.
            prompt = await in_text_thread(_prepared, self._engine, question)
        finally:
            self._preparing -= 1
        waiting = _Waiting(prompt, self._loop.create_future(), self._clock())
        with self._changed:
            self._admit(deadline)
            self._queue.append(waiting)
            self._metrics.edge_queue_depth.set(len(self._queue))
            self._changed.notify()
        try:
            reply = await waiting.reply
        finally:
            # A caller who left, or whose time is up, must not cost a forward pass.
            if waiting.reply.cancelled():
                self._forget(waiting)
        edge_spans(reply)
        return reply

    async def close(self) -> None:
        """Take nothing new, finish what is queued, end the worker; a batch that hangs is not waited for beyond `_CLOSE_S`."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join, _CLOSE_S)

    def _admit(self, deadline: Deadline) -> None:
        if self._closed:
            raise Draining("the gateway is shutting down", retry_after_s=1)
        with self._changed:
            waiting = len(self._queue)
            tokens = self._running_tokens + sum(len(w.prompt.ids) for w in self._queue)
        wait = tokens * self._seconds_per_token
        # An empty queue always admits: a pessimistic estimate must be able to correct itself.
        if waiting + self._preparing >= self._max_queue_size or (waiting and wait > deadline.at - self._clock()):
            raise Overloaded("the edge queue is full", retry_after_s=max(1.0, wait))

    def _forget(self, waiting: _Waiting) -> None:
        with self._changed:
            if waiting in self._queue:
                self._queue.remove(waiting)
                self._metrics.edge_queue_depth.set(len(self._queue))

    def _work(self) -> None:
        while batch := self._next_batch():
            replies: list[EdgeReply] | None = None
            self._busy_since = self._clock()
            try:
                replies = self._run(batch)
            except Exception:
                # Whatever the model throws (out of memory, a CUDA error) belongs to this batch, never to the worker.
                logger.exception("a batch of %d failed", len(batch))
            self._busy_since, self._progress_at = None, self._clock()
            try:
                self._loop.call_soon_threadsafe(_resolve, batch, replies)
            except RuntimeError:
                # The loop is closed: nobody waits any more.
                logger.debug("results of %d questions came after the event loop had ended", len(batch))

    def _run(self, batch: list[_Waiting]) -> list[EdgeReply]:
        started = self._clock()
        verdicts = self._engine.verdicts([waiting.prompt for waiting in batch])
        took = self._clock() - started
        pace = took / max(1, self._running_tokens)
        self._seconds_per_token = pace if self._seconds_per_token == 0.0 else 0.7 * self._seconds_per_token + 0.3 * pace
        self._metrics.edge_batch_size.observe(len(batch))
        self._metrics.edge_inference_duration.observe(took)
        for waiting in batch:
            self._metrics.edge_queue_duration.observe(started - waiting.since)
        name = self._engine.name
        return [EdgeReply(verdict, name, started - w.since, took, len(batch)) for w, verdict in zip(batch, verdicts, strict=True)]

    def _next_batch(self) -> list[_Waiting]:
        """Block until there is work; empty only when closed and drained. First come, first served."""
        with self._changed:
            self._running_tokens = 0
            while True:
                batch: list[_Waiting] = []
                longest = 0
                while self._queue and len(batch) < self._max_batch_size:
                    candidate = self._queue[0]
                    if candidate.reply.done():
                        self._queue.popleft()
                        continue
                    longest = max(longest, len(candidate.prompt.ids))
                    if batch and longest * (len(batch) + 1) > self._max_batch_tokens:
                        break
                    batch.append(self._queue.popleft())
                self._metrics.edge_queue_depth.set(len(self._queue))
                if batch or self._closed:
                    self._running_tokens = sum(len(waiting.prompt.ids) for waiting in batch)
                    return batch
                self._changed.wait()


def _prepared(engine: Engine, question: Question) -> Prompt:
    """In the text thread. Raises InvalidQuestion or EdgeError."""
    try:
        return engine.prepare(question)
    except FogGateError:
        raise
    except BaseException:
        # A panic inside a tokenizer of the Rust library is no Exception.
        logger.exception("a question could not be prepared")
        raise EdgeError("the edge model failed on this question", retry_after_s=1) from None


def _resolve(batch: list[_Waiting], replies: list[EdgeReply] | None) -> None:
    """On the event loop: give each caller who is still there a reply, or an error of his own."""
    for index, waiting in enumerate(batch):
        if waiting.reply.done():
            continue
        if replies is None:
            waiting.reply.set_exception(EdgeError("the edge model failed on this question", retry_after_s=1))
        else:
            waiting.reply.set_result(replies[index])

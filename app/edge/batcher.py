"""Dynamic batching: a bounded queue in front of one worker thread that runs a batch of what waits when it becomes free.

No timer: an idle engine takes a single question at once, a busy one finds a batch when it returns. A failed batch fails
its own callers only; a caller who leaves takes their question out of the queue. Knows nothing of torch beyond a Protocol.
"""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.deadline import Deadline
from app.domain import EdgeReply, Question
from app.edge.batching import choose
from app.edge.pace import Pace
from app.edge.rendering import Prompt
from app.edge.runner import Engine, Runner, prepared
from app.errors import Draining, EdgeError, Overloaded
from app.metrics import Metrics
from app.offload import in_text_thread
from app.tracing import edge_spans

logger = logging.getLogger(__name__)

# By then every caller's deadline has passed.
_CLOSE_S = 30.0


@dataclass(eq=False, slots=True)
class _Waiting:
    prompt: Prompt
    reply: asyncio.Future[EdgeReply]
    since: float
    is_warm_up: bool = False


class Batcher:
    """The edge side of the cascade.

    Args:
        engine: what runs a batch.
        metrics: where depths, waits and sizes are counted.
        max_batch_size: questions per forward pass.
        max_batch_tokens: padded prompt tokens per forward pass (the longest prompt times the number of prompts); a single
            longer prompt still runs, alone.
        max_padding_share: share of padding in a forward pass; see `app.edge.batching.choose`.
        max_queue_size: questions that may wait; one more is refused.
        probe_after, probe_every_s: see `app.edge.runner.Runner`; the known-good prompt is that of the warm-up.
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
        max_padding_share: float = 0.1,
        probe_after: int = 3,
        probe_every_s: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._metrics = metrics
        self._max_batch_size = max_batch_size
        self._max_batch_tokens = max_batch_tokens
        self._max_queue_size = max_queue_size
        self._max_padding_share = max_padding_share
        self._clock = clock
        self._runner = Runner(engine, metrics, probe_after=probe_after, probe_every_s=probe_every_s, clock=clock)
        self._loop = asyncio.get_running_loop()
        # Oldest first.
        self._queue: list[_Waiting] = []
        # Questions whose text is being tokenised; they count as queued.
        self._preparing = 0
        self._running_tokens = 0
        self._pace = Pace()
        self._changed = threading.Condition()
        self._closed = self._ended = False
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
    def prompt_fingerprint(self) -> str:
        """Fingerprint of its prompts."""
        return self._engine.prompt_fingerprint

    @property
    def alive(self) -> bool:
        """Whether the worker thread runs."""
        return not self._ended

    @property
    def failed_in_a_row(self) -> int:
        """Failed batches since the last one that gave any verdict; see `app.edge.runner.Runner`."""
        return self._runner.failed_in_a_row

    def batch_age_s(self) -> float:
        """How long the present batch has been running; 0 when none is."""
        since = self._runner.busy_since
        return 0.0 if since is None else self._clock() - since

    def stalled_s(self) -> float:
        """How long questions have been waiting without any batch being finished; 0 when none waits.

        An overloaded worker is not stalled: it finishes one batch after the other.
        """
        with self._changed:
            if not self._queue:
                return 0.0
            return max(0.0, self._clock() - max(self._runner.progress_at, self._queue[0].since))

    async def warm_up(self, question: Question, within_s: float) -> None:
        """Ask a first question. It is kept as the one that a working engine answers, and says nothing about the pace: the
        first forward pass on a GPU takes seconds that no other one takes.

        Raises:
            InvalidQuestion: the prompt is over the token limit.
            EdgeError: the forward pass failed, or took too long.
        """
        prompt = self._engine.prepare(question)
        try:
            async with asyncio.timeout(within_s):
                await self._reply(prompt, Deadline(self._clock() + within_s), is_warm_up=True)
        except TimeoutError:
            raise EdgeError(f"the edge model did not answer its warm-up question within {within_s:g} s") from None
        except EdgeError:
            raise EdgeError("the edge model fails on its warm-up question; the log has the reason") from None
        self._runner.known_good = prompt

    async def verdict(self, question: Question, deadline: Deadline) -> EdgeReply:
        """Wait for this question's verdict.

        Raises:
            Overloaded: the queue is full, or so long that the deadline would pass in it; said at once.
            Draining: the batcher is closing.
            InvalidQuestion: the prompt is over the token limit.
            EdgeError: the tokenizer or the forward pass failed, or gave no distribution for this question, or the worker has ended.
        """
        # Asked before the tokenizer works, and again under the lock: refusing must be cheap exactly when it is frequent.
        self._admit(deadline)
        self._preparing += 1
        try:
            # A long text takes the tokenizer a tenth of a second.
            prompt = await in_text_thread(prepared, self._engine, question)
        finally:
            self._preparing -= 1
        reply = await self._reply(prompt, deadline)
        edge_spans(reply)
        return reply

    async def close(self, *, wait: bool = True) -> None:
        """Take nothing new, finish what is queued, end the worker; a batch that hangs is not waited for beyond `_CLOSE_S`.

        Args:
            wait: whether to wait for the worker at all.
        """
        with self._changed:
            self._closed = True
            self._changed.notify()
        if wait:
            await asyncio.to_thread(self._thread.join, _CLOSE_S)

    async def _reply(self, prompt: Prompt, deadline: Deadline, *, is_warm_up: bool = False) -> EdgeReply:
        waiting = _Waiting(prompt, self._loop.create_future(), self._clock(), is_warm_up)
        with self._changed:
            self._admit(deadline)
            self._queue.append(waiting)
            self._metrics.edge_queue_depth.set(len(self._queue))
            self._changed.notify()
        try:
            return await waiting.reply
        finally:
            # A caller who left, or whose time is up, must not cost a forward pass.
            if waiting.reply.cancelled():
                self._forget(waiting)

    def _admit(self, deadline: Deadline) -> None:
        if self._closed:
            raise Draining("the gateway is shutting down", retry_after_s=1)
        if self._ended:
            # Nobody would ever take it out of the queue.
            raise EdgeError("the edge model's worker has ended", retry_after_s=1)
        with self._changed:
            waiting = len(self._queue)
            tokens = self._running_tokens + sum(w.prompt.computed for w in self._queue)
        wait = tokens * self._pace.seconds_per_token
        # An empty queue always admits: a pessimistic estimate must be able to correct itself.
        if waiting + self._preparing >= self._max_queue_size or (waiting and wait > deadline.at - self._clock()):
            raise Overloaded("the edge queue is full", retry_after_s=max(1.0, wait))

    def _forget(self, waiting: _Waiting) -> None:
        with self._changed:
            if waiting in self._queue:
                self._queue.remove(waiting)
                self._metrics.edge_queue_depth.set(len(self._queue))

    def _work(self) -> None:
        """The worker thread. Whatever ends it before it is closed is said, shown by `alive`, and told to all who wait."""
        batch: list[_Waiting] | None = []
        try:
            while (batch := self._next_batch()) is not None:
                if batch:
                    self._answer(batch)
                else:
                    self._runner.probe()
        except BaseException:
            # Not raised again: a thread that ends by SystemExit says nothing at all.
            logger.critical("the edge worker has died", exc_info=True)
        finally:
            with self._changed:
                self._ended = True
                left, self._queue = [*(batch or ()), *self._queue], []
            self._hand_over(left, [None] * len(left))

    def _answer(self, batch: list[_Waiting]) -> None:
        """Run a batch and give each caller their reply."""
        started = self._clock()
        verdicts = self._runner.run([waiting.prompt for waiting in batch])
        took = self._clock() - started
        name, size = self._engine.name, len(batch)
        replies = [
            None if verdict is None else EdgeReply(verdict, name, started - waiting.since, took, size)
            for waiting, verdict in zip(batch, verdicts, strict=True)
        ]
        try:
            if any(replies):
                self._observe(batch, started, took)
        finally:
            self._hand_over(batch, replies)

    def _observe(self, batch: list[_Waiting], started: float, took: float) -> None:
        if not any(waiting.is_warm_up for waiting in batch):
            self._pace.add(took, max(1, self._running_tokens))
        self._metrics.edge_batch_size.observe(len(batch))
        self._metrics.edge_inference_duration.observe(took)
        for waiting in batch:
            self._metrics.edge_queue_duration.observe(started - waiting.since)

    def _next_batch(self) -> list[_Waiting] | None:
        """Block until there is work; empty when it is time to probe a failing engine, None when closed and drained."""
        with self._changed:
            self._running_tokens = 0
            while True:
                waiting = [w for w in self._queue if not w.reply.done()]
                probe_in = self._runner.probe_in()
                if probe_in == 0 and not self._closed:
                    return []
                chosen = self._choose(waiting)
                batch = [waiting[index] for index in sorted(chosen)]
                self._queue = [w for index, w in enumerate(waiting) if index not in chosen]
                self._metrics.edge_queue_depth.set(len(self._queue))
                if batch:
                    self._running_tokens = sum(w.prompt.computed for w in batch)
                    return batch
                if self._closed:
                    return None
                self._changed.wait(None if math.isinf(probe_in) else probe_in)

    def _choose(self, waiting: list[_Waiting]) -> set[int]:
        if not waiting:
            return set()
        return choose(
            [w.prompt for w in waiting],
            max_size=self._max_batch_size,
            max_tokens=self._max_batch_tokens,
            max_padding_share=self._max_padding_share,
        )

    def _hand_over(self, batch: Sequence[_Waiting], replies: Sequence[EdgeReply | None]) -> None:
        try:
            self._loop.call_soon_threadsafe(_resolve, batch, replies)
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            logger.debug("results of %d questions came after the event loop had ended", len(batch))


def _resolve(batch: Sequence[_Waiting], replies: Sequence[EdgeReply | None]) -> None:
    """On the event loop: give each caller who is still there their reply, or an error of their own."""
    for waiting, reply in zip(batch, replies, strict=True):
        if waiting.reply.done():
            continue
        if reply is None:
            waiting.reply.set_exception(EdgeError("the edge model failed on this question", retry_after_s=1))
        else:
            waiting.reply.set_result(reply)

"""The in-process edge: a bounded queue in front of one worker thread, which runs a batch of what waits whenever it becomes free.

There is no timer: an idle engine takes a single question at once, a busy one finds a batch when it returns. A failed batch fails
its own callers only; a caller who leaves takes their question out of the queue. Knows nothing of torch beyond a Protocol.
"""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import cast

from app.core.deadline import Deadline
from app.core.edge import EdgeHealth, Prepared
from app.core.errors import Draining, EdgeError, FogGateError
from app.core.offload import in_text_thread
from app.core.question import Question
from app.core.round_robin import RoundRobin
from app.core.verdict import EdgeReply
from app.edge.batching import Bounds
from app.edge.health import UNLIMITED, HealthLimits, Vitals
from app.edge.pace import Pace
from app.edge.rendering import Prompt
from app.edge.replies import call, hand_over
from app.edge.runner import Engine, Runner, identity_of, prepared, prepared_all
from app.edge.waiting import Waiting, WaitingQueue
from app.telemetry.metrics import Metrics
from app.telemetry.tracing import edge_spans

logger = logging.getLogger(__name__)

# By then every caller's deadline has passed.
_CLOSE_S = 30.0


class Batcher:
    """An edge (`app.core.edge.Edge`) whose model runs in this process.

    Args:
        engine: the model that runs a batch.
        metrics: where depths, waits and sizes are counted.
        max_batch_size, max_batch_tokens, max_padding_share: bounds of a forward pass; see `app.edge.batching.Bounds`.
        max_queue_size: questions that may wait; one more is refused. Those that yield are not counted: at most as many of them
            as one forward pass takes wait here, behind all others.
        probe_after, probe_every_s: see `app.edge.runner.Runner`; the known-good prompt is that of the warm-up.
        limits: what counts as stalled, failing and dead.
        clock: monotonic seconds, the deadline's clock.

    Attributes:
        identity, turns: see `app.core.edge.Edge`.
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
        limits: HealthLimits = UNLIMITED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.identity = identity_of(engine)
        self.turns = RoundRobin()
        self._engine = engine
        self._metrics = metrics
        self._limits = limits
        self._clock = clock
        self._runner = Runner(engine, metrics, probe_after=probe_after, probe_every_s=probe_every_s, clock=clock)
        self._loop = asyncio.get_running_loop()
        self._queue = WaitingQueue(max_size=max_queue_size, bounds=Bounds(max_batch_size, max_batch_tokens, max_padding_share))
        self._pace = Pace()
        self._changed = threading.Condition()
        self._closed = self._ended = False
        self._thread = threading.Thread(target=self._work, name="foggate-edge", daemon=True)
        self._thread.start()

    def health(self) -> EdgeHealth:
        """The state of the worker at this moment."""
        return self._limits.judge(Vitals(self._ended, self.batch_age_s(), self.stalled_s(), self._runner.failed_in_a_row))

    def batch_age_s(self) -> float:
        """Seconds that the present batch has been running; 0 when none runs."""
        since = self._runner.busy_since
        return 0.0 if since is None else self._clock() - since

    def stalled_s(self) -> float:
        """Seconds that questions have been waiting without any batch being finished; 0 when none waits.

        An overloaded worker is not stalled: it finishes one batch after the other.
        """
        with self._changed:
            oldest = self._queue.oldest_since
        return 0.0 if oldest is None else max(0.0, self._clock() - max(self._runner.progress_at, oldest))

    async def warm_up(self, question: Question, within_s: float) -> None:
        """Ask a first question. It is kept as one that a working engine answers.

        Its time is not counted for the pace: the first forward pass on a GPU takes seconds that no other one takes.

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
        """Wait for this question's verdict; the arguments and errors are those of `app.core.edge.Edge`.

        `Overloaded` means that the queue is full, or so long that the deadline would pass in it.
        """
        # Asked before the tokenizer works, and again under the lock: refusing must be cheap exactly when it is frequent.
        self._admit(deadline)
        with self._queue.joining():
            try:
                # A long text takes the tokenizer a tenth of a second.
                prompt = await in_text_thread(prepared, self._engine, question)
            except BaseException:
                # Called when this one is out of the way.
                self._loop.call_soon(self.turns.next)
                raise
        reply = await self._reply(prompt, deadline)
        edge_spans(reply)
        return reply

    async def prepare(self, questions: Sequence[Question]) -> list[Prompt | FogGateError]:
        """The prompts of questions of a batch, all tokenised in one call, in the text thread; see `app.core.edge.Edge`."""
        return await in_text_thread(prepared_all, self._engine, questions)

    def ask(self, wanted: Iterable[tuple[Prepared, Deadline]]) -> list[asyncio.Future[EdgeReply]]:
        """Put the first ones of these behind all single questions; see `app.core.edge.Edge`.

        At most as many as one forward pass takes wait there, and each must be answered within half of its deadline.
        """
        asked: list[asyncio.Future[EdgeReply]] = []
        with self._changed:
            self._check_open()
            now, pace = self._clock(), self._pace.seconds_per_column
            for one, deadline in wanted:
                prompt = cast("Prompt", one)
                if not self._queue.has_room_behind(deadline.at - now, pace, prompt.columns):
                    break
                waiting = Waiting(prompt, self._loop.create_future(), now, yields=True, due=deadline.at)
                waiting.reply.add_done_callback(partial(self._behind_ended, waiting))
                self._queue.add(waiting)
                asked.append(waiting.reply)
            if asked:
                self._metrics.edge_queue_depth.set(len(self._queue))
                self._changed.notify()
        return asked

    def _behind_ended(self, waiting: Waiting, reply: asyncio.Future[EdgeReply]) -> None:
        if reply.cancelled():
            self._forget(waiting)
        elif reply.exception() is None:
            edge_spans(reply.result())

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
        waiting = Waiting(prompt, self._loop.create_future(), self._clock(), is_warm_up, due=deadline.at)
        with self._changed:
            self._admit(deadline, own=prompt.columns)
            self._queue.add(waiting)
            self._metrics.edge_queue_depth.set(len(self._queue))
            self._changed.notify()
        try:
            return await waiting.reply
        finally:
            # A caller who left, or whose time is up, must not cost a forward pass.
            if waiting.reply.cancelled():
                self._forget(waiting)

    def _admit(self, deadline: Deadline, *, own: int = 0) -> None:
        self._check_open()
        with self._changed:
            self._queue.admit(deadline.at - self._clock(), self._pace.seconds_per_column, own=own)

    def _check_open(self) -> None:
        if self._closed:
            raise Draining("the gateway is shutting down", retry_after_s=1)
        if self._ended:
            # Nobody would ever take it out of the queue.
            raise EdgeError("the edge model's worker has ended", retry_after_s=1)

    def _forget(self, waiting: Waiting) -> None:
        with self._changed:
            self._queue.discard(waiting)
            self._metrics.edge_queue_depth.set(len(self._queue))
        self.turns.next()

    def _work(self) -> None:
        """The worker thread. Whatever ends it before it is closed is logged, shown by `health`, and told to all who wait."""
        batch: list[Waiting] | None = []
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
                left = [*(batch or ()), *self._queue.take_all()]
            hand_over(self._loop, left, [None] * len(left))
            call(self._loop, self.turns.next)

    def _answer(self, batch: list[Waiting]) -> None:
        """Run a batch and give each caller their reply."""
        started = self._clock()
        verdicts = self._runner.run([waiting.prompt for waiting in batch])
        took = self._clock() - started
        name, size = self._engine.name, len(batch)
        replies = [
            None if verdict is None else EdgeReply(verdict, name, started - waiting.since, took, size, len(waiting.prompt.ids))
            for waiting, verdict in zip(batch, verdicts, strict=True)
        ]
        try:
            if any(replies):
                self._observe(batch, started, took)
        finally:
            hand_over(self._loop, batch, replies)

    def _observe(self, batch: list[Waiting], started: float, took: float) -> None:
        if not any(waiting.is_warm_up for waiting in batch):
            self._pace.add(took, max(1, self._queue.running_columns))
        self._metrics.edge_batch_size.observe(len(batch))
        self._metrics.edge_inference_duration.observe(took)
        for waiting in batch:
            self._metrics.edge_queue_duration.observe(started - waiting.since)

    def _next_batch(self) -> list[Waiting] | None:
        """Block until there is work; empty when it is time to probe a failing engine, None when closed and drained."""
        with self._changed:
            self._queue.running_columns = 0
            while True:
                probe_in = self._runner.probe_in()
                if probe_in == 0 and not self._closed:
                    return []
                batch = self._queue.take_batch(self._clock(), self._pace.seconds_per_column)
                self._metrics.edge_queue_depth.set(len(self._queue))
                if batch:
                    call(self._loop, self.turns.next)
                    return batch
                if self._closed:
                    return None
                self._changed.wait(None if math.isinf(probe_in) else probe_in)

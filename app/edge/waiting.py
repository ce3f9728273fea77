"""The queue in front of the edge model: what waits, who may join, who leaves it next. Knows no thread and no clock."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from app.core.errors import Overloaded
from app.core.verdict import EdgeReply
from app.edge.batching import choose
from app.edge.rendering import Prompt


@dataclass(eq=False, slots=True)
class Waiting:
    """One question in the queue.

    Attributes:
        since: time at which it joined, on the batcher's clock (seconds).
        yields: whether it stands behind every question that does not yield.
    """

    prompt: Prompt
    reply: asyncio.Future[EdgeReply]
    since: float
    is_warm_up: bool = False
    yields: bool = False


class WaitingQueue:
    """A queue with the oldest question first and those that yield behind all others. Not thread-safe: its owner holds a lock.

    Args:
        max_size: questions that may wait; those that yield are not counted.
        max_batch_size, max_batch_tokens, max_padding_share: see `app.edge.batching.choose`. At most as many questions as one
            batch takes may wait while one that yields joins.

    Attributes:
        running_tokens: prompt tokens of the batch that is under way.
    """

    def __init__(self, *, max_size: int, max_batch_size: int, max_batch_tokens: int, max_padding_share: float) -> None:
        self._max_size = max_size
        self._max_batch_size = max_batch_size
        self._max_batch_tokens = max_batch_tokens
        self._max_padding_share = max_padding_share
        # Ordered sets. Their tokens are asked for twice a question, so they are counted as the queue changes.
        self._ahead: dict[Waiting, None] = {}
        self._behind: dict[Waiting, None] = {}
        self._tokens_ahead = self._tokens_behind = 0
        # Questions whose text is being tokenised, and those among them that yield: they count as waiting.
        self._joining = self._joining_behind = 0
        # Their estimated tokens: the mean of the last batch.
        self._tokens_each = 0.0
        self.running_tokens = 0

    def __len__(self) -> int:
        return len(self._ahead) + len(self._behind)

    def __iter__(self) -> Iterator[Waiting]:
        yield from self._ahead
        yield from self._behind

    @property
    def oldest_since(self) -> float | None:
        """When the one that has waited longest came; None when nothing waits."""
        return min((next(iter(line)).since for line in (self._ahead, self._behind) if line), default=None)

    def admit(self, left_s: float, seconds_per_token: float, *, yields: bool) -> None:
        """Refuse a question for which there is no place.

        One that yields must be asked for once only, before it is `joining`: refused any later, it would come again at once.

        Args:
            left_s: seconds until its deadline.
            seconds_per_token: the pace of the edge model, per prompt token.
            yields: whether it stands behind all others.

        Raises:
            Overloaded: the queue is full, or so long that the deadline would pass in it.
        """
        if yields:
            before = len(self) + self._joining
            tokens = self.running_tokens + self._tokens_ahead + self._tokens_behind + self._joining * self._tokens_each
            full = before >= min(self._max_batch_size, self._max_size)
            # No more than are answered within half of the deadline: the other half is the cloud's, and that of questions which
            # come in between.
            too_long = 2 * (tokens + self._tokens_each) * seconds_per_token > left_s
        else:
            before = len(self._ahead)
            tokens = self.running_tokens + self._tokens_ahead
            full = before + self._joining - self._joining_behind >= self._max_size
            too_long = tokens * seconds_per_token > left_s
        # An empty queue always admits: a pessimistic estimate must be able to correct itself.
        if full or (before and too_long):
            raise Overloaded("the edge queue is full", retry_after_s=max(1.0, tokens * seconds_per_token))

    @contextlib.contextmanager
    def joining(self, *, yields: bool) -> Iterator[None]:
        """Count a question as waiting while its prompt is made."""
        self._joining += 1
        self._joining_behind += yields
        try:
            yield
        finally:
            self._joining -= 1
            self._joining_behind -= yields

    def add(self, waiting: Waiting) -> None:
        """Put a question at the end of its line."""
        if waiting.yields:
            self._behind[waiting] = None
            self._tokens_behind += waiting.prompt.computed
        else:
            self._ahead[waiting] = None
            self._tokens_ahead += waiting.prompt.computed

    def discard(self, waiting: Waiting) -> None:
        """Take a question out, if it is there."""
        if waiting in self._ahead:
            del self._ahead[waiting]
            self._tokens_ahead -= waiting.prompt.computed
        elif waiting in self._behind:
            del self._behind[waiting]
            self._tokens_behind -= waiting.prompt.computed

    def take_batch(self) -> list[Waiting]:
        """Take out the questions of the next batch, and those that nobody waits for any more; empty when nothing waits."""
        for given_up in [waiting for waiting in self if waiting.reply.done()]:
            self.discard(given_up)
        waiting = list(self)
        chosen = (
            choose(
                [w.prompt for w in waiting],
                max_size=self._max_batch_size,
                max_tokens=self._max_batch_tokens,
                max_padding_share=self._max_padding_share,
            )
            if waiting
            else set()
        )
        batch = [waiting[index] for index in sorted(chosen)]
        for taken in batch:
            self.discard(taken)
        self.running_tokens = sum(taken.prompt.computed for taken in batch)
        if batch:
            self._tokens_each = self.running_tokens / len(batch)
        return batch

    def take_all(self) -> list[Waiting]:
        """Empty the queue."""
        waiting = list(self)
        for taken in waiting:
            self.discard(taken)
        return waiting

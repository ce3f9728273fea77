"""The queue in front of the edge model: what waits, who may join, who leaves it next. Knows no thread and no clock."""

import asyncio
import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

from app.core.errors import Overloaded
from app.core.verdict import EdgeReply
from app.edge.batching import Bounds, choose
from app.edge.rendering import Prompt


@dataclass(eq=False, slots=True)
class Waiting:
    """One question in the queue.

    Attributes:
        since: time at which it joined, on the batcher's clock (seconds).
        due: time at which its caller stops waiting, on the same clock.
        yields: whether it stands behind every question that does not yield.
    """

    prompt: Prompt
    reply: asyncio.Future[EdgeReply]
    since: float
    is_warm_up: bool = False
    yields: bool = False
    due: float = math.inf


class WaitingQueue:
    """A queue with the oldest question first and those that yield behind all others. Not thread-safe: its owner holds a lock.

    Args:
        max_size: questions that may wait; those that yield are not counted.
        bounds: bounds of a forward pass. A question that yields finds room only while fewer questions wait than one pass takes.

    Attributes:
        running_columns: computed columns of the batch that is under way, without padding.
    """

    def __init__(self, *, max_size: int, bounds: Bounds) -> None:
        self._max_size = max_size
        self._bounds = bounds
        # Ordered sets. Their columns are asked for twice a question, so they are counted as the queue changes.
        self._ahead: dict[Waiting, None] = {}
        self._behind: dict[Waiting, None] = {}
        self._columns_ahead = self._columns_behind = 0
        # Single questions whose text is being tokenised: they count as waiting.
        self._joining = 0
        # Their estimated columns: the mean of the last batch.
        self._columns_each = 0.0
        self.running_columns = 0

    def __len__(self) -> int:
        return len(self._ahead) + len(self._behind)

    def __iter__(self) -> Iterator[Waiting]:
        yield from self._ahead
        yield from self._behind

    @property
    def oldest_since(self) -> float | None:
        """When the one that has waited longest came; None when nothing waits."""
        return min((next(iter(line)).since for line in (self._ahead, self._behind) if line), default=None)

    def admit(self, left_s: float, seconds_per_column: float, *, own: int = 0) -> None:
        """Refuse a single question for which there is no place.

        Args:
            left_s: seconds until its deadline.
            seconds_per_column: the pace of the edge model, per computed column.
            own: its own columns, as soon as they are known.

        Raises:
            Overloaded: the queue is full, or so long that the deadline would pass in it.
        """
        before = len(self._ahead)
        columns = self.running_columns + self._columns_ahead
        # An empty queue always admits: a pessimistic estimate must be able to correct itself.
        if before + self._joining >= self._max_size or (before and (columns + own) * seconds_per_column > left_s):
            raise Overloaded("the edge queue is full", retry_after_s=max(1.0, columns * seconds_per_column))

    def has_room_behind(self, left_s: float, seconds_per_column: float, own: int) -> bool:
        """Whether there is room for one more question that yields: at most as many of them as one forward pass takes wait here.

        Args:
            left_s: seconds until its deadline.
            seconds_per_column: the pace of the edge model, per computed column.
            own: its own columns.
        """
        before = len(self) + self._joining
        columns = self.running_columns + self._columns_ahead + self._columns_behind + self._joining * self._columns_each + own
        # No more than are answered within half of the deadline: the other half is the cloud's, and that of questions which come in between.
        in_time = 2 * columns * seconds_per_column <= left_s
        return before < min(self._bounds.max_size, self._max_size) and (in_time or not before)

    @contextlib.contextmanager
    def joining(self) -> Iterator[None]:
        """Count a single question as waiting while its prompt is made."""
        self._joining += 1
        try:
            yield
        finally:
            self._joining -= 1

    def add(self, waiting: Waiting) -> None:
        """Put a question at the end of its line."""
        if waiting.yields:
            self._behind[waiting] = None
            self._columns_behind += waiting.prompt.columns
        else:
            self._ahead[waiting] = None
            self._columns_ahead += waiting.prompt.columns

    def discard(self, waiting: Waiting) -> None:
        """Take a question out, if it is there."""
        if waiting in self._ahead:
            del self._ahead[waiting]
            self._columns_ahead -= waiting.prompt.columns
        elif waiting in self._behind:
            del self._behind[waiting]
            self._columns_behind -= waiting.prompt.columns

    def take_batch(self, now: float, seconds_per_column: float) -> list[Waiting]:
        """Take out the questions of the next batch, and those that nobody waits for any more; empty when nothing waits.

        Args:
            now: the present time on the batcher's clock (seconds).
            seconds_per_column: the pace of the edge model.
        """
        for given_up in [waiting for waiting in self if waiting.reply.done()]:
            self.discard(given_up)
        waiting = list(self)
        chosen = choose(waiting, self._bounds, now=now, seconds_per_column=seconds_per_column) if waiting else set()
        batch = [waiting[index] for index in sorted(chosen)]
        for taken in batch:
            self.discard(taken)
        self.running_columns = sum(taken.prompt.columns for taken in batch)
        if batch:
            self._columns_each = self.running_columns / len(batch)
        return batch

    def take_all(self) -> list[Waiting]:
        """Empty the queue."""
        waiting = list(self)
        for taken in waiting:
            self.discard(taken)
        return waiting

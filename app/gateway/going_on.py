"""Questions of a batch that have to wait for more than the edge: each is a task, and a bounded number of them is worked on at a time."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from app.core.deadline import Deadline
from app.core.outcome import Outcome

# What makes an outcome, and what is told of it, or of the error that there is instead.
Work = Callable[[], Coroutine[Any, Any, Outcome]]
Done = Callable[[Outcome | Exception], None]


class GoingOn:
    """The questions that go on.

    Args:
        at_a_time: number of questions that are worked on at a time.
    """

    def __init__(self, at_a_time: int) -> None:
        self._at_a_time = at_a_time
        self._places = asyncio.Semaphore(at_a_time)
        self._tasks: set[asyncio.Task[Outcome]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def left(self) -> int:
        """How many more questions would not have to wait."""
        return max(0, self._at_a_time - len(self._tasks))

    @property
    def is_full(self) -> bool:
        """Whether one more question would have to wait."""
        return not self.left

    def begin(self, work: Work, deadline: Deadline, done: Done) -> None:
        """Work on a question as soon as there is a place for it.

        Args:
            work: what is to be done. It is called without a place where the deadline passes first, and says then what becomes of the question.
            deadline: deadline of the question.
            done: is called with the result, from the event loop.
        """
        task = asyncio.ensure_future(self._in_a_place(work, deadline))
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, done))

    def cancel(self) -> None:
        """Give up all of them."""
        for task in self._tasks:
            task.cancel()

    async def _in_a_place(self, work: Work, deadline: Deadline) -> Outcome:
        has_place = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline.remaining()):
                has_place = await self._places.acquire()
        try:
            return await work()
        finally:
            if has_place:
                self._places.release()

    def _ended(self, done: Done, task: asyncio.Task[Outcome]) -> None:
        self._tasks.discard(task)
        error = RuntimeError("the task of a question was cancelled") if task.cancelled() else task.exception()
        if error is None:
            done(task.result())
        else:
            done(error if isinstance(error, Exception) else RuntimeError(repr(error)))

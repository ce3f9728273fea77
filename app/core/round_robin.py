"""The order of several groups that wait, each with a number of questions: one group after the other. For the event loop only."""

import asyncio
from collections import OrderedDict
from collections.abc import Hashable


class RoundRobin:
    """Waiting groups. Each call of `next` wakes the one that comes first.

    It grants nothing: the group that is woken finds out whether there is room, and then joins the line again or calls `next`.
    """

    def __init__(self) -> None:
        # The group whose turn it is comes first; each with the number of its questions.
        self._line: OrderedDict[Hashable, tuple[asyncio.Future[None], int]] = OrderedDict()

    def __len__(self) -> int:
        """Number of questions of all groups that wait."""
        return sum(questions for _, questions in self._line.values())

    def join(self, group: Hashable, questions: int, *, first: bool = False) -> asyncio.Future[None]:
        """Wait to be woken, behind all others.

        Args:
            group: the group; one that waits already must not join again.
            questions: how many of its questions wait, at least one.
            first: whether the group keeps its turn, because it was woken just now and found no room.

        Returns:
            What is done when the group is woken.
        """
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line[group] = woken, questions
        if first:
            self._line.move_to_end(group, last=False)
        return woken

    def leave(self, group: Hashable) -> None:
        """Take a group out of the line, if it is there. One that was woken already must call `next`."""
        self._line.pop(group, None)

    def next(self) -> None:
        """Wake the group whose turn it is."""
        if self._line:
            _, (woken, _) = self._line.popitem(last=False)
            woken.set_result(None)

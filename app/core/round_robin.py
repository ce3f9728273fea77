"""The order of several groups of waiting tasks: one task of each group in turn. For the event loop only."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable


class RoundRobin:
    """Waiting tasks, grouped. Each call of `next` wakes one of them.

    It grants nothing: the task that is woken finds out whether there is room, and calls `next` when it is done, or waits `again`.
    """

    def __init__(self) -> None:
        # The group whose turn it is comes first.
        self._lines: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    async def wait(self, group: Hashable, *, again: bool = False) -> None:
        """Wait to be woken.

        Args:
            group: the group that the task belongs to.
            again: whether the task was woken just now and found no room: it keeps its turn.
        """
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line = self._lines.setdefault(group, deque())
        if again:
            line.appendleft(woken)
            self._lines.move_to_end(group, last=False)
        else:
            line.append(woken)
        try:
            await woken
        except asyncio.CancelledError:
            if woken.cancelled():
                self._leave(group, woken)
            else:
                # Woken and cancelled at the same time: the turn goes to another task.
                self.next()
            raise

    def next(self) -> None:
        """Wake the first task of the group whose turn it is."""
        while self._lines:
            group, line = next(iter(self._lines.items()))
            woken = line.popleft()
            if line:
                self._lines.move_to_end(group)
            else:
                del self._lines[group]
            if not woken.done():
                woken.set_result(None)
                return

    def _leave(self, group: Hashable, woken: asyncio.Future[None]) -> None:
        line = self._lines.get(group)
        if line is not None and woken in line:
            line.remove(woken)
            if not line:
                del self._lines[group]

"""Retries that all requests share, so that a dying cloud is not finished off by its clients (Google SRE book, ch. 21)."""

import time
from collections.abc import Callable

from app.cloud.window import Window

_WINDOW_S = 10.0
# With hardly any traffic a share of it is nothing; this many retries in ten seconds hurt nobody.
_ALWAYS = 3


class RetryBudget:
    """At most a share of the calls of the last ten seconds may be retries.

    Args:
        share: 0.2 lets an endpoint see at most 1.2 times the calls it would see on a good day.
        clock: monotonic seconds.
    """

    def __init__(self, share: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._window = Window(_WINDOW_S, clock)

    def called(self) -> None:
        """Count a first attempt."""
        self._window.add("call")

    def left(self) -> bool:
        """Whether one more retry is allowed; it is not counted."""
        return self._window.count("retry") + 1 <= max(_ALWAYS if self._share else 0, self._share * self._window.count("call"))

    def take(self) -> bool:
        """Whether one more retry is allowed; it is counted."""
        if not self.left():
            return False
        self._window.add("retry")
        return True

"""Bounds the retries of all calls together, so that retries do not overload a failing cloud further (Google SRE book, ch. 21)."""

import time
from collections.abc import Callable

from app.cloud.window import Window

_WINDOW_S = 10.0
# With little traffic a share of it is less than one retry; so many retries in ten seconds are harmless.
_ALWAYS = 3


class RetryBudget:
    """At most a share of the calls of the last ten seconds may be retries.

    Args:
        share: largest share of retries; with 0.2 an endpoint sees at most 1.2 times the calls that it would see without failures.
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

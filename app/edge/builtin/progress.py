"""What a person is told while a builtin model is fetched and converted, on standard error."""

import logging
import sys
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

# Told one line.
Say = Callable[[str], None]

_MEGA, _GIGA = 1_000_000, 1_000_000_000
_EVERY_S, _MINUTE_S = 15.0, 60


def say(text: str) -> None:
    """Write one line: a log record where this process logs such records (the server), otherwise plain text (a command)."""
    if logging.getLogger().handlers and logger.isEnabledFor(logging.INFO):
        logger.info(text)
        return
    try:
        sys.stderr.write(f"foggate: {text}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        # A closed standard error must not end the work.
        return


def amount(size: int) -> str:
    """A number of bytes for people, as in `1.1 GB`."""
    return f"{size / _GIGA:.1f} GB" if size >= _GIGA // 10 else f"{size / _MEGA:,.1f} MB"


class Progress:
    """Tells how much of a file has arrived: when it is complete, and before that every 15 seconds."""

    def __init__(self, name: str, size: int, have: int, tell: Say = say) -> None:
        self._name, self._size, self._tell = name, size, tell
        self._began = self._told = time.monotonic()
        self._began_with = have

    def __call__(self, have: int) -> None:
        """Take note of how many bytes there are."""
        now = time.monotonic()
        if have < self._size and now - self._told < _EVERY_S:
            return
        self._told = now
        self._tell(f"{self._name}: {amount(have)} of {amount(self._size)} fetched{self._left(have, now)}")

    def _left(self, have: int, now: float) -> str:
        if have >= self._size or have <= self._began_with:
            return ""
        left_s = (now - self._began) * (self._size - have) / (have - self._began_with)
        return f", about {left_s / _MINUTE_S:.0f} min left" if left_s >= _MINUTE_S else f", about {left_s:.0f} s left"

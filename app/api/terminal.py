"""Whether SIGHUP means that a terminal was closed, or that the configuration is to be reloaded."""

import os
import signal


class Terminal:
    """The terminal that this process was started from, if there is one and its end is not to be ignored (nohup).

    Made before SIGHUP is handled.
    """

    def __init__(self) -> None:
        self._had = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and _has_terminal()

    def may_go(self) -> bool:
        """Whether there was a terminal and it still exists: it may be gone in a moment."""
        return self._had and _has_terminal()

    def is_gone(self) -> bool:
        """Whether the terminal was closed."""
        return self._had and not _has_terminal()


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True

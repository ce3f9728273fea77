"""Memory that is free is given back to the operating system, where its allocator can be asked to."""

import ctypes
import gc
from contextlib import suppress


def give_back() -> None:
    """Free what nobody can reach, and return what is free; the C library of Linux would keep most of it for later."""
    gc.collect()
    # Other C libraries have no such function.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)

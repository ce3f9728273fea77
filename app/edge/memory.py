"""When memory that is free goes back to the operating system, where its allocator can be told."""

import ctypes
import gc
import os
from contextlib import suppress

# Numbers of settings of GNU's C library (malloc.h).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
# Bytes: a smaller piece of memory is taken from what was free before; what is free at the end beyond the second one is given back.
_PIECE, _FREE = 8 << 20, 16 << 20


def give_back() -> None:
    """Free what nobody can reach, and return what is free; the C library of Linux would keep most of it for later."""
    gc.collect()
    # Other C libraries have no such function.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def keep_for_passes() -> None:
    """Let memory that a forward pass frees stay for the next one, up to some bytes, and let all threads that begin from now on share it, on Linux.

    By itself the C library returns the large pieces, and the operating system clears each page again when the next pass touches it:
    thousands of pages for one question. And by itself it keeps memory apart for each thread, which is held
    several times then (docs/experiments.md, "Two passes side by side"). What the user has set in the environment stays as it is.
    """
    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, _PIECE)
        library.mallopt(_TRIM_THRESHOLD, _FREE)
        library.mallopt(_ARENA_MAX, 1)

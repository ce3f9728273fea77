"""Which process runs on which core, so that "one core" means one."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Cores for the processes of a bench.

    Attributes:
        measured: the core of the servers that are measured. One is measured at a time, and the others are idle meanwhile.
        mock: the core of the mock cloud.
        client: the core of the client, which is this process.
    """

    measured: frozenset[int]
    mock: frozenset[int]
    client: frozenset[int]

    @property
    def is_shared(self) -> bool:
        """Whether the client and the mock cloud share a core."""
        return self.mock == self.client


def layout() -> Layout | None:
    """The measured servers get the last core that this process may use, and the client and the mock cloud the others.

    Returns:
        None where there is only one core or the system (macOS) cannot place processes.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        return None
    *others, measured = cores
    return Layout(frozenset({measured}), frozenset({others[0]}), frozenset({others[-1]}))


def place(process: int, cores: frozenset[int]) -> None:
    """Let every thread of a process run on these cores only; threads and children that it starts later inherit it."""
    # A server may have ended; and threads may end while this looks at them.
    with contextlib.suppress(FileNotFoundError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), cores)


@contextlib.contextmanager
def usual_cores() -> Iterator[None]:
    """Give this process the cores back that it had, wherever it was placed inside the `with` statement."""
    cores = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    try:
        yield
    finally:
        if cores is not None:
            place(os.getpid(), cores)

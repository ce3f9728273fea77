"""Progress on standard error, never on standard output: bars on a terminal, and elsewhere a line from time to time."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from app.config.settings import Settings

# Seconds. Shorter work prints no line in a pipe; longer work prints its first line then, and further ones at this interval.
_FIRST_S = 5.0
_EVERY_S = 15.0
_MINUTE_S = 60

Report = Callable[[str, int, int], None]


@contextlib.contextmanager
def bars() -> Iterator[Report]:
    """Show a bar for each step. Yields a function that takes the name of the step, how much of it is done, and how much there is."""
    console = Console(stderr=True)
    if not console.is_terminal:
        with lines() as report:
            yield report
        return
    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as shown:
        tasks = {}

        def progress(step: str, done: int, of: int) -> None:
            if step not in tasks:
                tasks[step] = shown.add_task(step, total=of)
            shown.update(tasks[step], completed=done, total=of)

        yield progress


@contextlib.contextmanager
def working(what: str, *, at_once: bool = False) -> Iterator[None]:
    """Show that work is going on whose length is not known.

    Args:
        what: the work, as in "loading the edge model".
        at_once: whether a pipe gets a line at once too, and not only when the work takes long.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        with lines(at_once=at_once) as report:
            report(what, 0, 0)
            yield
        return
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True) as shown:
        shown.add_task(what, total=None)
        yield


def loading(settings: "Settings") -> str:
    """Return the words for loading the configured edge model."""
    return f"loading the edge model {settings.edge.model}"


@contextlib.contextmanager
def lines(*, at_once: bool = False, first_s: float = _FIRST_S, every_s: float = _EVERY_S) -> Iterator[Report]:
    """Print a line on standard error when work takes longer than a moment, and further lines from time to time.

    Args:
        at_once: whether each step gets a line when it begins.
        first_s: seconds before the first line.
        every_s: seconds between the following lines.
    """
    step = Step()
    ended = threading.Event()

    def tell() -> None:
        wait_s = first_s
        while not ended.wait(wait_s):
            step.say()
            wait_s = every_s

    def report(name: str, done: int, of: int) -> None:
        if step.moves_to(name, done, of) and at_once:
            step.say()

    thread = threading.Thread(target=tell, name="foggate-progress", daemon=True)
    thread.start()
    try:
        yield report
    finally:
        ended.set()
        thread.join()
        step.end()


@dataclass(slots=True)
class Step:
    """The step that is going on. The working thread writes it, and the thread that prints lines reads it."""

    name: str = ""
    done: int = 0
    of: int = 0
    began: float = 0.0
    began_with: int = 0
    said: bool = False

    def moves_to(self, name: str, done: int, of: int) -> bool:
        """Take the progress, and return whether it belongs to a new step."""
        is_new = name != self.name
        if is_new:
            self.end()
            self.began, self.began_with, self.said = time.monotonic(), done, False
        self.name, self.done, self.of = name, done, of
        return is_new

    def say(self) -> None:
        """Print one line about the step."""
        if self.name:
            self.said = True
            _write(f"{self.name}{self._counts()}{self._time()}")

    def end(self) -> None:
        """Print a last line if there were lines before, so that the last number shown is the final one."""
        if self.said and self.of:
            _write(f"{self.name}{self._counts()}")
        self.name = ""

    def _counts(self) -> str:
        return f": {self.done} of {self.of}" if self.of else ""

    def _time(self) -> str:
        seconds = time.monotonic() - self.began
        if not self.of:
            return f" ({seconds:.0f} s)" if seconds >= 1 else " …"
        if self.done <= self.began_with:
            return ""
        left_s = seconds * (self.of - self.done) / (self.done - self.began_with)
        return f", about {left_s / _MINUTE_S:.0f} min left" if left_s >= _MINUTE_S else f", about {left_s:.0f} s left"


def _write(line: str) -> None:
    # A closed standard error must not end the work.
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

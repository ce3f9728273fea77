"""How a command ends when a signal asks it to: soon, without a traceback, and with a documented exit code.

Imported before everything else, so it imports little. In a container the first process ignores every signal that it has no
handler for, and importing the rest takes a second or more: `install` comes first.

Whatever a command keeps on disk is whole after every line or under its final name only, so that it can be ended at any moment.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    import asyncio
    import subprocess

Result = TypeVar("Result")

# Clean-up gets this long: a thread may be in the middle of a forward pass or a download.
FORCE_AFTER_S = 1.0
_LAST_WORDS_S = 0.3
# As shells report a process that a signal ended: 128 and its number.
INTERRUPTED, TERMINATED, HUNG_UP = 130, 143, 129


class _State:
    """One per process, as signal handlers are.

    Attributes:
        ending: the exit code, once a signal has asked the process to end.
        terminated: the exit code after SIGTERM.
        hint: what the user can do now, printed when a signal ends the process.
        cancel: cancels the coroutine that `run` runs.
        children: processes that must not outlive this one.
        held: signals that came before `handled_by` could take them.
    """

    def __init__(self) -> None:
        self.ending: int | None = None
        self.terminated = TERMINATED
        self.hint: str | None = None
        self.cancel: Callable[[], object] | None = None
        self.children: set[subprocess.Popen[str]] = set()
        self.held: set[int] = set()


_STATE = _State()


def install(*, terminated: int = TERMINATED) -> None:
    """Let SIGINT and SIGTERM end this process with the exit code 130 or `terminated`; a second SIGINT ends it at once.

    Called first thing, and again by a command for which SIGTERM is the ordinary end. A signal that the parent process ignores
    (a job in the background of a script) stays ignored.
    """
    _STATE.terminated = terminated
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


@contextlib.contextmanager
def even_if_ignored() -> Iterator[None]:
    """Inside the `with` statement, SIGINT ends this process although its parent process ignores it.

    For a command that runs servers: a shell script starts a job in the background with SIGINT ignored, and whoever sends one to such a
    command itself wants it and its servers to end.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored:
        signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        if ignored and _STATE.ending is None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def hold(number: int) -> None:
    """Keep a signal that arrives from now on until `handled_by` handles it."""
    signal.signal(number, lambda *_: _STATE.held.add(number))


def ending() -> int | None:
    """The exit code, once a signal has asked the process to end; else None."""
    return _STATE.ending


def finish(code: int) -> NoReturn:
    """End the process now, whatever its threads are doing.

    The interpreter's own end would wait for libraries in the middle of their work, or crash under them.
    """
    for child in tuple(_STATE.children):
        child.kill()
    # In a thread, because the write blocks where nothing reads the stream.
    last_words = threading.Thread(target=_last_words, daemon=True)
    last_words.start()
    last_words.join(_LAST_WORDS_S)
    os._exit(code)


def _last_words() -> None:
    with contextlib.suppress(Exception):
        if sys.stderr.isatty():
            # A progress bar hides the cursor while it is drawn.
            sys.stderr.write("\x1b[?25h")
        if _STATE.hint is not None and _STATE.ending is not None:
            sys.stderr.write(f"foggate: stopped; {_STATE.hint}\n")
    with contextlib.suppress(Exception):
        import logging  # long imported, where anything was logged

        logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


def force_after(seconds: float, code: int) -> None:
    """End the process with this exit code if it still runs after this many seconds."""
    timer = threading.Timer(seconds, finish, [code])
    timer.daemon = True
    timer.start()


@contextlib.contextmanager
def resumable(hint: str) -> Iterator[None]:
    """Inside the `with` statement, a signal that ends the process also prints what the user can do now.

    Args:
        hint: the end of a sentence, as in "the same command goes on".
    """
    before, _STATE.hint = _STATE.hint, hint
    try:
        yield
    finally:
        # The code that ends the process still has to print it.
        if _STATE.ending is None:
            _STATE.hint = before


@contextlib.contextmanager
def ends_with_us(child: "subprocess.Popen[str]") -> Iterator[None]:
    """Inside the `with` statement, whatever ends this process, or the waiting for the child, ends the child too."""
    _STATE.children.add(child)
    try:
        yield
    except BaseException:
        child.kill()
        raise
    finally:
        _STATE.children.discard(child)


def run(main: Coroutine[Any, Any, Result], *, loop: "Callable[[], asyncio.AbstractEventLoop] | None" = None) -> Result:
    """`asyncio.run`, but a signal cancels the coroutine instead of raising an exception in the middle of the event loop's work.

    Args:
        main: what to run.
        loop: makes the event loop; None makes asyncio's usual one.

    Raises:
        SystemExit: a signal asked the process to end.
    """
    import asyncio  # here, because `install` must not wait for it

    async def cancellable() -> Result:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101  # for mypy: a coroutine that runs is in a task
        _STATE.cancel = lambda: _in_loop(loop, task.cancel)
        try:
            return await main
        finally:
            _STATE.cancel = None

    try:
        with asyncio.Runner(loop_factory=loop) as runner:
            return runner.run(cancellable())
    except asyncio.CancelledError:
        if _STATE.ending is None:
            raise
        raise SystemExit(_STATE.ending) from None


@contextlib.contextmanager
def handled_by(handlers: Mapping[int, Callable[[], None]]) -> Iterator[None]:
    """Inside the `with` statement, these signals call functions of the running event loop; a second SIGINT ends the process at once.

    For a server, which has work to finish before it ends. The handlers from before are restored afterwards.
    """
    import asyncio  # as above

    loop = asyncio.get_running_loop()

    def handle(number: int, _: FrameType | None) -> None:
        if number == signal.SIGINT:
            if _STATE.ending == INTERRUPTED:
                finish(INTERRUPTED)
            _STATE.ending = INTERRUPTED
            # Not from the loop, which may be blocked.
            force_after(FORCE_AFTER_S, INTERRUPTED)
        _in_loop(loop, handlers[number])

    before = {number: signal.signal(number, handle) for number in handlers}
    for number in _STATE.held & handlers.keys():
        _STATE.held.discard(number)
        loop.call_soon(handlers[number])
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_loop(loop: "asyncio.AbstractEventLoop", call: Callable[[], object]) -> None:
    # Between the end of the loop and that of the process there is no loop to call.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(call)


def _end(number: int, _: FrameType | None) -> None:
    if _STATE.ending is not None:
        # A person who presses Ctrl-C again does not want to wait.
        if number == signal.SIGINT:
            finish(INTERRUPTED)
        return
    _STATE.ending = INTERRUPTED if number == signal.SIGINT else _STATE.terminated
    force_after(FORCE_AFTER_S, _STATE.ending)
    if _STATE.cancel is not None:
        _STATE.cancel()
    else:
        raise SystemExit(_STATE.ending)

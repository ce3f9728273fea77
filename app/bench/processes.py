"""Servers as processes of ours: started on a free loopback port, waited for, measured, and ended with everything that they have started.

A server gets a session of its own: a Ctrl-C in the terminal reaches this process only, which then ends the server and its children. Where
this process is killed, or its terminal is closed, a small process beside each server sees its pipe close and ends the server.
"""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.core import interrupts

# A server that does not end within this many seconds after SIGTERM is killed.
_STOP_S = 5.0
_POLL_S = 0.2
_LAST_LINES = 3
_PROC = Path("/proc")
# Reads until the bench says that the server has ended, or is gone itself without a word.
_GUARD = """
import os, signal, sys
if not sys.stdin.read():
    try:
        os.killpg(int(sys.argv[1]), signal.SIGKILL)
    except OSError:
        pass
"""


class ServerFailed(Exception):
    """A server could not be started; the message is one sentence for a person."""


@dataclass(frozen=True)
class Usage:
    """What a server and its children use.

    Attributes:
        cpu_s: CPU seconds since they started.
        rss_bytes: resident memory of all of them; memory that they share counts more than once.
    """

    cpu_s: float
    rss_bytes: int


class _Group(subprocess.Popen[str]):
    """A process whose `kill` ends everything that it has started too."""

    def kill(self) -> None:
        self.send_to_all(signal.SIGKILL)

    def send_to_all(self, number: int) -> None:
        # Children may outlive the process itself, and the group has its id.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes:
        name: name for messages.
        url: base URL, without a slash at the end.
        started_s: seconds from its start until it was ready.
    """

    name: str
    url: str
    started_s: float
    _process: _Group

    @property
    def pid(self) -> int:
        """Id of its process, which is the id of its process group too."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def usage(self) -> Usage | None:
        """CPU time and memory of the process and its children; None where they have ended or the system has no `/proc`."""
        return usage_of_session(self.pid)


@contextlib.contextmanager
def serving(
    name: str,
    command: Callable[[int], Sequence[str]],
    *,
    ready: str,
    log: Path,
    environment: Mapping[str, str] | None = None,
    within_s: float = 300.0,
    folder: Path | None = None,
) -> Iterator[Server]:
    """Run a server while the context lasts.

    Args:
        name: name for messages.
        command: gives the command line that serves on a port of 127.0.0.1.
        ready: path that answers with 2xx once the server is ready.
        log: file for its output.
        environment: variables that are added to those of this process.
        within_s: seconds within which it must be ready.
        folder: its working folder; None is that of this process.

    Raises:
        ServerFailed: it cannot be started, ends early, or does not become ready in time.
    """
    port = free_port()
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("w", encoding="utf-8"))
        try:
            process = _Group(
                list(command(port)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                env={**os.environ, **(environment or {})},
                cwd=folder,
                start_new_session=True,
            )
        except OSError as error:
            raise ServerFailed(f"{name} could not be started: {error.strerror or error}") from error
        stack.enter_context(_guarded(process))
        stack.enter_context(interrupts.ends_with_us(process))
        stack.callback(_stop, process)
        while not _answers(port, ready):
            said = last_lines(log) or "no output"
            if process.poll() is not None:
                raise ServerFailed(f"{name} ended with exit code {process.returncode} before it was ready: {said}")
            if time.monotonic() > began + within_s:
                raise ServerFailed(f"{name} was not ready in {within_s:g} s: {said}")
            time.sleep(_POLL_S)
        yield Server(name, f"http://127.0.0.1:{port}", time.monotonic() - began, process)


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def _guarded(process: _Group) -> Iterator[None]:
    """Let a server end even where this process is killed and cannot end it."""
    command = [sys.executable, "-I", "-S", "-c", _GUARD, str(process.pid)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as guard:
        yield
        # Reached only where the server was ended in order: the guard has nothing to do.
        with contextlib.suppress(OSError):
            assert guard.stdin is not None  # noqa: S101  # for mypy: a pipe was asked for
            guard.stdin.write("ended")


def usage_of_session(session: int) -> Usage | None:
    """CPU time and memory of the processes of a session; None where all have ended or the system has no `/proc`."""
    if not (_PROC / "self" / "stat").exists():
        return None
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    cpu, memory, found = 0.0, 0, False
    for path in _PROC.glob("[0-9]*/stat"):
        # Processes may end while this looks at them.
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The name of the command, in brackets, may hold blanks. Fields are counted from the one behind it (proc(5), state is 3).
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[3]) == session:
                # What has ended and was not waited for yet (a zombie) is still listed, with the CPU time that it used.
                found = found or fields[0] != "Z"
                # utime, stime, and those of children that have ended.
                cpu += sum(map(int, fields[11:15])) / ticks
                memory += int(fields[21]) * page
    return Usage(cpu, memory) if found else None


def last_lines(log: Path) -> str:
    """The end of a log, on one line."""
    with contextlib.suppress(OSError):
        lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        return " / ".join(lines[-_LAST_LINES:])[-500:]
    return ""


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status // 100 == 2  # noqa: PLR2004  # 2xx
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: _Group) -> None:
    # After a signal there is a second for all clean-up.
    if process.poll() is None and interrupts.ending() is None:
        process.send_to_all(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
    process.kill()
    process.wait()

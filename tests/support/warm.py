"""Commands of ours that begin in a tenth of a second of CPU, because the process that they are forked from has imported everything.

A command as a process of its own spends four to eight seconds of CPU on importing torch and what stands on it, and a suite starts a
hundred of them. `python -m tests.support.warm FOLDER` imports once and then forks a child for each request at a socket; arguments,
environment, folder, standard streams, signals and exit code of a child are its own, and it runs the same `__main__`. What a real start
alone can show (the imports of a command, the moment before it handles signals) is tested with real starts. Variables that libraries read
when they are imported (`HF_…`, `OMP_…`) have no effect in a child.

The server is shared by the processes of a suite, and ends with the last of them.
"""

import atexit
import contextlib
import gc
import json
import os
import random
import runpy
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from filelock import FileLock

_SUITE = os.environ.get("PYTEST_XDIST_TESTRUNUID")
# Those of the suite, whatever the test has changed that asks first.
_ROOT = Path(__file__).parents[2]
_ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))}
_START_S = 300
_MOST_BYTES = 200_000
# While this process keeps a connection, the server stays.
_STAYS = []


def available():
    """Whether this process is one of several that run the suite, under a system that lets a server watch its children."""
    return _SUITE is not None and hasattr(os, "pidfd_open") and "COVERAGE_PROCESS_CONFIG" not in os.environ


class WarmProcess:
    """A command that was forked; what `subprocess.Popen` has of methods and attributes, as far as tests use them.

    Args:
        module: module that is run as `python -m` runs it.
        arguments: its arguments.
        stdout: open file for its standard output.
        stderr: open file for its standard error.
        cwd: folder that it runs in.
        env: its environment.
    """

    def __init__(self, module, arguments, *, stdout, stderr, cwd, env):
        self.returncode = None
        self._replies = _connected()
        asked = json.dumps({"module": module, "arguments": [str(one) for one in arguments], "cwd": str(cwd), "environment": env})
        socket.send_fds(self._replies, [asked.encode()], [stdout.fileno(), stderr.fileno()])
        self.pid = _number(self._replies)

    def poll(self):
        """The exit code, or None while it runs."""
        with contextlib.suppress(BlockingIOError):
            self._await_end(0)
        return self.returncode

    def wait(self, timeout=None):
        """The exit code, once it has ended. Raises subprocess.TimeoutExpired."""
        try:
            self._await_end(timeout)
        except TimeoutError:
            raise subprocess.TimeoutExpired(str(self.pid), timeout) from None
        return self.returncode

    def send_signal(self, number):
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self):
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _await_end(self, timeout):
        if self.returncode is None:
            self._replies.settimeout(timeout)
            self.returncode = _number(self._replies)
            self._replies.close()


def _number(connection):
    said = connection.recv(100)
    assert said, "the server of warm commands has ended"
    return int(said)


def _connected():
    """A new connection to the server of this suite, which the first one to ask starts."""
    folder = Path(tempfile.gettempdir()) / f"foggate-warm-{_SUITE}"
    if not _STAYS:
        with FileLock(f"{folder}.lock"):
            try:
                _stay(folder)
            except (FileNotFoundError, ConnectionRefusedError):
                # Nobody has asked yet, or all who had are gone.
                shutil.rmtree(folder, ignore_errors=True)
                _start(folder)
                _stay(folder)
    return _connection(folder)


def _stay(folder):
    _STAYS.append(_connection(folder))
    atexit.register(_STAYS[0].close)


def _connection(folder):
    # Messages arrive whole.
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(str(folder / "socket"))
    except OSError:
        connection.close()
        raise
    return connection


def _start(folder):
    folder.mkdir()
    log = folder / "log"
    command = [sys.executable, "-m", "tests.support.warm", str(folder)]
    # Not by `subprocess`, whose object would complain that the server outlives this process.
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    pid = os.posix_spawn(sys.executable, command, _ENVIRONMENT, file_actions=files)
    until = time.monotonic() + _START_S
    while not (folder / "socket").exists():
        assert os.waitpid(pid, os.WNOHANG) == (0, 0), log.read_text()
        assert time.monotonic() < until, "the server of warm commands did not start"
        time.sleep(0.05)


def _import_everything():
    """Everything that a command imports sooner or later; nothing is computed, so that no thread exists when children are forked."""
    from app.edge.lean import collector_paused, import_modelling

    import_modelling()
    with collector_paused():
        import pkgutil

        import app

        for found in pkgutil.walk_packages(app.__path__, "app."):
            if not found.name.endswith("__main__"):
                __import__(found.name)
        from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, Qwen3ForCausalLM  # noqa: F401
    gc.freeze()


class _Server:
    """Forks until nobody is connected any more."""

    def __init__(self, listener):
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._listener = listener
        self._connections = set()

    def request(self):
        """In a child: what it is to run. In the server: None, when the last connection was closed."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._connections.add(connection := self._listener.accept()[0])
                    self._selector.register(connection, selectors.EVENT_READ)
                elif key.data is not None:
                    self._ended(key.fileobj, *key.data)
                elif (asked := self._asked(key.fileobj)) is not None:
                    return asked
            if not self._connections:
                return None

    def _asked(self, connection):
        said, files, _, _ = socket.recv_fds(connection, _MOST_BYTES, 2)
        if not said:
            self._leave(connection)
            return None
        asked = json.loads(said)
        pid = os.fork()
        if pid == 0:
            self._selector.close()
            for one in (self._listener, *self._connections):
                one.close()
            return {**asked, "files": files}
        for file in files:
            os.close(file)
        ended = os.pidfd_open(pid)
        self._selector.register(ended, selectors.EVENT_READ, (pid, connection))
        connection.sendall(b"%d" % pid)
        return None

    def _ended(self, descriptor, pid, connection):
        _, status = os.waitpid(pid, 0)
        self._selector.unregister(descriptor)
        os.close(descriptor)
        with contextlib.suppress(OSError):
            connection.sendall(b"%d" % os.waitstatus_to_exitcode(status))

    def _leave(self, connection):
        self._selector.unregister(connection)
        self._connections.discard(connection)
        connection.close()


def _become(asked):
    """Turn this child into the command."""
    for number, file in enumerate(asked["files"], start=1):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["cwd"])
    random.seed()
    sys.argv = [asked["module"], *asked["arguments"]]
    runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)


def main(folder):
    _import_everything()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(folder / "binding"))
        listener.listen(64)
        # Only now is it seen.
        (folder / "binding").rename(folder / "socket")
        asked = _Server(listener).request()
    if asked is None:
        shutil.rmtree(folder, ignore_errors=True)
        Path(f"{folder}.lock").unlink(missing_ok=True)
    else:
        _become(asked)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

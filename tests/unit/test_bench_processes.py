"""Servers of a bench: nothing of them is left, whatever ends the bench; and their environments."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from app.bench.environments import InstallFailed, ensure_environment
from app.bench.processes import ServerFailed, serving, usage_of_session

ROOT = Path(__file__).parents[2]
# A server with a child, as vLLM has one; the child ignores SIGTERM.
SERVER = (
    "import subprocess, sys; from http.server import HTTPServer, BaseHTTPRequestHandler\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(600)'],"
    " stdout=subprocess.PIPE)\n"
    "child.stdout.readline()\n"
    "class Handler(BaseHTTPRequestHandler):\n"
    "    def do_GET(self): self.send_response(200); self.end_headers(); self.wfile.write(str(child.pid).encode())\n"
    "HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()\n"
)
# A bench that a signal ends while its server runs.
BENCH = (
    "import sys, time; from pathlib import Path; from app.core import interrupts; interrupts.install()\n"
    "from app.bench.processes import serving\n"
    f"with serving('x', lambda port: [sys.executable, '-c', {SERVER!r}, str(port)], ready='/', log=Path(sys.argv[1])) as server:\n"
    "    print(server.pid, flush=True)\n"
    "    time.sleep(600)\n"
)


def command(port):
    return [sys.executable, "-c", SERVER, str(port)]


def gone(pid):
    """Whether a process has ended, at the latest in ten seconds. One that nobody has waited for yet has ended too."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            if ") Z" in Path(f"/proc/{pid}/stat").read_text():
                return True
            os.kill(pid, 0)
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


def child_of(url):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request("GET", "/")
    pid = int(connection.getresponse().read())
    connection.close()
    return pid


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the children are looked up in /proc")
def test_a_server_ends_with_its_children_and_is_measured_with_them(tmp_path):
    with serving("x", command, ready="/", log=tmp_path / "log") as server:
        child = child_of(server.url)
        assert Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        usage = server.usage()
        assert usage.cpu_s > 0
        assert usage.rss_bytes > 2 * 5_000_000
    assert gone(server.pid)
    assert gone(child)
    assert usage_of_session(server.pid) is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_server(tmp_path, number):
    bench = subprocess.Popen(
        [sys.executable, "-c", BENCH, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    with bench, contextlib.ExitStack() as stack:
        stack.callback(bench.kill)
        pid = int(bench.stdout.readline())
        bench.send_signal(number)
        assert bench.wait(20) in {130, 143}
    assert gone(pid)
    assert usage_of_session(pid) is None


def test_a_bench_that_is_killed_leaves_no_server(tmp_path):
    bench = subprocess.Popen(
        [sys.executable, "-c", BENCH, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    with bench:
        try:
            pid = int(bench.stdout.readline())
            (child,) = [one.pid for one in psutil.Process(pid).children()]
        finally:
            bench.kill()
    assert gone(pid)
    assert gone(child)


def test_a_server_that_ends_at_once_is_said_with_its_last_words(tmp_path):
    with (
        pytest.raises(ServerFailed, match="x ended with exit code 3 before it was ready: no such model"),
        serving("x", lambda _: [sys.executable, "-c", "print('no such model'); raise SystemExit(3)"], ready="/", log=tmp_path / "log"),
    ):
        pass


def test_a_server_that_never_becomes_ready_is_ended(tmp_path):
    seen = tmp_path / "pid"
    silent = f"import os, time; open({str(seen)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    with (
        pytest.raises(ServerFailed, match="x was not ready in 1 s"),
        serving("x", lambda _: [sys.executable, "-c", silent], ready="/", log=tmp_path / "log", within_s=1),
    ):
        pass
    assert gone(int(seen.read_text()))


def test_a_program_that_is_not_there_is_said(tmp_path):
    with (
        pytest.raises(ServerFailed, match="x could not be started: No such file"),
        serving("x", lambda _: [str(tmp_path / "missing")], ready="/", log=tmp_path / "log"),
    ):
        pass


def test_an_environment_is_made_once_and_sees_our_packages_only_where_it_shares_them(tmp_path):
    said = []
    python = ensure_environment(tmp_path, "empty", [], share=True, say=said.append)
    assert ensure_environment(tmp_path, "empty", [], share=True, say=said.append) == python
    assert len(said) == 1
    found = subprocess.run(
        [python, "-c", "import filelock, sys; print(sys.prefix)"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert Path(found.stdout.strip()) == python.parents[1]


def test_what_pip_cannot_install_is_one_sentence_and_is_tried_again(tmp_path):
    with pytest.raises(InstallFailed, match=r"pip failed: ERROR: .*absent-1-py3-none-any\.whl"):
        ensure_environment(tmp_path, "absent", [str(tmp_path / "absent-1-py3-none-any.whl")])
    assert list(tmp_path.glob("absent-*/bin/python"))
    assert not list(tmp_path.glob("absent-*/ready.txt"))

"""Signals at real processes: the first process of a container, a terminal that is closed, Ctrl-C at any moment, SIGHUP."""

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import termios
import time

import httpx2
import psutil
import pytest

from app.demo.bank import SHIPPED_BANK
from tests.support.loopback import loopback_client
from tests.support.processes import ROOT

ASK = {"question": "I am sure of this", "options": ["a", "b", "c"]}
COMMAND = [sys.executable, "-m", "app"]
DUMMY = [sys.executable, "-m", "tests.support.dummy_gateway"]


def begin(command, **options):
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def namespaces_work():
    unshare = shutil.which("unshare")
    return unshare and subprocess.run([unshare, "--pid", "--fork", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not namespaces_work(), reason="this user may not make a process namespace (unshare --pid)")
@pytest.mark.parametrize(
    "arguments", [["serve", "--demo", "--port", "0"], ["eval", "collect", "--data", str(SHIPPED_BANK), "--out", "none/r.jsonl"]]
)
def test_the_first_process_of_a_container_ends_while_it_is_still_importing(arguments):
    """There, a signal without a handler is ignored. One SIGTERM after the other, until one is heard: before anything has started."""
    with begin(["unshare", "--pid", "--fork", "--kill-child", *COMMAND, *arguments]) as parent:
        while not (children := psutil.Process(parent.pid).children()):
            time.sleep(0.001)
        while parent.poll() is None:
            # It may have ended in this moment.
            with contextlib.suppress(psutil.NoSuchProcess):
                children[0].send_signal(signal.SIGTERM)
            time.sleep(0.005)
        output, log = parent.communicate()
    assert parent.returncode == 143
    assert (output, log) == ("", "")


@pytest.mark.parametrize(
    ("arguments", "number", "code"),
    [
        (["ask", "Which?", "a", "b"], signal.SIGINT, 130),
        (["eval", "collect", "--data", str(SHIPPED_BANK), "--out", "{}/records.jsonl", "--cloud", "none"], signal.SIGTERM, 143),
        (["label", "--data", str(SHIPPED_BANK), "--out", "{}/labels.jsonl"], signal.SIGINT, 130),
        (["evolve", "--config", "config/evolve.yaml", "--out", "{}/run"], signal.SIGTERM, 143),
        (["bench", "edge"], signal.SIGINT, 130),
        (["export", "--out", "{}/export"], signal.SIGTERM, 143),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_a_command_says_that_it_loads_and_ends_when_it_is_told_to(tmp_path, arguments, number, code):
    """Importing torch and loading take much longer than the end may; nothing of standard output is disturbed."""
    with begin([*COMMAND, *(argument.format(tmp_path) for argument in arguments)]) as process:
        line = process.stderr.readline()
        assert line.startswith("loading the "), line + process.stderr.read()
        process.send_signal(number)
        output, log = process.communicate(timeout=20)
    assert (process.returncode, output, "Traceback" in log) == (code, "", False), log


def test_a_server_ends_on_ctrl_c_whatever_is_under_way_and_at_once_on_the_second():
    """Two gateways with a question that takes an hour; the first is told once, the other twice."""
    environment = {**os.environ, "FOGGATE_DEADLINE_MS": "3600000"}
    for times in (1, 2):
        with begin([*DUMMY, "--batch-ms", "3600000", "--at-once"], env=environment) as process:
            while "url" not in (said := json.loads(process.stdout.readline())):
                pass
            url = said["url"]
            while b"edge_queue_depth 0.0" not in httpx2.get(url + "/metrics").content:
                time.sleep(0.02)
            for _ in range(times):
                process.send_signal(signal.SIGINT)
            output, log = process.communicate(timeout=20)
        assert (process.returncode, "Traceback" in output + log) == (130, False), log


async def until(text, path):
    while text not in path.read_text():
        await asyncio.sleep(0.02)


async def test_sighup_reloads_and_says_what_it_could_not(start, tmp_path):
    """Asked for while the model loads, with a wrong file, and with one that also wants what needs a restart."""
    path = tmp_path / "gateway.yaml"
    path.write_text("policy: {tau: 0.5}")
    gateway = start("gateway", "--load-s", "1.5", "--at-once", "--config", str(path), module="tests.support.dummy_gateway")
    async with loopback_client(base_url=await gateway.url(), timeout=30) as http:

        async def tau():
            return (await http.post("/v1/answer", json=ASK)).json().get("tau")

        await until("Application startup complete", gateway.log)
        path.write_text("policy: {tau: 0.25}")
        gateway.process.send_signal(signal.SIGHUP)
        await until("will be reloaded when the model has been loaded", gateway.log)
        await until("the configuration was reloaded", gateway.log)
        assert await tau() == 0.25
        path.write_text("policy: {taw: 0.9}")
        gateway.process.send_signal(signal.SIGHUP)
        await until("did you mean 'policy.tau'?", gateway.log)
        assert await tau() == 0.25
        path.write_text("policy: {tau: 0.75}\nedge: {model: another}\nserver: {port: 1}")
        gateway.process.send_signal(signal.SIGHUP)
        await until("need a restart", gateway.log)
        assert await tau() == 0.75
    assert await gateway.stop() == 0
    lines = {line["message"]: line for line in gateway.lines()}
    assert lines["settings that changed and need a restart"]["settings"] == ["server.port", "edge.model"]
    assert lines["the configuration was not reloaded; the old one stays in force"]["level"] == "error"


def at_a_terminal(command, *, ignoring_hangup=False):
    """Start a command whose controlling terminal is ours to close; the process, and our side of the terminal."""
    ours, theirs = pty.openpty()

    def own_terminal():
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
        # Whatever this process was started with, as by nohup.
        signal.signal(signal.SIGHUP, signal.SIG_IGN if ignoring_hangup else signal.SIG_DFL)

    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # This file's tests start no thread before they fork.
    process = subprocess.Popen(command, cwd=ROOT, **pipes, preexec_fn=own_terminal, pass_fds=[theirs])  # noqa: PLW1509
    os.close(theirs)
    return process, ours


def test_a_closed_terminal_ends_a_gateway_and_a_reload_at_an_open_one_does_not(tmp_path):
    (tmp_path / "gateway.yaml").write_text("{}")
    process, terminal = at_a_terminal([*DUMMY, "--config", str(tmp_path / "gateway.yaml")])
    with process:
        while "url" not in json.loads(process.stdout.readline()):
            pass
        process.send_signal(signal.SIGHUP)
        while "the configuration was reloaded" not in process.stderr.readline():
            assert process.poll() is None
        os.close(terminal)
        output, log = process.communicate(timeout=120)
    assert (process.returncode, "Traceback" in output + log) == (129, False), log


def test_the_mock_cloud_never_outlives_the_gateway(tmp_path):
    """It is no process of its own; with the gateway killed, nobody listens at its address."""
    with begin([*COMMAND, "serve", "--demo", "--port", "0"]) as process:
        assert process.stdout.readline().startswith("Loading the edge model builtin")
        gateway = psutil.Process(process.pid)
        while len(ports := {c.laddr.port for c in gateway.net_connections() if c.status == psutil.CONN_LISTEN}) < 2:
            time.sleep(0.02)
        assert gateway.children(recursive=True) == []
        process.kill()
        output, _ = process.communicate()
    assert "ready" not in output
    for port in ports:
        with socket.socket() as caller:
            assert caller.connect_ex(("127.0.0.1", port)) != 0


def test_a_download_ends_with_the_command(tmp_path):
    """pip waits for an index that never answers; it must neither hold the command nor go on without it."""
    code = "from pathlib import Path\nfrom app.core import interrupts\ninterrupts.install()\nfrom app.edge.builtin import ensure_builtin\n"
    with socket.create_server(("127.0.0.1", 0)) as index:
        index.settimeout(60)
        environment = {**os.environ, "PIP_INDEX_URL": f"http://127.0.0.1:{index.getsockname()[1]}/simple", "PIP_CONFIG_FILE": os.devnull}
        with begin([sys.executable, "-c", f"{code}ensure_builtin(Path({str(tmp_path)!r}))"], env=environment) as process:
            index.accept()[0].close()
            connection, _ = index.accept()
            (pip,) = psutil.Process(process.pid).children()
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=20)
            connection.close()
    assert process.returncode == 143, log
    assert not pip.is_running() or pip.status() == psutil.STATUS_ZOMBIE


def test_ctrl_c_before_it_is_ready_is_the_end_of_it():
    with begin([*COMMAND, "serve", "--demo", "--port", "0"]) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        output, log = process.communicate(timeout=20)
    assert (process.returncode, output) == (130, ""), log
    assert not re.search("ready|answers questions|Traceback", log)

"""`foggate bench gateway` and `foggate bench streams` as commands, small: real servers, a real peer, files, and an end by Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from app.cli.commands import main
from tests.support.processes import ROOT, foggate

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benches read what processes use from /proc")


def test_a_small_run_measures_every_way_and_says_why_a_peer_is_not_there(tmp_path):
    out, no_folder = tmp_path / "out", tmp_path / "file"
    no_folder.write_text("")
    given = ("--connections", "2", "--connections", "1", "--rounds", "1", "--seconds", "0.3", "--delay-ms", "5", "--peer", "least")
    given += ("--peer", "bare", "--rate", "250", "--rate-seconds", "0.5", "--profile")
    # Settings of the caller's own gateway, a real cloud among them, mean nothing here.
    done = foggate(
        *("bench", "gateway", *given, "--peer", "litellm", "--peers-folder", str(no_folder), "--out", str(out)),
        FOGGATE_CLOUD__BASE_URL="http://127.0.0.1:9/v1",
        FOGGATE_POLICY__TAU="7",
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((out / "gateway.json").read_text())
    assert (report["complete"], report["connections"]) == (True, [1, 2])
    rows = {(row["way"], row["connections"]): row for row in report["rows"]}
    assert list(rows) == [(way, count) for count in (1, 2) for way in ("direct", "edge", "cloud", "pass", "least", "bare")]
    for (way, _), row in rows.items():
        assert (row["failures"], row["first_failure"]) == (0, None)
        assert row["replies"] > 0
        assert row["p50_ms"] >= {"edge": 0.5, "bare": 0}.get(way, 5)
        # Each reply of the others came from the mock cloud, and from no cache and no edge.
        assert row["cloud_calls"] == (0 if way in {"edge", "bare"} else 1)
        assert row["rss_mb"] > 10
    # The gateway's ways are one process, and none of them is the mock cloud's.
    assert rows["edge", 1]["rss_mb"] > 1.5 * rows["direct", 1]["rss_mb"]
    at_rate = {row["way"]: row for row in report["offered"]["rows"]}
    assert list(at_rate) == ["client", "direct", "edge", "cloud", "pass", "least", "bare"]
    for row in at_rate.values():
        assert (row["rate"], row["planned"], row["failures"], row["answered_share"]) == (250, 125, 0, 1)
    assert at_rate["direct"]["p50_ms"] >= 5
    profile = report["profile"]
    assert profile["replies"] > 0
    assert profile["within"]["uvicorn"] > profile["within"]["app.core"] > 0
    assert "could not be installed into" in report["absent"]["litellm"]
    assert {goal["verdict"] for goal in report["goals"]} <= {"missed", "met", "not measured"}
    text = (out / "gateway.md").read_text()
    assert "| | litellm | not measured: litellm could not be installed into" in text
    assert text.partition("![")[0].strip() in done.stdout
    assert (out / "gateway.png").read_bytes().startswith(b"\x89PNG")
    assert "wrote " in done.stdout


def test_streams_of_which_some_hang_up_leave_nothing_behind(tmp_path):
    done = foggate("bench", "streams", "--streams", "10", "--hang-ups", "4", "--rounds", "4", "--json", "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report == json.loads((tmp_path / "streams.json").read_text())
    assert report["wrong"] == []
    assert [(one["whole"], one["left"], one["cancels"], one["replies"]) for one in report["results"]] == [(6, 4, 4, 6)] * 4
    assert report["before"]["cloud_connections"] == report["after"]["cloud_connections"] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("gateway", "--connections", "0"), "connections"),
        (("gateway", "--connections", "5000"), "connections"),
        (("gateway", "--seconds", "0"), "seconds"),
        (("gateway", "--rate", "10,x"), "--rate wants whole numbers"),
        (("gateway", "--rate", "900000", "--rate-seconds", "2"), "are more than 1,000,000 requests"),
        (("gateway", "--peer", "litelm"), "Did you mean 'litellm'?"),
        (("gateway", "--out", "FILE"), "cannot be written"),
        (("streams", "--streams", "3", "--hang-ups", "4"), "--hang-ups 4 is more than --streams 3"),
        (("streams", "--rounds", "3"), "rounds"),
    ],
)
def test_what_cannot_be_run_is_refused_before_any_server_starts(words, said, tmp_path, capsys):
    a_file, before = tmp_path / "file", psutil.Process().children()
    a_file.write_text("")
    with pytest.raises(SystemExit) as ended:
        main(["bench", *(str(a_file) if word == "FILE" else word for word in words)])
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    assert said in printed.err
    assert psutil.Process().children() == before


def test_ctrl_c_ends_every_server():
    bench = [sys.executable, "-m", "app", "bench", "gateway", "--connections", "2", "--seconds", "60"]
    # As a shell script starts a job in the background: with SIGINT ignored, and the bench ends in order all the same.
    command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *bench]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as bench:
        try:
            servers = _servers(bench)
            bench.send_signal(signal.SIGINT)
            stdout, stderr = bench.communicate(timeout=30)
        finally:
            bench.kill()
    assert bench.returncode == 130
    assert (stdout, "Traceback" in stderr) == ("", False)
    assert not [one for one in servers if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def _servers(bench):
    """The servers of a bench, once one of them is connected to another: then it measures."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert bench.poll() is None, bench.stderr.read()
        servers = psutil.Process(bench.pid).children(recursive=True)
        served = [one for one in servers if "app.bench.gateway.served" in one.cmdline()]
        if served and any(one.status == psutil.CONN_ESTABLISHED for one in served[0].net_connections()):
            return servers
        time.sleep(0.1)
    raise AssertionError("no measurement began")

"""`foggate bench edge` from end to end: a tiny random model in this process, the real gateway over HTTP, and peers that are small servers."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.bench.edge.over_http import Traffic, measure_over_http
from app.bench.edge.sweep import SORTED
from app.bench.edge.ways import GENERATE, PREFILL, VERDICT
from app.bench.peers.protocol import Asked, PeerUnavailable, Place, Start, Way
from app.cli.commands import cli
from app.core.question import Question
from tests.support.tiny import tiny_tokenizer

# Answers after some milliseconds; a question that it does not know is an error.
SERVER = """
import json, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def send(self, status, body):
        self.send_response(status); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def do_GET(self): self.send(200, b"{}")
    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["question"]
        time.sleep(float(sys.argv[2]))
        if question == "hard": self.send(503, b"busy")
        else: self.send(200, json.dumps({"letter": "A" if question == "first" else None, "usage": {"completion_tokens": 7}}).encode())
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@dataclass
class Small:
    name: str
    delay: float = 0.0
    about: str = "a small server"

    def install(self, place):
        return Start(
            lambda port: [sys.executable, "-c", SERVER, str(port), str(self.delay)],
            "/",
            [Way("answer", "/answer", lambda asked: {"question": asked.question.question}, lambda reply: json.loads(reply)["letter"])],
        )


@dataclass
class Absent:
    name: str = "absent"
    about: str = "a server that is not for this machine"

    def install(self, place):
        raise PeerUnavailable("it needs another machine")


@dataclass
class Broken:
    name: str = "broken"
    about: str = "a server that ends"

    def install(self, place):
        return Start(lambda _: [sys.executable, "-c", "raise SystemExit('no model')"], "/", [])


def asked(*texts, wordings=None):
    def of(number):
        if wordings is not None:
            wordings.append(number)
        return [Asked(Question(text, ("x", "y")), [], 5) for text in texts]

    return of


def place(folder):
    return Place(folder, folder, None, folder, "float32", 1, gpu=False, say=lambda _: None)


def test_servers_are_compared_in_rounds_and_those_that_fail_are_rows_with_reasons(tmp_path):
    peers = [Small("foggate"), Small("slow", 0.1), Absent(), Broken()]
    traffic = Traffic(clients=2, rounds=2, start_s=30, rates=[20], rate_seconds=0.5, rate_connections=4)
    questions = asked("first", "second", "third", "first", wordings=(wordings := []))
    rows = {row["server"]: row for row in measure_over_http(peers, questions, place(tmp_path), traffic)}
    # No prompt comes twice, which a server could keep: two warm-ups, and two rounds of two servers; then ten questions at a rate, in
    # three wordings of four questions, again in two rounds of two servers.
    assert sorted(wordings) == list(range(6 + 12))
    ours, slow = rows["foggate"], rows["slow"]
    assert (ours["failures"], slow["failures"]) == (0, 0)
    assert ours["questions_per_s"]["n"] == 2
    # Two clients, a tenth of a second for each question.
    assert slow["questions_per_s"]["median"] <= 20
    assert slow["p50_s"] >= 0.1
    assert slow["foggate_times"]["low"] > 1
    assert ours["foggate_times"] is None
    ((at_rate,), (slow_at_rate,)) = ours["offered"], slow["offered"]
    assert (at_rate["rate"], at_rate["runs"], at_rate["planned"], at_rate["failures"]) == (20, 2, 20, 0)
    assert slow_at_rate["p50_s"] >= 0.1
    assert ours["others_cpu_share"] >= 0
    assert ours["with_a_letter"] == 0.5
    assert ours["written_tokens"] == 7
    assert rows["absent"]["reason"] == "it needs another machine"
    assert "no model" in rows["broken"]["reason"]


def test_failures_of_a_peer_are_counted_and_shown(tmp_path):
    rows = measure_over_http([Small("foggate"), Small("other")], asked("first", "hard"), place(tmp_path), Traffic(clients=1, rounds=1))
    assert [row["failures"] for row in rows] == [1, 1]
    assert rows[1]["first_failure"] == "503: busy"


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    tiny_tokenizer().save_pretrained(folder)
    return folder


def run(*arguments):
    return CliRunner().invoke(
        cli, ["bench", "edge", *map(str, arguments)], env={"FOGGATE_EDGE__DEVICE": "cpu", "FOGGATE_EDGE__THREADS": "1"}
    )


def test_the_full_bench_of_a_shape_writes_tables_numbers_and_pictures(tmp_path, tokenizer):
    done = run(
        *("--shape", "tiny", "--tokenizer", tokenizer, "--out", tmp_path / "out", "--lengths", "300,400,500,100000", "--options", "2,5"),
        *(
            "--batches",
            "1,2",
            "--questions",
            4,
            "--rounds",
            2,
            "--cell-seconds",
            5,
            "--clients",
            2,
            "--http-rounds",
            1,
            "--one-connection",
            3,
            "--batch-request",
            12,
            "--peer",
            "llama-q4",
        ),
    )
    assert done.exit_code == 0, (done.output, done.exception)
    report = json.loads((tmp_path / "out" / "bench.json").read_text())
    cells = {(cell["part"], cell["value"]): cell for cell in report["cells"]}
    assert set(cells) == {*(("lengths", n) for n in (300, 400, 500)), ("options", 2), ("options", 5), ("batches", 1), ("batches", 2)}
    assert cells["options", 5]["options"] == [5]
    assert abs(cells["lengths", 400]["prompt_tokens"]["mean"] - 400) < 20
    both = cells["batches", 2]["ways"]
    assert list(both) == [VERDICT, SORTED, PREFILL, GENERATE]
    for cell in report["cells"]:
        for name, way in cell["ways"].items():
            assert way["questions"] == cell["questions"]
            assert 0 < way["forward_share"] < 1, (cell["part"], name)
            assert way["forward_share"] + way["host_share"] == pytest.approx(1, abs=0.001)
        assert cell["roofline"]["share"] > 0
    assert all(way["padding_share"] == 0 for way in cells["lengths", 400]["ways"].values())
    # On a CPU the prompts of one pass stand in one row; all other ways pad.
    assert both[VERDICT]["padding_share"] == both[SORTED]["padding_share"] == 0 < both[PREFILL]["padding_share"]
    assert report["lengths_left_out"] == [100000]
    assert "Not measured: 100,000 tokens; the longest prompt has " in (tmp_path / "out" / "bench.md").read_text()
    assert set(report["fits"]) == {VERDICT, PREFILL, GENERATE}
    ours, llama = report["http"]["servers"]
    assert (ours["server"], ours["failures"], ours["with_a_letter"], ours["joint"]) == ("foggate", 0, 1.0, True)
    assert (ours["batch_request"]["questions"], ours["batch_request"]["rounds"], ours["batch_request"]["not_answered"]) == (12, 1, 0)
    assert ours["batch_request"]["questions_per_s"]["median"] > 0
    assert (ours["one_connection"]["questions"], ours["one_connection"]["failures"]) == (3, 0)
    assert ours["one_connection"]["p50_s"] > 0
    assert report["http"]["prompt_tokens"] > 100
    assert llama["reason"] == "only builtin models come as a GGUF file"
    text = (tmp_path / "out" / "bench.md").read_text()
    assert text in done.output
    assert "**llama-q4**" in text
    # Two rounds of each cell are few, and the report says so; and it begins with the targets.
    assert "Some cells have fewer than 3 rounds" in text
    assert [goal["verdict"] for goal in report["goals"]].count("not measured") >= 3
    assert text.index("of the time of a bare prefill") < text.index("## Length of the prompt")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("bench.json", "bench.md", "time_by_tokens.png", "time_by_tokens.svg", "rate_by_batch.png", "rate_by_batch.svg")
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--peer", "lama"], "there is no peer 'lama'; there are transformers"),
        (["--full", "--batches", "1,x"], "--batches wants whole numbers with commas between them, as in 1,4,16, and not '1,x'"),
        (["--lengths", "0"], "--lengths wants whole numbers"),
        (["--tokenizer", "x"], "--tokenizer belongs to --shape"),
        (["--peer", "vllm", "--no-http"], "leave out --no-http"),
        (["--rate", "10", "--no-http"], "--rate is measured over HTTP"),
        (["--one-connection", "5", "--no-http"], "--one-connection is measured over HTTP"),
        (["--rate", "0"], "--rate wants whole numbers"),
        (["--shape", "huge", "--tokenizer", "x"], "there is no shape 'huge'"),
        (["--shape", "tiny", "--tokenizer", "/nowhere/at/all"], "the tokenizer /nowhere/at/all could not be loaded"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_loaded(arguments, said):
    done = run(*arguments)
    assert done.exit_code != 0
    assert said in str(done.exception.message)


def test_an_output_folder_that_cannot_be_written_is_refused_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    done = run("--out", Path(tmp_path / "file" / "out"))
    assert "cannot be written" in done.exception.message

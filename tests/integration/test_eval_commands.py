"""The evaluation's commands as a shell script sees them: exit codes, whole tables in a pipe, sentences instead of numbers that are not."""

import asyncio
import json
import re

import pytest
from typer.testing import CliRunner

from app.cli.bench_edge import show as show_bench
from app.cli.bench_injection import show as show_injection
from app.cli.commands import cli
from app.cli.markdown import print_markdown
from app.cli.output import stdout_console
from app.data.records import read_records
from app.demo.bank import SHIPPED_BANK
from app.evaluation.cells import table
from tests.support import kinds
from tests.support.clouds import completion, scripted
from tests.support.populations import drawn
from tests.support.records import simulated, write
from tests.support.tiny import TEMPLATES, tiny_model, tiny_tokenizer

# A terminal as narrow as none: what is no terminal must not care.
NARROW = {"COLUMNS": "20"}
LONG = "clinical_knowledge_and_professional_medicine_of_the_year_2026"


def run(*arguments, **environment):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], env={**NARROW, **environment})


def without(rows):
    return [{**row, **dict.fromkeys(("cloud_answer", "cloud_model", "cloud_tokens", "cloud_ms"))} for row in rows]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The settings of a tiny edge model."""
    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = tiny_tokenizer(TEMPLATES["qwen3"])
    tiny_model("qwen3", len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return {"FOGGATE_EDGE__MODEL": str(folder), "FOGGATE_EDGE__THREADS": "1", "FOGGATE_CLOUD__MAX_ATTEMPTS": "1"}


async def test_a_refused_key_ends_a_collecting_run_with_an_exit_code_and_the_next_run_goes_on(tmp_path, tiny):
    out = tmp_path / "r.jsonl"

    async def collect(url, *more):
        arguments = ("eval", "collect", "--data", SHIPPED_BANK, "--out", out, "--per-domain", "4", *more)
        return await asyncio.to_thread(run, *arguments, **tiny, FOGGATE_CLOUD__BASE_URL=url + "/v1", FOGGATE_CLOUD__API_KEY="sk-wrong")

    async with scripted((401, {"error": {"message": "Incorrect API key provided: sk-wrong"}})) as server:
        done = await collect(server.url, "--cloud-concurrency", "1")
    assert done.exit_code == 1
    # One line a kind of failure, with its status, and one that says why it stopped; none is cut.
    assert re.search(r"^\d+ × cloud_\w+: .*\(?status 401\)?$|^\d+ × cloud_\w+: .*401.*$", done.stdout, re.MULTILINE)
    assert re.search(r"^stopped: the cloud failed 5 times in a row .*401.* \d+ questions were not asked$", done.stdout, re.MULTILINE)
    assert "the same command asks the remaining questions" in done.stdout
    assert "sk-wrong" not in done.output
    asked = [record for record in read_records(out).values() if record["cloud_error"]]
    assert len(asked) == 5
    async with scripted((503, b"")) as server:
        done = await collect(server.url, "--json")
    assert done.exit_code == 1
    said = json.loads(done.stdout)
    assert (said["total"], said["failed"], said["unasked"], said["stopped"]) == (28, 28, 0, None)
    assert [(row["kind"], row["n"]) for row in said["failures"]] == [("cloud_unavailable", 28)]
    assert "thread" in said["hardware"]
    async with scripted((200, completion("Final answer: A"))) as server:
        done = await collect(server.url)
    assert (done.exit_code, "failed" in done.stdout) == (0, False)
    records = read_records(out)
    assert {record["cloud_answer"] for record in records.values()} == {"A"}
    assert {record["edge_hardware"] for record in records.values()} == {said["hardware"]}


@pytest.mark.parametrize("records", [simulated(60, 0, domains=(LONG, "law")), without(simulated(60, 0, domains=(LONG, "law")))])
def test_a_report_in_a_pipe_is_whole(tmp_path, records):
    path = write(tmp_path / "r.jsonl", records)
    done = run("eval", "report", "--records", path, "--out", tmp_path / "out", "--no-pictures")
    assert done.exit_code == 0, done.output
    written = (tmp_path / "out" / "report.md").read_text()
    assert done.stdout.startswith(written)
    assert "…" not in done.stdout.replace("20 % … 100 %", "")
    assert any(line.startswith(f"| {LONG} | 30 |") and line.endswith("|") for line in done.stdout.splitlines())
    assert "FogGen" not in written
    with_reference = run("eval", "report", "--records", path, "--out", tmp_path / "out", "--no-pictures", "--reference")
    assert "| medical | 74.0 |" in with_reference.stdout


def test_a_comparison_and_a_calibration_in_a_pipe_are_whole(tmp_path):
    path = write(tmp_path / "r.jsonl", without(simulated(200, 0, domains=(LONG, "law"))))
    assert run("eval", "report", "--records", path, "--out", tmp_path / "out", "--no-pictures").exit_code == 0
    done = run("eval", "compare", tmp_path / "out" / "report.json", tmp_path / "out" / "report.json")
    assert done.exit_code == 0, done.output
    assert "| (2) | small | – | 0.5 verbalized | 200 |" in done.stdout
    out = tmp_path / "calibration.json"
    done = run(
        "calibrate",
        "--records",
        path,
        "--target-cloud-rate",
        "0.4",
        "--per-domain",
        "--min-domain",
        "20",
        "--letter-prior",
        "off",
        "--out",
        out,
    )
    assert done.exit_code == 0, done.output
    assert any(line.startswith(f"| {LONG} |") and line.endswith("|") for line in done.stdout.splitlines())
    assert f"wrote {out}; the gateway reads it with policy.calibration: {out}\n" in done.stdout
    served = run("eval", "report", "--records", path, "--calibration", out, "--out", tmp_path / "served", "--no-pictures")
    assert served.exit_code == 0, served.output
    report = json.loads((tmp_path / "served" / "report.json").read_text())
    assert set(report["thresholds"]) == {LONG, "law"}


def test_the_fitted_probability_is_calibrated_planned_and_reported_by_the_commands(tmp_path):
    path, out = write(tmp_path / "r.jsonl", kinds.sample(600, drawn(1))), tmp_path / "c.json"
    done = run("calibrate", "--records", path, "--target-cloud-rate", "0.4", "--out", out, "--json")
    assert done.exit_code == 0, done.output
    shown = json.loads(done.stdout)
    assert (shown["signal"], shown["fitted"]["n"]) == ("fitted", 300)
    assert shown["signals"]["fitted"]["auroc"] == shown["fitted"]["auroc"]
    done = run("eval", "report", "--records", path, "--calibration", out, "--out", tmp_path / "served", "--no-pictures")
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "served" / "report.json").read_text())["signals"]["fitted"]["n"] == 300
    done = run("calibrate", "--records", path, "--plan", "--max-edge-error", "0.2")
    assert done.exit_code == 0, done.output
    assert "signal: fitted probability" in done.stdout
    assert "the fitted probability is better than the best single signal" in done.stdout


def test_what_cannot_be_reported_is_one_sentence(tmp_path):
    path = write(tmp_path / "r.jsonl", without(simulated(40, 0)))
    calibration = tmp_path / "c.json"
    assert run("calibrate", "--records", path, "--target-cloud-rate", "0.5", "--out", calibration).exit_code == 0
    for arguments, says in (
        (("--tau", "0.5", "--calibration", calibration), "leave out --tau and --signal"),
        (("--signal", "expected", "--calibration", calibration), "leave out --tau and --signal"),
        (("--calibration", tmp_path / "none.json"), "cannot be read"),
        (("--calibration", path), "is not a calibration"),
    ):
        done = run("eval", "report", "--records", path, "--out", tmp_path / "out", *arguments)
        assert done.exit_code == 1
        assert says in done.exception.message
    done = run("calibrate", "--records", path, "--target-accuracy", "0.5", "--out", calibration)
    assert "no record has a cloud answer" in done.exception.message


def bench_report(pairs):
    ratios = ("ratio_vs_generate", "ratio_vs_prefill", "ratio_vs_generate_without_sharing", "ratio_vs_prefill_without_sharing")
    cis = {f"{key}_ci": [1.5, 2.5] if pairs > 5 else None for key in ratios}
    return {
        **dict.fromkeys(ratios, 2.0),
        **cis,
        "model": LONG,
        "dtype": "float32",
        "device": "cpu",
        "threads": 2,
        "pairs": pairs,
        "pairs_without_sharing": pairs,
        "median_ms": {"verdict": 10.0, "generate": 20.0},
        "elapsed_s": 3.2,
        "hardware": {"processor": "a processor", "machine": "x86_64", "gpu": None},
        "versions": {"torch": "2"},
    }


@pytest.mark.parametrize("pairs", [1, 20])
def test_a_benchmark_in_a_pipe_says_its_n_its_hardware_and_no_interval_of_one_pair(capsys, monkeypatch, pairs):
    monkeypatch.setenv("COLUMNS", "20")
    show_bench(bench_report(pairs), stdout_console())
    shown = capsys.readouterr().out
    assert f"{LONG}, float32, 2 threads, n = {pairs} pairs" in shown
    assert ("2.00 [1.50, 2.50]" in shown) is (pairs > 5)
    assert ("no interval" in shown) is (pairs < 6)
    assert '"processor": "a processor"' in shown
    assert '"elapsed_s": 3.2' in shown


def test_a_wide_table_in_a_pipe_is_not_cut(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    row = {"answer_to_target": 0.5, "answer_changed": 0.25, "edge_to_cloud": 0.1, "cloud_to_edge": 0.0, "confidence_change": -0.125}
    report = {"attacks": {LONG: row}, "questions": 40, "edge_model": "small", "tau": 0.5, "signal": "expected"}
    show_injection(report, stdout_console())
    lines = capsys.readouterr().out.splitlines()
    assert any(LONG in line and "-0.12" in line for line in lines)
    assert any("answer to the target" in line and "change of the signal" in line for line in lines)
    assert "40 questions, small, tau 0.5 on the expected confidence; percent" in lines


def test_a_narrow_terminal_breaks_words_and_cuts_nothing(capsys, monkeypatch):
    for name, value in {"COLUMNS": "40", "FORCE_COLOR": "1", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    print_markdown(table(("signal", "n", "AUROC", "ECE", "Brier"), [("largest_option", "300", "0.807", "0.313", "0.25")] * 2))
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert "…" not in shown
    assert all(len(line) <= 40 for line in shown.splitlines())
    letters = "".join(re.findall(r"^ ?([a-z_]+)", shown, re.MULTILINE))
    assert letters.replace("signal", "") == "largest_option" * 2

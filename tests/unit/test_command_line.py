"""Every command, in this process, with what people mistype: one sentence, one of the documented exit codes, no traceback, no model."""

import os
import re
import string
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from app.cli.commands import cli, main
from app.cli.exit_codes import MEANINGS, exit_code
from app.core.errors import CloudUnavailable, ConfigError, EdgeError, InvalidQuestion
from tests.support.command_page import commands_section, exit_codes_section

ROOT = Path(__file__).parents[2]
OPTIONS_26, OPTIONS_27 = [f"option {n}" for n in range(26)], [f"option {n}" for n in range(27)]


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """`foggate` with these arguments: its exit code, standard output and standard error. FOLDER, FILE and NONE stand for paths."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("text\n")
    paths = {
        "FOLDER": str(tmp_path),
        "FILE": str(tmp_path / "file"),
        "NONE": str(tmp_path / "none"),
        "BELOW_FILE": str(tmp_path / "file/below"),
    }

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([paths.get(argument, argument) for argument in arguments])
        shown = capsys.readouterr()
        return ended.value.code, shown.out, shown.err

    return call


def commands(group=None, before=()):
    group = group or typer.main.get_command(cli)
    found = [before]
    for name, command in getattr(group, "commands", {}).items():
        found += commands(command, (*before, name)) if hasattr(command, "commands") else [(*before, name)]
    return found


def _find(command):
    found = typer.main.get_command(cli)
    for name in command:
        found = found.commands[name]
    return found


ALL = commands()
LEAVES = [command for command in ALL if not hasattr(_find(command), "commands")]


def test_each_command_is_one_file_of_its_name():
    homes = {command: _find(command).callback.__module__ for command in LEAVES}
    assert homes == {command: "app.cli." + "_".join(command).replace("-", "_") for command in LEAVES}


def test_the_help_needs_no_heavy_library():
    heavy = {"torch", "transformers", "numpy", "fastapi", "uvicorn", "httpx2", "structlog", "matplotlib"}
    code = f"import sys, app.cli.commands; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_each_command_explains_itself(run, command):
    for option in ("-h", "--help"):
        code, out, err = run(*command, option)
        assert (code, err) == (0, "")
        assert out.startswith(f"Usage: foggate {' '.join(command)}".rstrip())
        assert "-h, --help" in out


def test_every_option_and_argument_is_explained_and_not_only_named():
    silent = [
        (*command, parameter.name)
        for command in ALL
        for parameter in _find(command).params
        if not parameter.help and parameter.name != "help"
    ]
    assert silent == []


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_an_option_that_is_not_there_is_wrong_usage_and_the_closest_is_named(run, command):
    code, _, err = run(*command, "--hepl")
    assert code == 2
    assert "No such option: --hepl" in err
    assert "--help" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "closest"),
    [
        (["aks", "q", "a", "b"], "ask"),
        (["serv"], "serve"),
        (["demo_cloud"], "demo-cloud"),
        (["democloud"], "demo-cloud"),
        (["calibrat"], "calibrate"),
        (["confg", "check"], "config"),
        (["config", "chek"], "check"),
        (["eval", "colect"], "collect"),
        (["eval", "raport"], "report"),
        (["keys", "creat"], "create"),
        (["report", "--records", "x"], "'foggate eval report'"),
        (["collect"], "'foggate eval collect'"),
        (["check"], "'foggate "),
        (["create", "--name", "ada"], "'foggate keys create'"),
        (["bench", "edg"], "edge"),
        (["ask", "q", "a", "b", "--ulr", "http://x"], "--url"),
        (["serve", "--prot", "1"], "--port"),
        (["export", "--ot", "x"], "--out"),
        (["calibrate", "--target-acuracy", "0.5"], "--target-accuracy"),
        (["eval", "collect", "--dta", "x"], "--data"),
        (["ask", "q", "a", "b", "--route", "egde"], "Did you mean 'edge'"),
        (["demo-cloud", "--unknown", "nonne"], "Did you mean 'none'"),
        (["eval", "collect", "--data", "x", "--out", "y", "--cloud", "non"], "Did you mean 'none'"),
        (["eval", "report", "--records", "x", "--out", "y", "--signal", "expect"], "Did you mean 'expected'"),
        (["keys", "create", "--permission", "anwser"], "Did you mean 'answer'"),
        (["label", "--data", "x", "--out", "y", "--method", "exakt"], "Did you mean 'exact'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_what_is_misspelt_gets_the_closest(run, arguments, closest):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert closest in err.splitlines()[-1]


WRONG = [
    (["ask"], "Missing argument"),
    (["ask", "q"], "Missing argument"),
    (["ask", "q", "one"], "options must be 2 to 26, got 1"),
    (["ask", "q", *OPTIONS_27], "options must be 2 to 26, got 27"),
    (["ask", "q", "same", "same"], "options A and B are the same"),
    (["ask", "q", "a", ""], "option"),
    (["ask", "", "a", "b"], "question"),
    (["ask", "   ", "a", "b"], "question"),
    (["ask", "q\udcff", "a", "b"], "not valid Unicode"),
    (["ask", "q" * 30_000, "a", "b", "--url", "localhost"], "--url needs a scheme"),
    (["ask", "q", "a", "b", "--url", ""], "--url needs a scheme"),
    (["ask", "q", "a", "b", "--tau", "2"], "'--tau'"),
    (["ask", "q", "a", "b", "--tau", "-0.1"], "'--tau'"),
    (["ask", "q", "a", "b", "--tau", "nan"], "'--tau'"),
    (["ask", "q", "a", "b", "--tau", "high"], "'--tau'"),
    (["ask", "q", "a", "b", "--tau"], "requires an argument"),
    (["ask", "q", "a", "b", "--url", "localhost:8080"], "did you mean http://localhost:8080?"),
    (["ask", "q", "a", "b", "--config", "NONE"], "No such file"),
    (["ask", "q", "a", "b", "--config", "FOLDER"], "Is a directory"),
    (["serve", "--port", "99999"], "'--port'"),
    (["serve", "--port", "-1"], "'--port'"),
    (["serve", "--port", "http"], "'--port'"),
    (["serve", "--port", "80.5"], "'--port'"),
    (["serve", "extra"], "unexpected extra argument"),
    (["serve", "--config", "NONE"], "No such file"),
    (["serve", "--config", "FOLDER"], "Is a directory"),
    (["serve", "--config", "FILE"], "must hold a mapping"),
    (["serve", "--host", "0.0.0.0", "--port", "0"], "no keys are configured"),
    (["demo-cloud", "--port", "65536"], "'--port'"),
    (["demo-cloud", "--accuracy", "1.5"], "'--accuracy'"),
    (["demo-cloud", "--accuracy", "nan"], "'--accuracy'"),
    (["demo-cloud", "--latency-ms", "-1"], "'--latency-ms'"),
    (["demo-cloud", "--latency-ms", "inf"], "'--latency-ms'"),
    (["demo-cloud", "--latency-sigma", "1e300"], "'--latency-sigma'"),
    (["demo-cloud", "--retry-after-s", "-1"], "'--retry-after-s'"),
    (["demo-cloud", "--fault", "hang"], "fault 'hang' must be NAME:RATE"),
    (["demo-cloud", "--fault", "hang:2"], "a rate from 0 to 1"),
    (["demo-cloud", "--bank", "NONE"], "cannot be read"),
    (["demo-cloud", "--bank", "FOLDER"], "cannot be read"),
    (["demo-cloud", "--bank", "FILE"], "line 1: not a question"),
    (["demo-cloud", "--recorded", "gpt"], "no answers of 'gpt'"),
    (["demo-cloud", "--host", "256.1.1.1"], "cannot listen on 256.1.1.1"),
    (["demo-cloud", "--host", "192.0.2.1"], "cannot listen on 192.0.2.1"),
    (["export"], "Missing option '--out'"),
    (["export", "--out", "FOLDER"], "is not an empty folder"),
    (["export", "--out", "FILE"], "is not an empty folder"),
    (["export", "--out", "NONE", "--config", "NONE"], "No such file"),
    (["config"], "Usage: foggate config"),
    (["config", "check", "--config", "NONE"], "No such file"),
    (["config", "check", "--config", "FOLDER"], "Is a directory"),
    (["config", "check", "NONE"], "unexpected extra argument"),
    (["keys", "list", "--file", "NONE"], "cannot be read"),
    (["keys", "list", "--file", "FOLDER"], "cannot be read"),
    (["keys", "list", "--file", "FILE"], "key file"),
    (["keys", "create", "--file", "FOLDER"], "cannot be read"),
    (["keys", "create", "--file", "FILE"], "key file"),
    (["keys", "create", "--file", "BELOW_FILE"], "cannot be"),
    (["keys", "create", "--questions-per-minute", "0"], "'--questions-per-minute'"),
    (["keys", "create", "--cloud-calls-per-day", "-1"], "'--cloud-calls-per-day'"),
    (["keys", "rotate"], "Missing argument"),
    (["keys", "rotate", "abc", "--file", "NONE"], "cannot be read"),
    (["keys", "revoke", "abc", "--file", "NONE"], "cannot be read"),
    (["eval"], "Usage: foggate eval"),
    (["eval", "collect"], "Missing option"),
    (["eval", "collect", "--data", "NONE.jsonl", "--out", "NONE", "--cloud", "none"], "NONE.jsonl"),
    (["eval", "collect", "--data", "FOLDER", "--out", "NONE", "--cloud", "none"], ""),
    (["eval", "collect", "--data", "FILE", "--out", "NONE", "--cloud-concurrency", "0"], "'--cloud-concurrency'"),
    (["eval", "report", "--records", "NONE", "--out", "NONE"], "cannot be read"),
    (["eval", "report", "--records", "FOLDER", "--out", "NONE"], "cannot be read"),
    (["eval", "report", "--records", "FILE", "--out", "NONE"], "file"),
    (["eval", "report", "--records", "FILE", "--out", "NONE", "--tau", "2"], "'--tau'"),
    (["eval", "compare"], "Missing argument"),
    (["eval", "compare", "FILE"], ""),
    (["eval", "compare", "NONE", "NONE"], "cannot be read"),
    (["eval", "compare", "FOLDER", "FOLDER"], "cannot be read"),
    (["eval", "compare", "FILE", "FILE", "--cloud-rate", "1.1"], "'--cloud-rate'"),
    (["calibrate", "--records", "FILE"], "--target-cloud-rate"),
    (["calibrate", "--records", "FILE", "--target-accuracy", "0.5", "--max-edge-error", "0.2"], "give exactly one of"),
    (["calibrate", "--records", "FILE", "--target-accuracy", "1.5"], "'--target-accuracy'"),
    (["calibrate", "--records", "FILE", "--target-accuracy", "nan"], "'--target-accuracy'"),
    (["calibrate", "--records", "FILE", "--max-edge-error", "0.3", "--delta", "0"], "'--delta'"),
    (["calibrate", "--records", "FILE", "--max-edge-error", "0.3", "--delta", "1"], "'--delta'"),
    (["calibrate", "--records", "NONE", "--target-accuracy", "0.5"], "cannot be read"),
    (["calibrate", "--records", "FOLDER", "--target-accuracy", "0.5"], "cannot be read"),
    (["label", "--data", "NONE.jsonl", "--out", "NONE"], "NONE.jsonl"),
    (["label", "--data", "FILE", "--out", "NONE", "--samples", "0"], "'--samples'"),
    (["label", "--data", "FILE", "--out", "NONE", "--temperature", "0"], "'--temperature'"),
    (["evolve", "--config", "NONE", "--out", "NONE"], "No such file"),
    (["evolve", "--config", "FOLDER", "--out", "NONE"], "Is a directory"),
    (["evolve", "--config", "FILE", "--out", "NONE"], "must hold a mapping"),
    (["evolve", "--config", "FILE", "--out", "NONE", "--rounds", "-1"], "'--rounds'"),
    (["adapter", "--run", "NONE", "--out", "NONE"], "holds no run"),
    (["adapter", "--run", "FILE", "--out", "NONE"], ""),
    (["adapter", "--run", "FOLDER", "--out", "NONE", "--agreement", "2"], "'--agreement'"),
    (["bench"], "Usage: foggate bench"),
    (["bench", "edge", "--pairs", "0"], "'--pairs'"),
    (["bench", "edge", "--tokens", "1"], "'--tokens'"),
    (["bench", "label", "--questions", "0"], "'--questions'"),
    (["bench", "injection", "--limit", "0"], "'--limit'"),
    (["bench", "injection", "--data", "NONE.jsonl"], "NONE.jsonl"),
]


@pytest.mark.parametrize(("arguments", "says"), WRONG, ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "")
def test_wrong_usage_is_a_sentence_and_exit_code_2(run, arguments, says):
    code, _, err = run(*arguments)
    assert code == 2, err
    assert says in err
    assert err.strip()
    assert "Traceback" not in err
    # One sentence, whole: no frame around it and no line cut off.
    assert not set(err) & set("│╭╰─")
    assert err.strip().splitlines()[-1].startswith(("foggate: ", "Error: ", "  Exit codes", "  "))


def test_what_was_tried_and_failed_ends_with_1(run, tmp_path):
    code, _, err = run("ask", "q", "a", "b", "--url", "http://127.0.0.1:1")
    assert (code, err.startswith("foggate: no gateway answers at http://127.0.0.1:1: the connection is refused")) == (1, True)


def test_nothing_given_shows_the_help_and_the_exit_codes(run):
    code, out, err = run()
    assert code == 2
    shown = " ".join((out + err).split())
    assert all(re.search(rf"\b{known}\b", shown.partition("Exit codes:")[2]) for known in MEANINGS)


def test_the_version(run):
    code, out, _ = run("--version")
    assert (code, bool(re.fullmatch(r"foggate \d+\.\d+\S*\n", out))) == (0, True)


def test_the_page_holds_the_help_of_every_command_and_the_exit_codes_in_force():
    page = (ROOT / "docs/command-line.md").read_text(encoding="utf-8")
    for name, make in (("commands", commands_section), ("exit codes", exit_codes_section)):
        part = page.partition(f"<!-- {name}: begin (make docs) -->\n")[2].partition(f"<!-- {name}: end -->")[0]
        assert part == make(), "run: make docs"
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)] == list(MEANINGS)
    documented = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", page))
    assert documented >= {
        option for command in LEAVES for parameter in _find(command).params for option in parameter.opts if option[0] == "-"
    }


def test_the_exit_code_says_whether_the_caller_can_correct_the_error():
    assert [exit_code(error) for error in (ConfigError("x"), InvalidQuestion("x"), CloudUnavailable("x"), EdgeError("x"))] == [2, 2, 1, 1]


def test_the_documented_commands_are_those_there_are():
    named = re.findall(r"^### foggate (.+)$", (ROOT / "docs/command-line.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(named) == {" ".join(command) for command in LEAVES}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_options_and_choices(run, monkeypatch, capsys, shell):
    def complete(line):
        words = line.split(" ")
        monkeypatch.setenv("_FOGGATE_COMPLETE", f"complete_{shell}")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        return run()[1]

    assert all(name in complete("foggate e") for name in ("export", "evolve", "eval"))
    assert "collect" in complete("foggate eval c")
    assert "--target-accuracy" in complete("foggate calibrate --ta")
    assert "edge" in complete("foggate ask --route e")


def test_printable_options_reach_the_command(run):
    """An option's text may begin with a dash, behind `--`; nothing about quotes or brackets is special."""
    code, _, err = run("ask", "--url", "http://127.0.0.1:1", "--", "q", "-1", "--2", "[bold]", string.punctuation)
    assert code == 1
    assert "refused" in err


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_ends_a_command_without_a_word(unbuffered):
    command = [sys.executable, "-m", "app", "config", "check"]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == ("", 1)


def test_a_terminal_without_unicode_gets_escapes(tmp_path):
    (tmp_path / "gateway.yaml").write_text("cloud: {model: моделі}", encoding="utf-8")
    command = [sys.executable, "-m", "app", "config", "check", "--config", tmp_path / "gateway.yaml"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    shown = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=True)
    assert r"\u043c" in shown.stdout

"""One record is one line, in one form for everybody, without secrets."""

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
import warnings

import pytest
import structlog

from app.telemetry.logs import adopt_libraries, configure_logging
from tests.support.processes import ROOT

FORGED = 'x\n{"level": "error", "message": "forged"}\r\u2028y\x85z\x1b[31m\x00'


@pytest.fixture
def written(capsys):
    """Configure, and read back what was written."""
    root = logging.getLogger()
    before = (root.handlers, root.level, warnings.showwarning, threading.excepthook, sys.unraisablehook)
    form = "json"

    def configure(level="info", wanted="json", secrets=()):
        nonlocal form
        form = wanted
        configure_logging(level, wanted, secrets)

    def read():
        text = capsys.readouterr().err
        return [json.loads(line) for line in text.splitlines()] if form == "json" else text

    read.configure = configure
    yield read
    root.handlers, level, warnings.showwarning, threading.excepthook, sys.unraisablehook = before
    root.setLevel(level)
    structlog.reset_defaults()


def test_ours_and_every_library_come_in_one_form(written):
    written.configure()
    structlog.get_logger("foggate").info("ready", tau=0.5)
    logging.getLogger("uvicorn.error").warning("from %s", "uvicorn")
    for name in ("transformers.modeling_utils", "torch.nn", "huggingface_hub.file_download", "asyncio"):
        logging.getLogger(name).warning("hello")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure_logging("info", "json")
        warnings.warn("old thing", FutureWarning, stacklevel=1)
    records = written()
    assert [(record["logger"], record["level"], record["message"]) for record in records] == [
        ("foggate", "info", "ready"),
        ("uvicorn.error", "warning", "from uvicorn"),
        ("transformers.modeling_utils", "warning", "hello"),
        ("torch.nn", "warning", "hello"),
        ("huggingface_hub.file_download", "warning", "hello"),
        ("asyncio", "warning", "hello"),
        ("py.warnings", "warning", "old thing"),
    ]
    assert records[0]["tau"] == 0.5
    assert records[-1]["category"] == "FutureWarning"


def test_a_library_with_a_handler_of_its_own_is_adopted_once_it_is_imported(written, capsys):
    written.configure()
    library = logging.getLogger("transformers")
    handlers, propagate = library.handlers, library.propagate
    try:
        library.handlers, library.propagate = [logging.StreamHandler(sys.stderr)], False
        adopt_libraries()
        logging.getLogger("transformers.some_module").warning("slow tokenizer")
    finally:
        library.handlers, library.propagate = handlers, propagate
    assert [record["message"] for record in written()] == ["slow tokenizer"]


@pytest.mark.parametrize("form", ["json", "text"])
def test_nobodys_text_can_begin_a_line(written, form):
    written.configure(wanted=form)
    structlog.get_logger("foggate").warning(FORGED, value=FORGED, nested={"a": [FORGED]})
    logging.getLogger("a\nb").error("%s", FORGED)
    found = written()
    if form == "json":
        assert [record["message"] for record in found] == [FORGED, FORGED]
        assert found[0]["nested"] == {"a": [FORGED]}
    else:
        lines = found.splitlines()
        assert len(lines) == 2
        assert not set(found) & {"\r", "\u2028", "\x85", "\x1b", "\x00"}
        assert 'x\\n{"level"' in lines[0]


def test_an_exception_is_a_field_of_its_record(written):
    written.configure()
    try:
        raise ValueError(FORGED)
    except ValueError:
        structlog.get_logger("foggate").exception("it failed")
        logging.getLogger("lib").exception("a library failed")
    for record in written():
        assert record["exception"].startswith("Traceback")
        assert "ValueError" in record["exception"]
        assert record["level"] == "error"


def test_in_text_every_line_of_a_traceback_belongs_to_its_record(written):
    written.configure(wanted="text")
    try:
        raise ValueError("x\n2026-01-01T00:00:00Z ERROR   foggate forged")
    except ValueError:
        logging.getLogger("foggate.cloud").exception("it failed")
    first, *rest = written().splitlines()
    assert first.split(" ", 1)[1] == "ERROR   foggate.cloud it failed"
    assert rest
    assert all(line.startswith("    | ") for line in rest)


def test_text_is_for_people(written):
    written.configure(wanted="text")
    structlog.get_logger("foggate").info("ready", tau=0.5, edge_model="a b", nothing=None, empty="")
    line = written()
    assert line.endswith('INFO    foggate ready tau=0.5 edge_model="a b" empty=""\n')
    assert line[:4].isdigit()


@pytest.mark.parametrize(
    ("tty", "form", "json_expected"), [(True, "auto", False), (False, "auto", True), (True, "json", True), (False, "text", False)]
)
def test_auto_is_text_on_a_terminal_only(written, monkeypatch, tty, form, json_expected):
    reads, writes = os.openpty() if tty else os.pipe()
    with os.fdopen(writes, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        written.configure(wanted=form)
        logging.getLogger("foggate").warning("hello")
        line = os.read(reads, 4096)
    os.close(reads)
    assert line.startswith(b"{") is json_expected
    assert b"hello" in line


def test_secrets_are_masked_in_messages_values_and_exceptions(written):
    written.configure(secrets={"opaque-canary", "opaque-canary-longer"})
    log = structlog.get_logger("foggate")
    try:
        raise OSError("redis://:pw-canary@redis:6379 refused, opaque-canary-longer")
    except OSError:
        log.exception("gone: https://u:pw-canary@h/v1?sig=pw-canary", url="redis://pw-canary@x", nested={"k": ["opaque-canary"]})
    log.info("sent", request_id="sk-request-0123456789")
    records = written()
    text = json.dumps(records)
    assert "canary" not in text
    assert "longer" not in text
    assert records[1]["request_id"] == "sk-request-0123456789"


def test_a_record_is_bounded(written):
    written.configure()
    logging.getLogger("lib").warning("y" * 1_000_000)
    (record,) = written()
    assert len(record["message"]) < 9_000
    assert record["message"].endswith("more characters)")


def test_lists_and_numbers_of_a_record_are_bounded_and_are_json(written, capsys):
    itself = []
    itself.append(itself)
    written.configure()
    structlog.get_logger("foggate").warning("odd", many=list(range(50_000)), parts={str(at): at for at in range(500)}, itself=itself)
    structlog.get_logger("foggate").warning("odd", least=float("-inf"), none=float("nan"), share=0.5)
    first, second = capsys.readouterr().err.splitlines()
    assert len(first) < 5_000
    assert json.loads(first)["many"][-2:] == [99, "… (49900 more)"]
    numbers = json.loads(second, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert (numbers["least"], numbers["none"], numbers["share"]) == ("-inf", "nan", 0.5)


def test_a_record_that_cannot_be_written_is_reported_as_a_record(written):
    class Bad:
        def __str__(self):
            raise RuntimeError("no text")

    written.configure()
    logging.getLogger("lib").warning("%d things", "three")
    logging.getLogger("lib").warning("%s", Bad())
    structlog.get_logger("foggate").warning("odd", thing=Bad())
    logging.getLogger("lib").warning("fine")
    assert [record["message"].split(" (")[0] for record in written()] == ["a log record could not be written"] * 3 + ["fine"]


def test_a_quiet_command_hears_nothing_below_its_level_from_libraries_either(written):
    written.configure("error")
    library = logging.getLogger("transformers")
    before = library.level
    library.setLevel(logging.WARNING)
    try:
        library.warning("advice")
    finally:
        library.setLevel(before)
    assert written() == []


def test_a_thread_that_ends_with_an_error_and_a_task_that_nobody_awaits_are_records(written):
    threading.excepthook = threading.__excepthook__
    written.configure()

    def fail():
        raise ValueError("in a thread")

    thread = threading.Thread(target=fail, name="worker")
    thread.start()
    thread.join()

    async def forget():
        asyncio.get_running_loop().call_exception_handler({"message": "Task exception was never retrieved", "exception": ValueError("x")})

    asyncio.run(forget())
    of_thread, of_task = written()
    assert (of_thread["thread"], of_thread["level"]) == ("worker", "error")
    assert "in a thread" in of_thread["exception"]
    assert (of_task["logger"], "ValueError" in of_task["exception"]) == ("asyncio", True)


def test_a_command_that_ends_with_a_bug_says_so_in_one_record():
    code = (
        "import sys\nfrom app.cli.commands import cli, main\nfrom app.telemetry.logs import configure_logging\n"
        "@cli.command()\ndef boom():\n    secret = 'canary-1'\n    configure_logging('error')\n    raise ValueError('api_key=canary-2')\n"
        "sys.argv = ['foggate', 'boom']\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    (line,) = done.stderr.splitlines()
    record = json.loads(line)
    assert (done.returncode, record["level"], record["message"]) == (1, "error", "a bug: the command ended with an unexpected error")
    assert "ValueError" in record["exception"]
    assert "canary-2" not in line

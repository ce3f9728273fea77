"""The root of the command line: it registers every command, runs one, and turns errors into sentences and exit codes.

Each command is one file beside this one, with its options, its help and what it does. It imports what it needs when it runs, so
that `--help` is fast and never imports torch. The process begins in `app/__main__.py`.
"""

import io
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from app import __version__
from app.cli.adapter import adapter
from app.cli.ask import ask
from app.cli.bench_edge import bench_edge
from app.cli.bench_gateway import bench_gateway
from app.cli.bench_injection import bench_injection
from app.cli.bench_label import bench_label
from app.cli.bench_streams import bench_streams
from app.cli.calibrate import calibrate
from app.cli.cloud_check import cloud_check
from app.cli.config_check import config_check
from app.cli.config_show import config_show
from app.cli.demo_cloud import demo_cloud
from app.cli.eval_collect import eval_collect
from app.cli.eval_compare import eval_compare
from app.cli.eval_report import eval_report
from app.cli.evolve import evolve
from app.cli.exit_codes import EPILOG, FAILED, exit_code
from app.cli.export import export
from app.cli.health import health
from app.cli.keys_create import keys_create
from app.cli.keys_list import keys_list
from app.cli.keys_revoke import keys_revoke
from app.cli.keys_rotate import keys_rotate
from app.cli.label import label
from app.cli.options import CONTEXT, Commands
from app.cli.output import stdout_console
from app.cli.serve import serve
from app.cli.tune import tune
from app.config.environment import drop_blank
from app.config.masking import mask_text
from app.core import interrupts
from app.core.errors import FogGateError

# A new command is a new file and a line here.
_COMMANDS: dict[str, Callable[..., None]] = {
    "serve": serve,
    "health": health,
    "ask": ask,
    "demo-cloud": demo_cloud,
    "export": export,
    "tune": tune,
    "calibrate": calibrate,
    "label": label,
    "evolve": evolve,
    "adapter": adapter,
}
_GROUPS: dict[str, tuple[str, dict[str, Callable[..., None]]]] = {
    "config": ("Show and check the configuration.", {"check": config_check, "show": config_show}),
    "cloud": ("Check the cloud endpoints.", {"check": cloud_check}),
    "eval": (
        "Measure on your own questions what routing gains.",
        {"collect": eval_collect, "report": eval_report, "compare": eval_compare},
    ),
    "bench": (
        "Measure speed and robustness on this machine.",
        {
            "edge": bench_edge,
            "gateway": bench_gateway,
            "streams": bench_streams,
            "label": bench_label,
            "injection": bench_injection,
        },
    ),
    "keys": (
        "Manage the API keys of the gateway.",
        {"create": keys_create, "list": keys_list, "rotate": keys_rotate, "revoke": keys_revoke},
    ),
}

# Without rich markup, help and errors are plain text: whole lines in a pipe, and no frame around a sentence.
cli = typer.Typer(
    name="foggate", cls=Commands, no_args_is_help=True, context_settings=CONTEXT, rich_markup_mode=None, pretty_exceptions_enable=False
)
for _name, _command in _COMMANDS.items():
    cli.command(_name)(_command)
for _name, (_help, _commands) in _GROUPS.items():
    _group = typer.Typer(help=_help, no_args_is_help=True)
    for _inner, _command in _commands.items():
        _group.command(_inner)(_command)
    cli.add_typer(_group, name=_name)


def _version(wanted: bool) -> None:
    if wanted:
        stdout_console().print(f"foggate {__version__}")
        raise typer.Exit


@cli.callback(epilog=EPILOG)
def root(
    _version_flag: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")] = False,
) -> None:
    """A self-aware edge-cloud gateway for multiple-choice questions."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. An error is one sentence on standard error.

    Args:
        arguments: the words behind `foggate` on the command line; None takes those of this process.

    Raises:
        SystemExit: always, with a code of `app/cli/exit_codes.py`.
    """
    # First of all, because torch and other libraries read the environment when they are imported.
    drop_blank(os.environ)
    for stream in (sys.stdout, sys.stderr):
        # A character that a terminal or a pipe cannot show is written as its escape sequence.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = FAILED
    try:
        code = _code_of(arguments)
    finally:
        # After a signal, errors on the way out do not matter.
        if (ended_by := interrupts.ending()) is not None:
            interrupts.finish(ended_by)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the output has ended, as `head` does. The interpreter would report an error when it flushes once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = code or FAILED
    sys.exit(code)


def _code_of(arguments: Sequence[str] | None) -> int:
    """Run a command, write one sentence if it fails, and return its exit code."""
    try:
        cli(arguments, prog_name="foggate")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else FAILED
    except FogGateError as error:
        if interrupts.ending() is None:
            sys.stderr.writelines(f"foggate: {line}\n" for line in mask_text(error.message).splitlines())
        return exit_code(error)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"foggate: {mask_text(where + str(error.strerror or error))}\n")
    except KeyboardInterrupt:
        return interrupts.INTERRUPTED
    except Exception:
        # An exception after a signal is not a bug.
        if interrupts.ending() is not None:
            return FAILED
        if not logging.getLogger().handlers:
            raise
        # One record in the form of the log, instead of a traceback of many lines between its records.
        logging.getLogger("foggate").exception("a bug: the command ended with an unexpected error")
    return FAILED

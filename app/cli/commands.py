"""The command line. Each command imports what it needs when it runs, so that `--help` is fast and torch-free.

The process begins in `app/__main__.py`.
"""

import io
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from app import __version__
from app.cli.cloud_commands import cloud_cli
from app.cli.config_show import config_show
from app.cli.eval_commands import calibrate, eval_cli
from app.cli.exit_codes import EPILOG, FAILED, exit_code
from app.cli.keys_commands import keys_cli
from app.cli.options import CONTEXT, AsJson, Commands, ConfigFile, print_json
from app.cli.output import stdout_console
from app.cli.train_commands import adapter, bench_cli, evolve, label
from app.config.environment import CALLER_KEY, drop_blank
from app.config.masking import mask_text
from app.core import interrupts
from app.core.errors import ConfigError, FogGateError

# Without rich markup, help and errors are plain text: whole lines in a pipe, and no frame around a sentence.
cli = typer.Typer(
    name="foggate", cls=Commands, no_args_is_help=True, context_settings=CONTEXT, rich_markup_mode=None, pretty_exceptions_enable=False
)
config_cli = typer.Typer(help="Look at the configuration.", no_args_is_help=True)
for group, name in ((config_cli, "config"), (cloud_cli, "cloud"), (eval_cli, "eval"), (bench_cli, "bench"), (keys_cli, "keys")):
    cli.add_typer(group, name=name)
console = stdout_console()


def _version(wanted: bool) -> None:
    if wanted:
        console.print(f"foggate {__version__}")
        raise typer.Exit


@cli.callback(epilog=EPILOG)
def root(
    _version_flag: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """A self-aware edge-cloud gateway for multiple-choice questions."""


@cli.command()
def serve(
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option(help="Overrides server.host.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Overrides server.port; 0 takes a free one.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Start the mock cloud beside it, unless cloud.base_url is set.")] = False,
    insecure: Annotated[bool, typer.Option("--insecure", help="Listen beyond loopback without keys: everybody may do everything.")] = False,
) -> None:
    """Run the gateway."""
    # SIGTERM is its ordinary end; the import below takes a second.
    interrupts.install(terminated=0)
    from app.cli.given import Given
    from app.cli.serve import run_gateway

    run_gateway(Given(config, host, port, insecure), console, demo=demo)


@cli.command()
def health(
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option(help="Overrides server.host, as for serve.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Overrides server.port, as for serve.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Ask whether it is alive, which it is while the model loads too.")] = False,
    pid: Annotated[
        int | None, typer.Option(help="Take --config, --host and --port from the command line of this process (1 in a container).")
    ] = None,
) -> None:
    """Ask the gateway on this machine whether it is ready; exit code 1 if it is not. For health checks: no proxy, no key."""
    from app.cli.given import Given
    from app.cli.health import health as probe
    from app.cli.health import options_of

    found = options_of(pid) if pid is not None else {}
    given = Given(
        config=Path(found["config"]) if "config" in found else config,
        host=found.get("host", host),
        port=int(found["port"]) if found.get("port", "").isdecimal() else port,
    )
    server = given.read().server
    console.print(probe(server.host, server.port, path="/health/live" if live else "/health/ready"))


@cli.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question, in quotes.")],
    options: Annotated[list[str], typer.Argument(help="2 to 26 options, in order, each in quotes.")],
    config: ConfigFile = None,
    url: Annotated[
        str | None, typer.Option(help="Ask a running gateway, as in http://127.0.0.1:8080, instead of loading the model here.")
    ] = None,
    key: Annotated[str | None, typer.Option(envvar=CALLER_KEY, help="API key for --url.")] = None,
    domain: Annotated[str | None, typer.Option(help="The question's domain: it may have a threshold of its own.")] = None,
    tau: Annotated[float | None, typer.Option(min=0, max=1, help="Threshold for this question.")] = None,
    route: Annotated[Literal["auto", "edge", "cloud"], typer.Option(help="Who answers; auto lets the confidence decide.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Ask one question. The answer comes with what the edge model thinks of each option and of its own answer."""
    from pydantic import ValidationError

    from app.api.errors import validation_error
    from app.api.schemas import AnswerRequest
    from app.cli.ask import ask as answer
    from app.cli.ask import show
    from app.config.loading import load_settings
    from app.telemetry.logs import configure_logging

    configure_logging("error")
    fields: dict[str, Any] = {"question": question, "options": options, "domain": domain, "tau": tau, "route": route}
    try:
        asked = AnswerRequest.model_validate(fields)
    except ValidationError as error:
        raise validation_error([dict(item) for item in error.errors()]) from None
    reply = answer(asked, settings=load_settings(config), url=url, key=key)
    if as_json:
        print_json(reply)
    else:
        show(reply, asked, console)


@cli.command("demo-cloud")
def demo_cloud(
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 9100,
    bank: Annotated[
        list[Path] | None, typer.Option(help="JSONL questions; may be given more than once. Default: the shipped bank.")
    ] = None,
    accuracy: Annotated[float, typer.Option(min=0, max=1, help="Share of the bank's questions that are answered correctly.")] = 1.0,
    unknown: Annotated[
        Literal["none", "random"],
        typer.Option(help="Reply to a question outside the bank: none says that it is unknown; random names any offered letter."),
    ] = "none",
    recorded: Annotated[str | None, typer.Option(help="Replay this model's recorded answers instead.")] = None,
    latency_ms: Annotated[float, typer.Option(min=0, max=3_600_000, help="Median wait before a reply.")] = 0.0,
    latency_sigma: Annotated[float, typer.Option(min=0, max=10, help="Spread of the log-normal wait; 0 is constant.")] = 0.0,
    fault: Annotated[
        list[str] | None, typer.Option(help="NAME:RATE of 429, 500, hang, cut, bad-json, prose; may be given more than once.")
    ] = None,
    retry_after_s: Annotated[int, typer.Option(min=0, help="What a 429 says.")] = 1,
    seed: Annotated[int, typer.Option(help="Decides which answers are wrong, and when faults happen.")] = 0,
) -> None:
    """Run the mock cloud. It is a real OpenAI-compatible server that answers from a question bank."""
    interrupts.install(terminated=0)
    from app.cli.serve import run_demo

    run_demo(
        console,
        host=host,
        port=port,
        banks=bank or [],
        accuracy=accuracy,
        guess=unknown == "random",
        recorded=recorded,
        latency_ms=latency_ms,
        latency_sigma=latency_sigma,
        faults=fault or [],
        retry_after_s=retry_after_s,
        seed=seed,
    )


@cli.command()
def export(
    out: Annotated[Path, typer.Option(help="A folder that does not exist yet.")],
    config: ConfigFile = None,
) -> None:
    """Write the edge model for transformers. An adapter is merged; the tokenizer and a script of ten lines come with it."""
    from app.cli.bars import loading, working
    from app.config.loading import load_settings
    from app.edge.build import load_edge_model
    from app.edge.export import export_model

    settings = load_settings(config)
    with working(f"{loading(settings)} and writing it", at_once=True):
        export_model(out, lambda: load_edge_model(settings, device="cpu"))
    console.print(f"wrote {out}; try: python {out / 'quick_demo.py'}")


cli.command()(calibrate)
cli.command()(label)
cli.command()(evolve)
cli.command()(adapter)


config_cli.command("show")(config_show)


@config_cli.command("check")
def config_check(
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option(help="As for serve.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="As for serve.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="As for serve.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the effective configuration, secrets masked, and try what a start needs; exit 2 with what serve would refuse."""
    import yaml

    from app.cli.check import examine
    from app.cli.given import Given
    from app.config.loading import masked
    from app.telemetry.logs import configure_logging

    configure_logging("error")
    settings = Given(config, host, port, insecure).read()
    shown = masked(settings)
    if as_json:
        print_json(shown)
    else:
        sys.stdout.write(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True))
    sys.stdout.flush()
    findings = examine(settings)
    for note in findings.notes:
        sys.stderr.write(f"foggate: note: {mask_text(note)}\n")
    if findings.problems:
        raise ConfigError("\n".join(findings.problems))


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: always ends with SystemExit; `app/cli/exit_codes.py` says what its code means.

    What is wrong is said in one sentence on standard error.

    Args:
        arguments: what stands behind `foggate` on the command line; None takes those of this process.
    """
    # Before anything reads them: torch and its neighbours look at the environment when they are imported.
    drop_blank(os.environ)
    for stream in (sys.stdout, sys.stderr):
        # A terminal or a pipe that cannot show a character gets its escape.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = FAILED
    try:
        code = _code_of(arguments)
    finally:
        # Whatever else went wrong on the way out was of no interest any more.
        if (ended_by := interrupts.ending()) is not None:
            interrupts.finish(ended_by)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has gone, as `head` does. The interpreter would complain when it flushes once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = code or FAILED
    sys.exit(code)


def _code_of(arguments: Sequence[str] | None) -> int:
    """Run a command, and say in one sentence what went wrong."""
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
        # What a signal broke off is no bug.
        if interrupts.ending() is not None:
            return FAILED
        if not logging.getLogger().handlers:
            raise
        # One record in the form of all others, not a traceback of many lines among them.
        logging.getLogger("foggate").exception("a bug: the command ended with an unexpected error")
    return FAILED

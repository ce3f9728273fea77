"""The command line. Each command imports what it needs when it runs, so that `--help` is fast and torch-free.

`python -m app`; the console script `foggate` begins in `app/entry.py`.
"""

from app.begin import begin

if __name__ == "__main__":
    # Before the imports below, which take a while and must not be taken from the current folder.
    begin()

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from app import __version__, interrupts
from app.cli.eval_commands import calibrate, eval_cli
from app.cli.keys_commands import keys_cli
from app.cli.options import AsJson, ConfigFile, print_json
from app.cli.train_commands import adapter, bench_cli, evolve, label
from app.configuration import CALLER_KEY
from app.errors import ConfigError, FogGateError

cli = typer.Typer(
    name="foggate", help="A self-aware edge-cloud gateway for multiple-choice questions.", no_args_is_help=True, add_completion=False
)
config_cli = typer.Typer(help="Look at the configuration.", no_args_is_help=True)
cli.add_typer(config_cli, name="config")
cli.add_typer(eval_cli, name="eval")
cli.add_typer(bench_cli, name="bench")
cli.add_typer(keys_cli, name="keys")
console = Console(highlight=False)


def _version(wanted: bool) -> None:
    if wanted:
        console.print(f"foggate {__version__}")
        raise typer.Exit


@cli.callback()
def root(
    _version_flag: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """A self-aware edge-cloud gateway for multiple-choice questions."""


@cli.command()
def serve(
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option(help="Overrides server.host.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Overrides server.port; 0 takes a free one.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Start the stand-in cloud beside it, unless cloud.base_url is set.")] = False,
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
        config=config or (Path(found["config"]) if "config" in found else None),
        host=host or found.get("host"),
        port=int(found["port"]) if port is None and found.get("port", "").isdecimal() else port,
    )
    server = given.read().server
    console.print(probe(server.host, server.port, path="/health/live" if live else "/health/ready"))


@cli.command()
def ask(
    question: str,
    options: Annotated[list[str], typer.Argument(help="2 to 26 options, in order.")],
    config: ConfigFile = None,
    url: Annotated[str | None, typer.Option(help="Ask a running gateway instead of loading the model here.")] = None,
    key: Annotated[str | None, typer.Option(envvar=CALLER_KEY, help="API key for --url.")] = None,
    domain: Annotated[str | None, typer.Option()] = None,
    tau: Annotated[float | None, typer.Option(min=0, max=1)] = None,
    route: Annotated[str, typer.Option(help="auto, edge or cloud")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Ask one question and see what the edge model thinks."""
    from pydantic import ValidationError

    from app.api.errors import validation_error
    from app.api.schemas import AnswerRequest
    from app.cli.ask import ask as answer
    from app.cli.ask import show
    from app.configuration import load_settings
    from app.logs import configure_logging

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
    host: Annotated[str, typer.Option()] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 9100,
    bank: Annotated[
        list[Path] | None, typer.Option(help="JSONL questions; may be given more than once. Default: the shipped bank.")
    ] = None,
    accuracy: Annotated[float, typer.Option(min=0, max=1, help="Share of the bank's questions answered rightly.")] = 0.739,
    recorded: Annotated[str | None, typer.Option(help="Replay this model's recorded answers instead.")] = None,
    latency_ms: Annotated[float, typer.Option(min=0, help="Median wait before a reply.")] = 0.0,
    latency_sigma: Annotated[float, typer.Option(min=0, help="Spread of the log-normal wait; 0 is constant.")] = 0.0,
    fault: Annotated[
        list[str] | None, typer.Option(help="NAME:RATE of 429, 500, hang, cut, bad-json, prose; may be given more than once.")
    ] = None,
    retry_after_s: Annotated[int, typer.Option(min=0, help="What a 429 says.")] = 1,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Run the stand-in cloud: a real OpenAI-compatible server that answers from a question bank."""
    interrupts.install(terminated=0)
    from app.cli.serve import run_demo

    run_demo(
        console,
        host=host,
        port=port,
        banks=bank or [],
        accuracy=accuracy,
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
    """Write the edge model (adapter merged), its tokenizer and a ten-line script that plain transformers runs."""
    from app.build import load_edge_model
    from app.cli.bars import loading, working
    from app.configuration import load_settings
    from app.edge.export import export_model

    settings = load_settings(config)
    with working(f"{loading(settings)} and writing it", at_once=True):
        export_model(out, lambda: load_edge_model(settings, device="cpu"))
    console.print(f"wrote {out}; try: python {out / 'quick_demo.py'}")


cli.command()(calibrate)
cli.command()(label)
cli.command()(evolve)
cli.command()(adapter)


@config_cli.command("check")
def config_check(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Print the effective configuration, secrets masked; exit 2 with a sentence if something is wrong."""
    import yaml

    from app.configuration import effective, load_settings

    shown = effective(load_settings(config))
    if as_json:
        print_json(shown)
    else:
        sys.stdout.write(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True))


def main() -> None:
    """Entry point. What is wrong is said in one sentence on standard error: exit code 2 for configuration, 1 for the rest."""
    try:
        cli()
    except FogGateError as error:
        if interrupts.ending() is None:
            sys.stderr.write(f"foggate: {error.message}\n")
            sys.exit(2 if isinstance(error, ConfigError) else 1)
    except KeyboardInterrupt:
        sys.exit(interrupts.INTERRUPTED)
    finally:
        # Whatever else went wrong on the way out was of no interest any more.
        if (code := interrupts.ending()) is not None:
            interrupts.finish(code)


if __name__ == "__main__":
    main()

"""`foggate demo-cloud`: runs the mock cloud until a signal ends it."""

import asyncio
import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from app.cli.output import stdout_console
from app.core import interrupts
from app.core.errors import ConfigError


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
    # SIGTERM is its ordinary end; the imports below take a second.
    interrupts.install(terminated=0)
    import uvicorn

    from app.api.listener import listen_on, url_of
    from app.config.host_names import host_name
    from app.demo.bank import SHIPPED_BANK, Bank, load_rows
    from app.demo.server import create_demo, parse_faults
    from app.telemetry.logs import configure_logging

    configure_logging("warning")
    questions = Bank(load_rows(bank or [SHIPPED_BANK]), accuracy=accuracy, recorded=recorded, seed=seed, guess=unknown == "random")
    app = create_demo(
        questions,
        faults=parse_faults(fault or []),
        latency_ms=latency_ms,
        latency_sigma=latency_sigma,
        retry_after_s=retry_after_s,
        seed=seed,
    )
    try:
        listeners = listen_on(host_name(host), port)
    except ValueError as error:
        raise ConfigError(f"--host: {error}") from None
    what = f"replaying {recorded}" if recorded else f"accuracy {accuracy:g}"
    stdout_console().print(
        f"mock cloud at {url_of(listeners[0])}/v1 ({len(questions)} questions, {what}), pid {os.getpid()}",
        highlight=False,
    )
    server = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    asyncio.run(uvicorn.Server(server).serve(sockets=listeners))

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
    host: Annotated[str, typer.Option(metavar="HOST", help="Address or host name to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="Port to listen on; 0 takes a free port.")] = 9100,
    bank: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="JSONL file of questions; may be repeated.", show_default="the shipped bank")
    ] = None,
    accuracy: Annotated[
        float, typer.Option(min=0, max=1, metavar="X", help="Share of the bank's questions that are answered correctly.")
    ] = 1.0,
    domain_accuracy: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:X", help="The same share for the questions of one domain, such as law:0.707; may be repeated."),
    ] = None,
    unknown: Annotated[
        Literal["none", "random"],
        typer.Option(
            help="Reply to a question outside the bank: none says that the question is unknown, random names one of the offered letters."
        ),
    ] = "none",
    recorded: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of a model whose recorded answers in the bank are replayed.")
    ] = None,
    latency_ms: Annotated[
        float, typer.Option(min=0, max=3_600_000, metavar="MS", help="Median latency of a reply, in milliseconds.")
    ] = 0.0,
    latency_sigma: Annotated[
        float, typer.Option(min=0, max=10, metavar="X", help="Spread (sigma) of the log-normal latency; 0 makes it constant.")
    ] = 0.0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME:RATE",
            help="Fault with its rate from 0 to 1, such as hang:0.1; the faults are 429, 500, hang, cut, bad-json and prose; may be repeated.",
        ),
    ] = None,
    retry_after_s: Annotated[int, typer.Option(min=0, metavar="SECONDS", help="Value of the header Retry-After of a 429, in seconds.")] = 1,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed that decides which answers are wrong and when faults happen.")] = 0,
) -> None:
    """Run the mock cloud. It is a real OpenAI-compatible server that answers from a bank of questions."""
    # SIGTERM ends a server without an error, from the first moment on: the imports below take a second.
    interrupts.install(terminated=0)
    import uvicorn

    from app.api.listener import listen_on, url_of
    from app.config.host_names import host_name
    from app.demo.bank import SHIPPED_BANK, Bank, load_rows
    from app.demo.server import create_demo, parse_faults
    from app.telemetry.logs import configure_logging

    configure_logging("warning")
    questions = Bank(
        load_rows(bank or [SHIPPED_BANK]),
        accuracy=accuracy,
        domain_accuracy=_shares(domain_accuracy or []),
        recorded=recorded,
        seed=seed,
        guess=unknown == "random",
    )
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
    of_domains = "".join(f", {one}" for one in domain_accuracy or [])
    what = f"replaying {recorded}" if recorded else f"accuracy {accuracy:g}{of_domains}"
    stdout_console().print(
        f"mock cloud at {url_of(listeners[0])}/v1 ({len(questions)} questions, {what}), pid {os.getpid()}",
        highlight=False,
    )
    server = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    asyncio.run(uvicorn.Server(server).serve(sockets=listeners))


def _shares(given: list[str]) -> dict[str, float]:
    """`["law:0.707"]` → shares by name of the domain. Raises ConfigError."""
    found: dict[str, float] = {}
    for item in given:
        name, _, share = item.rpartition(":")
        try:
            found[name] = float(share)
        except ValueError:
            found[name] = -1.0
        if not name or not 0 <= found[name] <= 1:
            raise ConfigError(f"--domain-accuracy '{item}' must be NAME:X with a share from 0 to 1")
    return found

"""`foggate serve`: runs the gateway until a signal ends it."""

import asyncio
import os
import signal
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from app.cli.banner import say_ready
from app.cli.options import ConfigFile, Host, Insecure, Port
from app.cli.output import stdout_console
from app.core import interrupts

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.cli.given import Given
    from app.config.settings import Settings


def serve(
    config: ConfigFile = None,
    host: Host = None,
    port: Port = None,
    demo: Annotated[bool, typer.Option("--demo", help="Start the mock cloud in the same process, unless cloud.base_url is set.")] = False,
    insecure: Insecure = False,
) -> None:
    """Run the gateway."""
    # SIGTERM ends a server without an error, from the first moment on: the imports below take a second.
    interrupts.install(terminated=0)
    from app.edge.lean import collector_paused

    with collector_paused():
        import structlog

        from app.api.listener import listen_on, url_of
        from app.api.server import serve as run
        from app.api.terminal import Terminal
        from app.cli.given import Given
        from app.cli.mock_cloud import mock_cloud, with_cloud
        from app.config.bind_safety import check_bind_safety
        from app.config.masking import secrets_in
        from app.config.variables import unknown_variables
        from app.telemetry.logs import configure_logging

    given, console = Given(config, host, port, insecure), stdout_console()
    terminal = Terminal()
    interrupts.hold(signal.SIGHUP)
    # Progress bars of downloads do not belong into a log. The hub's library reads this variable when it is imported.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    settings = given.read()
    configure_logging(settings.log.level, settings.log.format, secrets_in(settings))
    for name in unknown_variables(os.environ):
        structlog.get_logger("foggate").warning("this environment variable is no setting of the gateway", variable=name)
    check_bind_safety(settings)
    listeners = listen_on(settings.server.host, settings.server.port)
    url = url_of(listeners[0])
    ready = False

    def banner(edge_model: str) -> None:
        nonlocal ready
        ready = True
        say_ready(console, settings, edge_model, url)

    with mock_cloud() if demo and settings.cloud.base_url is None else nullcontext() as base_url:
        if base_url is not None:
            settings = with_cloud(settings, base_url)
        console.print(f"Loading the edge model {escape(settings.edge.model)} … (Ctrl-C ends)")
        code = asyncio.run(run(settings, *listeners, on_ready=banner, read_settings=reader_of(given, base_url), terminal=terminal))
    if code or not ready:
        # A thread may still be loading the model.
        interrupts.finish(code)


def reader_of(given: "Given", base_url: str | None) -> "Callable[[], Settings]":
    """The function that reads the configuration again for a reload: it refuses an empty file.

    Args:
        given: options of the command line.
        base_url: address of the mock cloud, which stays the cloud where no other one is configured; None without it.
    """
    from app.cli.mock_cloud import with_cloud

    def read() -> "Settings":
        fresh = given.read(refuse_empty=True)
        return fresh if base_url is None else with_cloud(fresh, base_url)

    return read

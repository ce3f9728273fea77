"""`foggate serve` and `foggate demo-cloud`: run a server until a signal ends it."""

import asyncio
import json
import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import structlog
import uvicorn
from rich.console import Console
from rich.markup import escape

from app.api.listener import listen_on, url_of
from app.api.server import serve
from app.api.terminal import Terminal
from app.cli.given import Given
from app.config.bind_safety import check_bind_safety
from app.config.host_names import host_name
from app.config.loading import unknown_variables
from app.config.masking import secrets_in
from app.config.settings import CloudSettings, Settings
from app.core import interrupts
from app.core.errors import ConfigError
from app.demo.bank import SHIPPED_BANK, Bank, load_rows
from app.demo.replies import MODEL
from app.demo.server import create_demo, parse_faults
from app.telemetry.logs import configure_logging

_MOCK_CLOUD, _MOCK_CLOUD_ENDS_S = "foggate-mock-cloud", 0.5

log = structlog.get_logger("foggate")

# Two questions of the shipped bank: by default the builtin model keeps the first and escalates the second.
EDGE_EXAMPLE = {
    "question": "Which fraction equals 0.75?",
    "options": ["2/3", "7/10", "4/5", "3/4"],
}
CLOUD_EXAMPLE = {
    "question": "A train covers 150 km in 2 hours. What is its average speed?",
    "options": ["75 km/h", "300 km/h", "70 km/h", "50 km/h"],
}


def run_gateway(given: Given, console: Console, *, demo: bool) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises ConfigError; SystemExit unless the end was an ordinary one."""
    terminal = Terminal()
    interrupts.hold(signal.SIGHUP)
    # Bars of downloads are no lines of a log; the hub's library reads this when it is imported.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    settings = given.read()
    configure_logging(settings.log.level, settings.log.format, secrets_in(settings))
    for name in unknown_variables(os.environ):
        log.warning("this environment variable is no setting of the gateway", variable=name)
    check_bind_safety(settings)
    listeners = listen_on(settings.server.host, settings.server.port)
    url = url_of(listeners[0])
    ready = False

    def banner(edge_model: str) -> None:
        nonlocal ready
        ready = True
        say_ready(console, settings, edge_model, url)

    with mock_cloud() if demo and settings.cloud.base_url is None else nullcontext() as base_url:

        def read() -> Settings:
            fresh = given.read()
            return fresh if base_url is None else with_cloud(fresh, base_url)

        if base_url is not None:
            settings = with_cloud(settings, base_url)
        console.print(f"Loading the edge model {escape(settings.edge.model)} … (Ctrl-C ends)")
        code = asyncio.run(serve(settings, *listeners, on_ready=banner, read_settings=read, terminal=terminal))
    if code or not ready:
        # A thread may still be loading the model.
        interrupts.finish(code)


def with_cloud(settings: Settings, base_url: str) -> Settings:
    """The settings with the mock cloud, where no other one is configured."""
    if settings.cloud.base_url is not None:
        return settings
    cloud = CloudSettings.model_validate({**settings.cloud.model_dump(), "base_url": base_url, "model": MODEL})
    return settings.model_copy(update={"cloud": cloud})


def say_ready(console: Console, settings: Settings, edge_model: str, url: str) -> None:
    """Print where the gateway is, what stands behind it, and two questions to try."""
    cloud = settings.cloud.model if settings.cloud.base_url else "none (every answer comes from the edge)"
    console.print(f"\n[bold]FogGate is ready at {url}[/]\n  edge   {escape(edge_model)}\n  cloud  {escape(cloud)}")
    console.print("\nTwo questions to try; the builtin model answers the first itself and is not sure of the second:")
    for example in (EDGE_EXAMPLE, CLOUD_EXAMPLE):
        body = json.dumps(example)
        console.print(
            f"\n  curl -s {url}/v1/answer -H 'content-type: application/json' -d '{body}'",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )
    console.print()


@contextmanager
def mock_cloud() -> Iterator[str]:
    """The mock cloud in a thread of this process, so that it ends with it, however that ends. Yields its base URL."""
    (listener,) = listen_on("127.0.0.1", 0)
    app = create_demo(Bank(load_rows([SHIPPED_BANK])))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), name=_MOCK_CLOUD, daemon=True)
    # Two servers that start and end in one log would be taken for one that does it twice.
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.threadName != _MOCK_CLOUD or record.levelno >= logging.WARNING)
    thread.start()
    try:
        yield f"{url_of(listener)}/v1"
    finally:
        server.should_exit = True
        thread.join(_MOCK_CLOUD_ENDS_S)


def run_demo(
    console: Console,
    *,
    host: str,
    port: int,
    banks: list[Path],
    accuracy: float,
    guess: bool,
    recorded: str | None,
    latency_ms: float,
    latency_sigma: float,
    faults: list[str],
    retry_after_s: int,
    seed: int,
) -> None:
    """Serve the mock cloud until a signal ends it. Raises ConfigError."""
    configure_logging("warning")
    bank = Bank(load_rows(banks or [SHIPPED_BANK]), accuracy=accuracy, recorded=recorded, seed=seed, guess=guess)
    rates = parse_faults(faults)
    app = create_demo(bank, faults=rates, latency_ms=latency_ms, latency_sigma=latency_sigma, retry_after_s=retry_after_s, seed=seed)
    try:
        listeners = listen_on(host_name(host), port)
    except ValueError as error:
        raise ConfigError(f"--host: {error}") from None
    what = f"replaying {recorded}" if recorded else f"accuracy {accuracy:g}"
    console.print(
        f"mock cloud at {url_of(listeners[0])}/v1 ({len(bank)} questions, {what}), pid {os.getpid()}",
        highlight=False,
    )
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    asyncio.run(uvicorn.Server(config).serve(sockets=listeners))

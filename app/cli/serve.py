"""`foggate serve` and `foggate demo-cloud`: run a server until a signal ends it."""

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import structlog
import uvicorn
from rich.console import Console
from rich.markup import escape

from app.cloud.bank import SHIPPED_BANK, Bank, load_rows
from app.cloud.demo import MODEL, create_demo, parse_faults
from app.configuration import unknown_variables
from app.errors import ConfigError
from app.exposure import check_exposure
from app.logs import configure_logging
from app.masking import secrets_in
from app.server import listen, serve
from app.settings import CloudSettings, Settings

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


def run_gateway(settings: Settings, console: Console, *, demo: bool) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises ConfigError."""
    # Bars of downloads are no lines of a log; the hub's library reads this when it is imported.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    configure_logging(settings.log.level, settings.log.format, secrets_in(settings))
    for name in unknown_variables(os.environ):
        log.warning("this environment variable is no setting of the gateway", variable=name)
    check_exposure(settings)
    listener = listen(settings.server.host, settings.server.port)
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    ready = False

    def banner(edge_model: str) -> None:
        nonlocal ready
        ready = True
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

    with leaving_loads_behind(lambda: ready), _demo_process() if demo and settings.cloud.base_url is None else nullcontext() as base_url:
        if base_url is not None:
            cloud = CloudSettings.model_validate({**settings.cloud.model_dump(), "base_url": base_url, "model": MODEL})
            settings = settings.model_copy(update={"cloud": cloud})
        asyncio.run(serve(settings, listener, on_ready=banner))


@contextmanager
def leaving_loads_behind(ready: Callable[[], bool]) -> Iterator[None]:
    """End the process itself when a signal ended the gateway while a thread still loads its model.

    The interpreter's own end would wait for libraries in the middle of their work, or crash under them. The exit code is 0, or 130
    after Ctrl-C, as it is for a gateway that was ready.

    Args:
        ready: whether the model was loaded and has answered its warm-up batch.
    """
    code = 0
    try:
        yield
    except KeyboardInterrupt:
        if ready():
            raise
        code = 130
    if not ready():
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@contextmanager
def _demo_process() -> Iterator[str]:
    """The mock cloud as a process of its own, as the real one would be. Yields its base URL."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    # A process group of its own: Ctrl-C must reach the gateway first, which may still be asking the mock cloud.
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "demo-cloud", "--port", str(port)], start_new_session=True, stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None:
                raise ConfigError("the mock cloud did not start")
            time.sleep(0.1)
        else:
            raise ConfigError("the mock cloud did not start in time")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait()


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
    listener = listen(host, port)
    what = f"replaying {recorded}" if recorded else f"accuracy {accuracy:g}"
    console.print(
        f"mock cloud at http://{host}:{listener.getsockname()[1]}/v1 ({len(bank)} questions, {what}), pid {os.getpid()}",
        highlight=False,
    )
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))

"""The mock cloud that `foggate serve --demo` starts in a thread of its own process."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from app.api.listener import listen_on, url_of
from app.config.settings import CloudSettings, Settings
from app.demo.bank import SHIPPED_BANK, Bank, load_rows
from app.demo.replies import MODEL
from app.demo.server import create_demo

_THREAD, _ENDS_S = "foggate-mock-cloud", 0.5


def with_cloud(settings: Settings, base_url: str) -> Settings:
    """Return the settings with the mock cloud, unless another cloud is configured."""
    if settings.cloud.base_url is not None:
        return settings
    cloud = CloudSettings.model_validate({**settings.cloud.model_dump(), "base_url": base_url, "model": MODEL})
    return settings.model_copy(update={"cloud": cloud})


@contextmanager
def mock_cloud() -> Iterator[str]:
    """Run the mock cloud in a thread of this process, so that it cannot outlive the process. Yields its base URL."""
    (listener,) = listen_on("127.0.0.1", 0)
    app = create_demo(Bank(load_rows([SHIPPED_BANK])))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), name=_THREAD, daemon=True)
    # The log must show the start and the end of the gateway's server only.
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.threadName != _THREAD or record.levelno >= logging.WARNING)
    thread.start()
    try:
        yield f"{url_of(listener)}/v1"
    finally:
        server.should_exit = True
        thread.join(_ENDS_S)

"""The gateway as a process: its listener, its signals, its end."""

import asyncio
import gc
import math
import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
import uvicorn

from app.api.connections import guarded_protocol
from app.build import load_engine
from app.errors import ConfigError
from app.main import EngineLoader, create_app
from app.settings import Settings

if TYPE_CHECKING:
    from app.api.state import GatewayState

log = structlog.get_logger("foggate")

# Longer than nginx's default of 60 s, so that it is never the gateway that closes a connection nginx is about to use.
KEEP_ALIVE_S = 75


def listen(host: str, port: int) -> socket.socket:
    """Bind before anything slow is done. Port 0 takes a free one.

    Raises:
        ConfigError: the address is taken, or not ours.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        made = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port} ({error.strerror or error})") from None
    # `create_server` leaves the protocol at 0, and asyncio sets TCP_NODELAY only on sockets that say they are TCP, as those do that a
    # TCP listener accepts. Without it a reply's body waits 40 ms for the acknowledgement of its head.
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=made.detach())


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it stops taking requests."""

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell, then close the listener and wait for what is in flight."""
        self._on_stop()
        await super().shutdown(sockets)


async def serve(
    settings: Settings, listener: socket.socket, *, on_ready: Callable[[str], None], loader: EngineLoader = load_engine
) -> None:
    """Run the gateway until a signal ends it.

    SIGTERM drains: ready turns 503 and every reply carries `Connection: close` for `server.drain_wait_s`, then the
    listener closes, what is in flight finishes, and the process ends. What a batch has not begun by then gets errors of
    its own. SIGINT (a person at a terminal) skips the wait, and so does a gateway whose model is still being loaded: the load
    is given up, though its thread may run on.

    Raises:
        ConfigError: the edge model cannot be used.
    """
    fatal: list[str] = []
    loop = asyncio.get_running_loop()

    def on_startup() -> None:
        # uvicorn has installed a handler of its own by now, which would close the listener at once.
        loop.add_signal_handler(signal.SIGTERM, drain)

    def on_fatal(sentence: str) -> None:
        fatal.append(sentence)
        server.should_exit = True

    def on_warm(model: str) -> None:
        # What is alive now stays for good. With the modules and the model in it, one full collection would hold everything for
        # 0.4 s, and a body with many values in it is enough to set one off.
        gc.freeze()
        on_ready(model)

    def drain() -> None:
        state.draining = True
        # While the model loads no load balancer sends anything here.
        wait_s = 0.0 if state.cascade is None else settings.server.drain_wait_s
        log.info("draining", wait_s=wait_s)
        loop.call_later(wait_s, setattr, server, "should_exit", True)

    def on_stop() -> None:
        state.draining = state.stopping = True

    app = create_app(settings, loader=loader, on_startup=on_startup, on_ready=on_warm, on_fatal=on_fatal)
    state: GatewayState = app.state.gateway
    limits = settings.limits
    config = uvicorn.Config(
        app,
        http=guarded_protocol(max_per_client=limits.max_connections_per_client, header_timeout_s=limits.header_timeout_s),
        h11_max_incomplete_event_size=limits.max_header_bytes,
        log_config=None,
        access_log=False,
        server_header=False,
        # uvicorn believes loopback's X-Forwarded-For by default; here only who is named.
        proxy_headers=bool(settings.security.trusted_proxies),
        forwarded_allow_ips=settings.security.trusted_proxies,
        timeout_keep_alive=KEEP_ALIVE_S,
        # The longest that an accepted request can take: its body, then its questions, of which a batch begins none any more.
        timeout_graceful_shutdown=math.ceil(limits.body_timeout_s + settings.deadline_ms / 1000) + 5,
    )
    server = _Server(config, on_stop)
    await server.serve(sockets=[listener])
    if fatal:
        raise ConfigError(fatal[0])

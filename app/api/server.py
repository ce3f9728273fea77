"""The gateway as a process: its signals, its reload, and how it ends."""

import asyncio
import contextlib
import gc
import math
import select
import signal
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import structlog
import uvicorn
from fastapi import FastAPI

from app.api.app import create_app
from app.api.connections import guarded_protocol
from app.api.listener import begin_no_connection, listen_on
from app.api.terminal import Terminal
from app.config.settings import Settings
from app.core import interrupts
from app.core.errors import ConfigError
from app.edge.build import EdgeBuilder, build_edge

if TYPE_CHECKING:
    from app.api.reload import Reloader
    from app.gateway.state import GatewayState

log = structlog.get_logger("foggate")

# Longer than nginx's default of 60 s, so that it is never the gateway that closes a connection nginx is about to use.
KEEP_ALIVE_S = 75
# After Ctrl-C what is in flight gets this long; the process itself ends soon after that.
_INTERRUPTED_GRACE_S = 0.5
# Each round takes all connections that wait; a flood of new ones must not keep the gateway from ending.
_MOST_ROUNDS = 20
# A few round trips in a data centre.
_HANDSHAKE_S = 0.005
# A terminal that is closed sends SIGHUP a moment before it is gone.
_TERMINAL_GOES_S = 0.3


def listen(host: str, port: int) -> socket.socket:
    """The first socket of `listen_on`. Raises ConfigError."""
    first, *others = listen_on(host, port)
    for other in others:
        other.close()
    return first


class _Server(uvicorn.Server):
    """uvicorn's server; it tells the gateway when it stops accepting requests, and leaves signals to `serve`."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._state: GatewayState = app.state.gateway
        self._reloader: Reloader = app.state.reloader

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are handled by `serve`."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the gateway know, then close the listener and wait for what is in flight."""
        self._state.draining = self._state.stopping = True
        settings = self._reloader.settings
        # The longest that an accepted request can take: its body, then its questions; a batch begins none any more.
        self.config.timeout_graceful_shutdown = math.ceil(settings.limits.body_timeout_s + settings.deadline_ms / 1000) + 5
        await _accepted(sockets or [])
        await super().shutdown(sockets)


async def _accepted(listeners: list[socket.socket]) -> None:
    """Wait until the connections that the kernel has accepted are ours: it resets those that still wait at a listener that is closed.

    Where the kernel allows it, no connection begins from here on, so that none comes between the last one taken and the close.
    """
    closing = [begin_no_connection(listener) for listener in listeners]
    if any(closing):
        # Connections that have begun need one more packet of the caller.
        await asyncio.sleep(_HANDSHAKE_S)
    for _ in range(_MOST_ROUNDS):
        if not select.select(listeners, [], [], 0)[0]:
            break
        await asyncio.sleep(0)
    # The one taken last becomes a connection in the next turn of the loop.
    await asyncio.sleep(0)


class _Signals:
    """What signals do to a server that runs.

    Args:
        server: the server that signals end.
        app: the application that it serves.
        terminal: the terminal that this process was started from.
        read_settings: reads the configuration again; None where that is not possible.

    Attributes:
        code: the exit code of the process.
    """

    def __init__(self, server: uvicorn.Server, app: FastAPI, terminal: Terminal, read_settings: Callable[[], Settings] | None) -> None:
        self.code = 0
        self._server = server
        self._state: GatewayState = app.state.gateway
        self._reloader: Reloader = app.state.reloader
        self._terminal = terminal
        self._read_settings = read_settings
        self._loop = asyncio.get_running_loop()

    def drain(self) -> None:
        """SIGTERM: new work is still accepted for a while, then the server ends."""
        if self._state.draining:
            return
        self._state.draining = True
        # While the model loads no load balancer sends anything here.
        wait_s = 0.0 if self._state.cascade is None else self._reloader.settings.server.drain_wait_s
        log.info("draining", wait_s=wait_s)
        self._loop.call_later(wait_s, setattr, self._server, "should_exit", True)

    def interrupt(self) -> None:
        """SIGINT: a person waits for the end."""
        self._end_soon(interrupts.INTERRUPTED)

    def hang_up(self) -> None:
        """SIGHUP: reload, or end where the terminal was closed."""
        if self._terminal.may_go():
            self._loop.call_later(_TERMINAL_GOES_S, self._hung_up_or_reload)
        else:
            self._hung_up_or_reload()

    def _hung_up_or_reload(self) -> None:
        if self._terminal.is_gone():
            interrupts.force_after(interrupts.FORCE_AFTER_S, interrupts.HUNG_UP)
            self._end_soon(interrupts.HUNG_UP)
        elif self._read_settings is not None and not self._state.draining:
            self._reloader.request(self._read_settings)

    def _end_soon(self, code: int) -> None:
        self.code = code
        self._state.draining = self._state.stopping = self._server.should_exit = True
        self._loop.call_later(_INTERRUPTED_GRACE_S, setattr, self._server, "force_exit", True)


async def serve(
    settings: Settings,
    *listeners: socket.socket,
    on_ready: Callable[[str], None],
    edge: EdgeBuilder = build_edge,
    read_settings: Callable[[], Settings] | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Run the gateway until a signal ends it.

    SIGTERM drains: ready turns 503 and every reply carries `Connection: close` for `server.drain_wait_s`, then the
    listener closes, what is in flight finishes, and the process ends. Questions of a batch that have not begun by then get
    errors. SIGINT (a person at a terminal) skips the wait and gives what is in flight less than a second. A gateway whose model is
    still being loaded ends at once on either: the load is given up, though its thread may run on. SIGHUP reloads the configuration,
    or, where it means that the terminal was closed, ends the gateway as SIGINT does.

    Args:
        settings: what to serve.
        listeners: sockets that listen already.
        on_ready: called with the edge model's name when the warm-up batch has been answered.
        edge: makes the edge.
        read_settings: reads the configuration again; without it SIGHUP changes nothing.
        terminal: the terminal that this process was started from; by default it is looked up now.

    Returns the exit code: 0, 130 after SIGINT, 129 after the terminal was closed.

    Raises:
        ConfigError: the edge model cannot be used.
    """
    fatal: list[str] = []

    def on_fatal(sentence: str) -> None:
        fatal.append(sentence)
        server.should_exit = True

    def on_warm(model: str) -> None:
        # What is alive now stays alive. With the modules and the model in it, one full garbage collection would stop everything for
        # 0.4 s, and a body with many values in it is enough to set one off.
        gc.freeze()
        on_ready(model)

    app = create_app(settings, edge=edge, on_ready=on_warm, on_fatal=on_fatal)
    server = server_of(app, settings)
    signals = _Signals(server, app, terminal or Terminal(), read_settings)
    with interrupts.handled_by({signal.SIGTERM: signals.drain, signal.SIGINT: signals.interrupt, signal.SIGHUP: signals.hang_up}):
        await server.serve(sockets=list(listeners))
    if fatal:
        raise ConfigError(fatal[0])
    return signals.code


def server_of(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """The server of an application of `create_app`; it installs no signal handlers."""
    return _Server(_config(app, settings), app)


def _config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    limits = settings.limits
    return uvicorn.Config(
        app,
        http=guarded_protocol(max_per_client=limits.max_connections_per_client, header_timeout_s=limits.header_timeout_s),
        h11_max_incomplete_event_size=limits.max_header_bytes,
        log_config=None,
        access_log=False,
        server_header=False,
        # uvicorn trusts X-Forwarded-For from loopback by default; here only named proxies are trusted.
        proxy_headers=bool(settings.security.trusted_proxies),
        forwarded_allow_ips=settings.security.trusted_proxies,
        timeout_keep_alive=KEEP_ALIVE_S,
    )

"""Composition root of the gateway: builds, wires, warms up, drains, closes. `Settings` stops here."""

import asyncio
import contextlib
import gc
import math
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
import uvicorn
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from app import __version__
from app.api.auth import PROBES, QUIET, Authenticate, HostGuard
from app.api.connections import guarded_protocol
from app.api.errors import install_handlers
from app.api.middleware import BodyGuard, CancelOnDisconnect, RequestContext
from app.api.routes import answers_router, operations_router
from app.api.state import GatewayState, Limits
from app.build import build_batcher, build_budget, build_shared_cloud, load_engine
from app.calibration import Calibration
from app.cascade import Cascade, OnCloudFailure
from app.counts import Counts
from app.domain import Question
from app.edge.batcher import Batcher
from app.edge.runner import Engine
from app.errors import ConfigError, FogGateError
from app.exposure import allowed_hosts
from app.keys import KeyRing
from app.metrics import Metrics
from app.policies import build_policy, calibration_of, load_calibration
from app.prompt import PROMPT_VERSION
from app.settings import ServerSettings, Settings

log = structlog.get_logger("foggate")

EngineLoader = Callable[[Settings], Engine]
Loaded = TypeVar("Loaded")
# Longer than nginx's default of 60 s, so that it is never the gateway that closes a connection nginx is about to use.
KEEP_ALIVE_S = 75
WARM_UP = Question("Which of these is a number?", ("Seven", "Blue", "Quickly", "Table"))
WARM_UP_S = 60.0


@dataclass(frozen=True, slots=True)
class Opened:
    """A warmed-up cascade, the queue of its edge, and the calibration that routes, if one does."""

    cascade: Cascade
    batcher: Batcher
    calibration: Calibration | None


@contextlib.asynccontextmanager
async def open_cascade(
    settings: Settings,
    metrics: Metrics,
    loader: EngineLoader = load_engine,
    *,
    named: Calibration | None = None,
    counts: Counts | None = None,
) -> AsyncIterator[Opened]:
    """A cascade without HTTP; drains and closes behind itself.

    Args:
        settings: what to build.
        metrics: where the parts count.
        loader: makes the engine.
        named: the calibration that the settings name.
        counts: where the budget and the keys' cloud calls are counted; by default in this process.

    Raises:
        ConfigError: the edge model cannot be loaded, or the calibration is not for it.
    """

    def on_budget(spent: bool) -> None:
        at_most = settings.cloud.budget.lowered_tau if spent else None
        log.warning("the cloud budget is spent" if spent else "there is cloud budget again", tau_at_most=at_most)
        metrics.show_taus(policy.tau, policy.domains, at_most=at_most)

    counts = counts or Counts()
    budget = build_budget(settings, counts, on_change=on_budget)
    batcher = build_batcher(settings, await in_daemon_thread(loader, settings), metrics)
    cloud = build_shared_cloud(settings, metrics, budget, counts)
    warm = False
    try:
        calibration = calibration_of(settings, named, edge_model=batcher.model, fingerprint=batcher.fingerprint)
        await batcher.warm_up(WARM_UP, WARM_UP_S)
        warm = True
        on_failure = OnCloudFailure(settings.policy.on_cloud_failure)
        policy = build_policy(settings, calibration)
        yield Opened(Cascade(batcher, cloud, policy, on_failure, settings.deadline_ms / 1000, budget), batcher, calibration)
    finally:
        # Nobody's question is in a warm-up that was given up.
        await batcher.close(wait=warm)
        if cloud:
            await cloud.close()


async def in_daemon_thread(load: Callable[[Settings], Loaded], settings: Settings) -> Loaded:
    """The loader's result, from a thread that keeps neither the event loop nor the process from ending."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[Loaded] = loop.create_future()

    def hand_over(value: Loaded | None, error: BaseException | None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type]  # None is a value only where the loader returns None

    def run() -> None:
        value, error = None, None
        try:
            value = load(settings)
        except BaseException as raised:  # noqa: BLE001  # whatever it is belongs to the one who waits
            error = raised
        # The loop has ended: the load was given up.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(hand_over, value, error)

    threading.Thread(target=run, name="foggate-load", daemon=True).start()
    return await result


def create_app(
    settings: Settings,
    *,
    loader: EngineLoader = load_engine,
    on_startup: Callable[[], None] = lambda: None,
    on_ready: Callable[[str], None] = lambda _: None,
    on_fatal: Callable[[str], None] = lambda _: None,
) -> FastAPI:
    """The ASGI application. Loading happens behind the lifespan's back: `/health/live` answers at once.

    Args:
        settings: what to build.
        loader: makes the engine; tests pass their own.
        on_startup: called when the server starts, before anything is loaded.
        on_ready: called with the edge model's name when the warm-up batch has been answered.
        on_fatal: called with one sentence when the model cannot be loaded.
    """
    metrics = Metrics()
    given = settings.limits
    limits = Limits(given.max_body_bytes, given.max_text_chars, given.max_questions, given.batch_concurrency, given.body_timeout_s)
    # Read before anything slow is done: a wrong path is said at once.
    named = load_calibration(settings)
    ring = KeyRing(settings.security.keys) if settings.security.keys else None
    counts = Counts(settings.limits.store)
    cloud_model = settings.cloud.model if settings.cloud.base_url else None
    state = GatewayState(metrics, limits, cloud_model, settings.tracing)

    async def run(stop: asyncio.Event) -> None:
        try:
            async with open_cascade(settings, metrics, loader, named=named, counts=counts) as opened:
                cascade, batcher = opened.cascade, opened.batcher
                state.edge_model = batcher.model
                state.calibration = opened.calibration.summary() if opened.calibration else None
                _watch(state, batcher, settings.server)
                state.cascade = cascade
                metrics.build_info.labels(__version__, batcher.model, PROMPT_VERSION).set(1)
                metrics.show_taus(cascade.policy.tau, cascade.policy.domains)
                log.info(
                    "ready",
                    edge_model=batcher.model,
                    cloud_model=state.cloud_model,
                    tau=cascade.policy.tau,
                    signal=cascade.policy.signal.value,
                    calibrated=state.calibration is not None,
                )
                on_ready(batcher.model)
                await stop.wait()
        except FogGateError as error:
            state.alive = lambda: False
            log.error("the edge model cannot be used", reason=error.message)  # noqa: TRY400  # a sentence, not a traceback
            on_fatal(error.message)
        except Exception as error:
            state.alive = lambda: False
            log.exception("a bug: the gateway could not start")
            on_fatal(f"unexpected {type(error).__name__} at start-up; the log has the details")

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        on_startup()
        stop = asyncio.Event()
        running = asyncio.create_task(run(stop))
        try:
            yield
        finally:
            # By now the server has finished what was in flight.
            state.draining = state.stopping = True
            stop.set()
            await _ended(running, at_once=state.cascade is None)
            await counts.close()

    app = FastAPI(
        title="FogGate",
        version=__version__,
        summary="A self-aware edge-cloud gateway for multiple-choice questions.",
        lifespan=lifespan,
        telemetry=_telemetry(settings.tracing.enabled),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    app.state.gateway = state
    app.include_router(answers_router(state))
    app.include_router(operations_router(state))
    install_handlers(app, metrics)
    _guard(app, settings, state, counts, ring)
    return app


async def _ended(running: asyncio.Task[None], *, at_once: bool) -> None:
    """Wait for the gateway's end; a load (a download, say) can take longer than anybody waits for that, and is given up at once."""
    if at_once:
        running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def _watch(state: GatewayState, batcher: Batcher, server: ServerSettings) -> None:
    """Let the probes see the edge worker."""
    state.alive = lambda: (
        batcher.alive and batcher.batch_age_s() <= server.live_stall_s and batcher.failed_in_a_row < server.live_failed_batches
    )
    state.failing = lambda: batcher.failed_in_a_row >= server.ready_failed_batches
    state.stalled = lambda: batcher.stalled_s() > server.ready_stall_s


def _telemetry(enabled: bool) -> TelemetryConfig:
    """FastAPI's own request span and exporter, and nothing else of it; probes and scrapes are not worth a trace."""
    return {
        "tracing": enabled,
        "auto_configure": enabled,
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "exclude": lambda scope: scope.get("path") in QUIET,
    }


def _guard(app: FastAPI, settings: Settings, state: GatewayState, counts: Counts, ring: KeyRing | None) -> None:
    """What every request goes through before a route sees it; the last one added runs first."""
    app.add_middleware(CancelOnDisconnect)
    app.add_middleware(BodyGuard, max_body_bytes=state.limits.max_body_bytes, timeout_s=state.limits.body_timeout_s, metrics=state.metrics)
    public = QUIET if settings.security.public_metrics else PROBES
    app.add_middleware(Authenticate, ring=ring, counts=counts, metrics=state.metrics, public=public)
    app.add_middleware(HostGuard, allowed=allowed_hosts(settings))
    app.add_middleware(RequestContext, draining=lambda: state.draining, metrics=state.metrics)


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

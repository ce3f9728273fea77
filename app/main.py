"""Composition root of the gateway: builds, wires, warms up, drains, closes. `Settings` stops here."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import structlog
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from app import __version__
from app.api.auth import QUIET, Authenticate, HostGuard
from app.api.errors import install_handlers
from app.api.middleware import BodyGuard, CancelOnDisconnect, RequestContext
from app.api.routes import answers_router, operations_router
from app.api.state import GatewayState, Limits
from app.build import build_batcher, load_engine
from app.calibration import Calibration
from app.counts import Counts
from app.domain import Question
from app.edge.batcher import Batcher
from app.edge.runner import Engine
from app.errors import FogGateError
from app.metrics import Metrics
from app.policies import load_calibration
from app.prompt import PROMPT_VERSION
from app.reload import Reloader, access_of
from app.routing import Opened, build_routing
from app.settings import ServerSettings, Settings

log = structlog.get_logger("foggate")

EngineLoader = Callable[[Settings], Engine]
Loaded = TypeVar("Loaded")
WARM_UP = Question("Which of these is a number?", ("Seven", "Blue", "Quickly", "Table"))
WARM_UP_S = 60.0


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
    counts = counts or Counts()
    batcher = build_batcher(settings, await in_daemon_thread(loader, settings), metrics)
    opened: Opened | None = None
    warm = False
    try:
        routing = build_routing(settings, named, batcher, metrics, counts)
        opened = Opened(batcher, metrics, counts, routing)
        await batcher.warm_up(WARM_UP, WARM_UP_S)
        warm = True
        opened.exchange(routing)
        yield opened
    finally:
        # Nobody's question is in a warm-up that was given up.
        await batcher.close(wait=warm)
        if opened is not None:
            await opened.close()


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
    on_ready: Callable[[str], None] = lambda _: None,
    on_fatal: Callable[[str], None] = lambda _: None,
) -> FastAPI:
    """The ASGI application. Loading happens behind the lifespan's back: `/health/live` answers at once.

    Args:
        settings: what to build.
        loader: makes the engine; tests pass their own.
        on_ready: called with the edge model's name when the warm-up batch has been answered.
        on_fatal: called with one sentence when the model cannot be loaded.
    """
    metrics = Metrics()
    given = settings.limits
    limits = Limits(given.max_body_bytes, given.max_text_chars, given.max_questions, given.batch_concurrency, given.body_timeout_s)
    # Read before anything slow is done: a wrong path is said at once.
    named = load_calibration(settings)
    access = access_of(settings)
    counts = Counts(settings.limits.store)
    cloud_model = settings.cloud.model if settings.cloud.base_url else None
    state = GatewayState(metrics, limits, cloud_model, settings.tracing, access)
    reloader = Reloader(settings, state)

    async def run(stop: asyncio.Event) -> None:
        try:
            async with open_cascade(settings, metrics, loader, named=named, counts=counts) as opened:
                if state.draining:
                    return
                _open(state, opened, settings.server)
                on_ready(opened.batcher.model)
                reloader.is_open(opened)
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
        stop = asyncio.Event()
        running = asyncio.create_task(run(stop))
        try:
            yield
        finally:
            # By now the server has finished what was in flight.
            state.draining = state.stopping = True
            stop.set()
            reloader.close()
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
    app.state.reloader = reloader
    app.include_router(answers_router(state))
    app.include_router(operations_router(state))
    install_handlers(app, metrics)
    _guard(app, state, counts)
    return app


async def _ended(running: asyncio.Task[None], *, at_once: bool) -> None:
    """Wait for the gateway's end; a load (a download, say) can take longer than anybody waits for that, and is given up at once."""
    if at_once:
        running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def _open(state: GatewayState, opened: Opened, server: ServerSettings) -> None:
    """Let questions in."""
    cascade, batcher = opened.cascade, opened.batcher
    state.edge_model = batcher.model
    state.calibration = opened.calibration.summary() if opened.calibration else None
    _watch(state, batcher, server)
    state.cascade = cascade
    state.metrics.build_info.labels(__version__, batcher.model, PROMPT_VERSION).set(1)
    log.info(
        "the gateway answers questions",
        edge_model=batcher.model,
        cloud_model=state.cloud_model,
        tau=cascade.policy.tau,
        signal=cascade.policy.signal.value,
        calibrated=state.calibration is not None,
    )


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


def _guard(app: FastAPI, state: GatewayState, counts: Counts) -> None:
    """What every request goes through before a route sees it; the last one added runs first."""
    app.add_middleware(CancelOnDisconnect)
    app.add_middleware(BodyGuard, max_body_bytes=state.limits.max_body_bytes, timeout_s=state.limits.body_timeout_s, metrics=state.metrics)
    app.add_middleware(Authenticate, access=state.access, counts=counts, metrics=state.metrics)
    app.add_middleware(HostGuard, access=state.access)
    app.add_middleware(RequestContext, draining=lambda: state.draining, metrics=state.metrics)

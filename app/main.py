"""Composition root of the gateway: builds, wires, warms up, drains, closes. `Settings` stops here."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from app import __version__
from app.api.auth import METRICS, PROBES, QUIET
from app.api.documents import DOCS_PATHS, DocumentedApp, documents_router
from app.api.errors import install_handlers
from app.api.guard import guard
from app.api.routes import REPLIES, answers_router, operations_router
from app.api.state import GatewayState, Limits
from app.build import build_batcher, build_budget, build_cloud, build_shared_cloud, formats_found, load_engine
from app.calibration import Calibration
from app.cascade import Cascade, OnCloudFailure
from app.cloud.budget import Budget
from app.cloud.client import CloudClient
from app.counts import Counts
from app.domain import Question
from app.edge.batcher import Batcher
from app.edge.runner import Engine
from app.errors import FogGateError
from app.exposure import allowed_hosts
from app.keys import KeyRing
from app.metrics import Metrics
from app.policies import build_policy, calibration_of, in_force, load_calibration, routing_notes
from app.prompt import PROMPT_VERSION
from app.settings import ServerSettings, Settings
from app.tracing import check_tracing

log = structlog.get_logger("foggate")

EngineLoader = Callable[[Settings], Engine]
Loaded = TypeVar("Loaded")
WARM_UP = Question("Which of these is a number?", ("Seven", "Blue", "Quickly", "Table"))
WARM_UP_S = 60.0


@dataclass(frozen=True, slots=True)
class Opened:
    """A warmed-up cascade, the queue of its edge, the calibration that routes, if one does, and the cloud's side, if there is one."""

    cascade: Cascade
    batcher: Batcher
    calibration: Calibration | None
    client: CloudClient | None
    budget: Budget


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
    budget = build_budget(settings, counts, on_change=on_budget) or Budget((), counts)
    # Before the model is loaded: a proxy that cannot be used is said at once.
    client = build_cloud(settings, metrics)
    cloud = build_shared_cloud(settings, client, metrics, budget) if client else None
    try:
        batcher = build_batcher(settings, await in_daemon_thread(loader, settings), metrics)
    except BaseException:
        if cloud:
            await cloud.close()
        raise
    warm = False
    try:
        calibration = calibration_of(
            settings,
            named,
            edge_model=batcher.model,
            fingerprint=batcher.fingerprint,
            prompt_fingerprint=batcher.prompt_fingerprint,
        )
        for note in routing_notes(settings, calibration):
            log.warning(note)
        await batcher.warm_up(WARM_UP, WARM_UP_S)
        warm = True
        on_failure = OnCloudFailure(settings.policy.on_cloud_failure)
        policy = build_policy(settings, calibration)
        cascade = Cascade(batcher, cloud, policy, on_failure, settings.deadline_ms / 1000, budget)
        yield Opened(cascade, batcher, calibration, client, budget)
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
    # Read before anything slow is done: a wrong path is said at once.
    named = load_calibration(settings)
    ring = KeyRing(settings.security.keys) if settings.security.keys else None
    counts = Counts(settings.limits.store)
    cloud_model = settings.cloud.model if settings.cloud.base_url else None
    state = GatewayState(metrics, _limits(settings), cloud_model, settings.tracing)
    metrics.batch_queue_depth.set_function(lambda: len(state.turns))

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        on_startup()
        stop = asyncio.Event()
        opening = open_cascade(settings, metrics, loader, named=named, counts=counts)
        running = asyncio.create_task(_run(stop, state, opening, settings, on_ready=on_ready, on_fatal=on_fatal))
        try:
            yield
        finally:
            # By now the server has finished what was in flight.
            state.draining = state.stopping = True
            stop.set()
            await _ended(running, at_once=state.cascade is None)
            await counts.close()

    app = _application(settings, lifespan)
    app.state.gateway = state
    app.include_router(answers_router(state))
    app.include_router(operations_router(state))
    app.include_router(documents_router())
    install_handlers(app, metrics)
    guard(app, state, ring, counts, public=_public(settings), hosts=allowed_hosts(settings), origins=settings.server.cors_origins)
    return app


def _public(settings: Settings) -> set[str]:
    """Paths that need no key."""
    security = settings.security
    return {*PROBES, *([METRICS] if security.public_metrics else []), *(DOCS_PATHS if security.public_docs else [])}


def _limits(settings: Settings) -> Limits:
    given = settings.limits
    return Limits(
        given.max_body_bytes,
        given.max_text_chars,
        given.max_questions,
        given.batch_concurrency,
        settings.batch_deadline_ms,
        given.body_timeout_s,
    )


def _application(settings: Settings, lifespan: Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]) -> FastAPI:
    return DocumentedApp(
        with_keys=settings.security.keys is not None,
        public=_public(settings),
        replies=REPLIES,
        title="FogGate",
        version=__version__,
        summary="A self-aware edge-cloud gateway for multiple-choice questions.",
        lifespan=lifespan,
        # A path is one path: who asks for another one is told so, instead of being sent from one to the other.
        redirect_slashes=False,
        telemetry=_telemetry(settings.tracing.enabled),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )


async def _run(
    stop: asyncio.Event,
    state: GatewayState,
    opening: contextlib.AbstractAsyncContextManager[Opened],
    settings: Settings,
    *,
    on_ready: Callable[[str], None],
    on_fatal: Callable[[str], None],
) -> None:
    """Load, warm up and serve until told to stop; `on_fatal` gets a sentence where that cannot be."""
    try:
        async with opening as opened:
            cascade, batcher = opened.cascade, opened.batcher
            state.edge_model = batcher.model
            state.turns = batcher.turns
            _watch(state, opened, settings.server)
            state.cascade = cascade
            state.metrics.build_info.labels(__version__, batcher.model, PROMPT_VERSION).set(1)
            state.metrics.show_taus(cascade.policy.tau, cascade.policy.domains)
            log.info(
                "ready",
                edge_model=batcher.model,
                cloud_model=state.cloud_model,
                tau=cascade.policy.tau,
                signal=cascade.policy.signal.value,
                calibrated=state.calibration is not None,
            )
            on_ready(batcher.model)
            async with formats_found(settings.cloud, opened.client, opened.budget):
                await stop.wait()
    except FogGateError as error:
        state.alive = lambda: False
        log.error("the edge model cannot be used", reason=error.message)  # noqa: TRY400  # a sentence, not a traceback
        on_fatal(error.message)
    except Exception as error:
        state.alive = lambda: False
        log.exception("a bug: the gateway could not start")
        on_fatal(f"unexpected {type(error).__name__} at start-up; the log has the details")


async def _ended(running: asyncio.Task[None], *, at_once: bool) -> None:
    """Wait for the gateway's end; a load (a download, say) can take longer than anybody waits for that, and is given up at once."""
    if at_once:
        running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def _watch(state: GatewayState, opened: Opened, server: ServerSettings) -> None:
    """Let the probes see the edge worker, `/v1/models` and `/metrics` the cloud and the calibration."""
    batcher, budget, client = opened.batcher, opened.budget, opened.client
    if opened.calibration:
        state.calibration = opened.calibration.summary() | {"in_force": in_force(opened.calibration, opened.cascade.policy)}
    state.alive = lambda: (
        batcher.alive and batcher.batch_age_s() <= server.live_stall_s and batcher.failed_in_a_row < server.live_failed_batches
    )
    state.failing = lambda: batcher.failed_in_a_row >= server.ready_failed_batches
    state.stalled = lambda: batcher.stalled_s() > server.ready_stall_s

    async def show_budget() -> None:
        state.metrics.show_budget((left.kind, left.per, left.left, left.amount) for left in await budget.remaining())

    state.before_scrape = show_budget
    if client is not None:
        state.cloud_endpoints = lambda: [
            {"name": one.name, "model": one.model, "answer_format": one.form.in_use.value, "answer_format_from": one.form.how}
            for one in client.endpoints
        ]


def _telemetry(enabled: bool) -> TelemetryConfig:
    """FastAPI's own request span and exporter, and nothing else of it; probes and scrapes are not worth a trace. Raises ConfigError."""
    check_tracing(enabled)
    return {
        "tracing": enabled,
        "auto_configure": enabled,
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "exclude": lambda scope: scope.get("path") in QUIET,
    }

"""The ASGI application: builds, wires, warms up, drains, closes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import structlog
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from app import __version__
from app.access.quotas import Quotas
from app.api.auth import QUIET
from app.api.documents import DocumentedApp, documents_router
from app.api.errors import install_handlers
from app.api.guard import guard
from app.api.reload import Reloader, access_of
from app.api.routes import REPLIES, answers_router, operations_router
from app.config.settings import Settings
from app.core.edge import EdgeHealth
from app.core.errors import FogGateError
from app.core.prompt import PROMPT_VERSION
from app.edge.build import EdgeBuilder, build_edge
from app.gateway.build import load_calibration
from app.gateway.running import RunningCascade, open_cascade
from app.gateway.state import Access, GatewayState, Limits
from app.telemetry.metrics import Metrics
from app.telemetry.tracing import check_tracing

log = structlog.get_logger("foggate")


def create_app(
    settings: Settings,
    *,
    edge: EdgeBuilder = build_edge,
    on_ready: Callable[[str], None] = lambda _: None,
    on_fatal: Callable[[str], None] = lambda _: None,
) -> FastAPI:
    """The ASGI application. Loading happens behind the lifespan's back: `/health/live` answers at once.

    Args:
        settings: what to build.
        edge: makes the edge; tests pass their own.
        on_ready: called with the edge model's name when the warm-up batch has been answered.
        on_fatal: called with one sentence when the model cannot be loaded.
    """
    metrics = Metrics()
    # Read before anything slow is done: a wrong path is said at once.
    named = load_calibration(settings)
    access = access_of(settings)
    counts = Quotas(settings.limits.store)
    cloud_model = settings.cloud.model if settings.cloud.base_url else None
    state = GatewayState(metrics, _limits(settings), cloud_model, settings.tracing.question_text, access)
    reloader = Reloader(settings, state)
    metrics.batch_queue_depth.set_function(lambda: len(state.turns))

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        stop = asyncio.Event()
        opening = open_cascade(settings, metrics, edge, named=named, counts=counts)
        running = asyncio.create_task(_run(stop, state, opening, reloader, on_ready=on_ready, on_fatal=on_fatal))
        try:
            yield
        finally:
            # By now the server has finished what was in flight.
            state.draining = state.stopping = True
            stop.set()
            reloader.close()
            await _ended(running, at_once=state.cascade is None)
            await counts.close()

    app = _application(settings, access, lifespan)
    app.state.gateway = state
    app.state.reloader = reloader
    app.include_router(answers_router(state))
    app.include_router(operations_router(state))
    app.include_router(documents_router())
    install_handlers(app, metrics)
    guard(app, state, counts, origins=settings.server.cors_origins)
    return app


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


def _application(
    settings: Settings, access: Access, lifespan: Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]
) -> FastAPI:
    return DocumentedApp(
        access=access,
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
    opening: contextlib.AbstractAsyncContextManager[RunningCascade],
    reloader: Reloader,
    *,
    on_ready: Callable[[str], None],
    on_fatal: Callable[[str], None],
) -> None:
    """Load, warm up and serve until told to stop; `on_fatal` gets a sentence where that cannot be."""
    try:
        async with opening as opened:
            if state.draining:
                return
            _open(state, opened)
            on_ready(opened.edge.identity.model)
            reloader.is_open(opened)
            await stop.wait()
    except FogGateError as error:
        state.health = lambda: EdgeHealth.DEAD
        log.error("the edge model cannot be used", reason=error.message)  # noqa: TRY400  # a sentence, not a traceback
        on_fatal(error.message)
    except Exception as error:
        state.health = lambda: EdgeHealth.DEAD
        log.exception("a bug: the gateway could not start")
        on_fatal(f"unexpected {type(error).__name__} at start-up; the log has the details")


async def _ended(running: asyncio.Task[None], *, at_once: bool) -> None:
    """Wait for the gateway's end; a load (a download, say) can take longer than anybody waits for that, and is given up at once."""
    if at_once:
        running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def _open(state: GatewayState, opened: RunningCascade) -> None:
    """Let questions in."""
    cascade, edge = opened.cascade, opened.edge
    model = edge.identity.model
    state.edge_model = model
    state.turns = edge.turns
    state.health = edge.health
    state.calibration = opened.routing.describe_calibration()
    _watch_cloud(state, opened)
    state.cascade = cascade
    state.metrics.build_info.labels(__version__, model, PROMPT_VERSION).set(1)
    log.info(
        "the gateway answers questions",
        edge_model=model,
        cloud_model=state.cloud_model,
        tau=cascade.policy.tau,
        signal=cascade.policy.signal.value,
        calibrated=state.calibration is not None,
    )


def _watch_cloud(state: GatewayState, opened: RunningCascade) -> None:
    """Let `/v1/models` and `/metrics` see the cloud that is in force."""

    async def show_budget() -> None:
        state.metrics.show_budget((left.kind, left.per, left.left, left.amount) for left in await opened.budget.remaining())

    state.before_scrape = show_budget
    state.cloud_endpoints = lambda: [
        {"name": one.name, "model": one.model, "answer_format": one.form.in_use.value, "answer_format_from": one.form.how}
        for one in (opened.client.endpoints if opened.client else ())
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

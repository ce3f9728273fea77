"""The ASGI application: builds, wires, warms up, drains, closes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import structlog
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from app import __version__
from app.access.quotas import Quotas
from app.api.answers import answers_face
from app.api.auth import Access
from app.api.body_guard import BodyLimits
from app.api.decisions import decisions_face
from app.api.direct import Direct, handlers_of
from app.api.documents import DocumentedApp, documents_face
from app.api.errors import Refusals, install_handlers
from app.api.face import Endpoints, endpoints_of
from app.api.guard import guard
from app.api.mcp_face import McpFace
from app.api.models import models_face
from app.api.openai_chat import chat_face
from app.api.openai_responses import responses_face
from app.api.operations import operations_face
from app.api.pages import pages_face
from app.api.reload import Reloader, access_of
from app.config.settings import Settings
from app.core.edge import EdgeHealth
from app.core.errors import FogGateError
from app.core.prompt import PROMPT_VERSION
from app.edge.build import EdgeBuilder, build_edge
from app.gateway.build import build_gateway, load_calibration
from app.gateway.explanations import Explanations
from app.gateway.running import RunningCascade, open_cascade
from app.gateway.state import GatewayState
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
    """The ASGI application. The model is loaded beside the lifespan: `/health/live` answers at once.

    Args:
        settings: what to build.
        edge: makes the edge; tests pass another one.
        on_ready: called with the edge model's name when the warm-up batch has been answered.
        on_fatal: called with one sentence when the model cannot be loaded.
    """
    metrics = Metrics()
    # Read before anything slow is done: a wrong path is reported at once.
    named = load_calibration(settings)
    explanations = (Explanations(settings.mcp.remembered_decisions),) if settings.mcp.enabled else ()
    gateway = build_gateway(settings, metrics, *explanations)
    state = gateway.state
    quotas = Quotas(settings.limits.store)
    agents = [McpFace(gateway, remembered) for remembered in explanations]
    pages = (pages_face(state, quotas),) if settings.ui.enabled else ()
    faces = (
        answers_face(gateway),
        chat_face(gateway),
        responses_face(gateway),
        decisions_face(gateway, settings.decisions.prior),
        models_face(state),
        operations_face(state),
        documents_face(),
        *pages,
        *agents,
    )
    endpoints = endpoints_of(faces)
    access = access_of(settings, endpoints)
    reloader = Reloader(settings, state, access, endpoints)
    metrics.batch_queue_depth.set_function(lambda: len(state.turns))

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        stop = asyncio.Event()
        opening = open_cascade(settings, metrics, edge, named=named, quotas=quotas)
        running = asyncio.create_task(_run(stop, state, opening, reloader, on_ready=on_ready, on_fatal=on_fatal))
        try:
            async with contextlib.AsyncExitStack() as stack:
                for face in agents:
                    await stack.enter_async_context(face.running())
                yield
        finally:
            # By now the server has finished what was in flight.
            state.draining = state.stopping = True
            stop.set()
            reloader.close()
            await _ended(running, at_once=state.cascade is None)
            await quotas.close()

    app = _application(settings, access, endpoints, lifespan)
    app.state.gateway = state
    app.state.access = access
    app.state.reloader = reloader
    for face in faces:
        app.router.routes.extend(face.router.routes)
    refusals = Refusals(metrics)
    install_handlers(app, refusals)
    if not settings.tracing.enabled:
        routes = [route for face in faces for route in face.router.routes]
        app.add_middleware(Direct, handlers=handlers_of(routes, endpoints.paths(lambda one: one.takes_body)), refusals=refusals)
    bodies = BodyLimits(settings.limits.max_body_bytes, settings.limits.body_timeout_s)
    origins = settings.server.cors_origins
    guard(app, state, access=access, endpoints=endpoints, quotas=quotas, limits=bodies, origins=origins)
    return app


def _application(
    settings: Settings,
    access: Access,
    endpoints: Endpoints,
    lifespan: Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]],
) -> FastAPI:
    return DocumentedApp(
        access=access,
        endpoints=endpoints,
        title="FogGate",
        version=__version__,
        summary="A self-aware edge-cloud gateway for multiple-choice questions.",
        lifespan=lifespan,
        # A caller who asks for a path with a slash too many is told that there is nothing, instead of being redirected.
        redirect_slashes=False,
        telemetry=_telemetry(settings.tracing.enabled, endpoints),
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
    edge, policy = opened.edge, opened.routing.policy
    model = edge.identity.model
    state.edge_model = model
    state.turns = edge.turns
    state.watch(edge)
    _watch_cloud(state, opened)
    state.route_by(opened.routing)
    state.metrics.build_info.labels(__version__, model, PROMPT_VERSION).set(1)
    log.info(
        "the gateway answers questions",
        edge_model=model,
        cloud_model=state.cloud_model,
        tau=policy.tau,
        signal=policy.signal.value,
        calibrated=state.calibration is not None,
    )


def _watch_cloud(state: GatewayState, opened: RunningCascade) -> None:
    """Let `/v1/models` and `/metrics` see the cloud that is in force."""

    async def show_budget() -> None:
        state.metrics.show_budget((left.kind, left.per, left.left, left.amount) for left in await opened.budget.remaining())

    state.refresh_metrics = show_budget
    state.cloud_endpoints = lambda: [
        {"name": one.name, "model": one.model, "answer_format": one.form.in_use.value, "answer_format_from": one.form.how}
        for one in (opened.client.endpoints if opened.client else ())
    ]


def _telemetry(enabled: bool, endpoints: Endpoints) -> TelemetryConfig:
    """FastAPI's request span and exporter, and nothing else of it; probes and scrapes get no trace. Raises ConfigError."""
    check_tracing(enabled)
    quiet = endpoints.paths(lambda one: one.quiet)
    return {
        "tracing": enabled,
        "auto_configure": enabled,
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "exclude": lambda scope: scope.get("path") in quiet,
    }

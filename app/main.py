"""Composition root of the gateway: builds, wires, warms up, drains, closes. `Settings` stops here."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import structlog
import uvicorn
from fastapi import FastAPI

from app import __version__
from app.api.errors import install_handlers
from app.api.middleware import BodyGuard, CancelOnDisconnect, RequestContext
from app.api.routes import answers_router, operations_router
from app.api.state import GatewayState, Limits
from app.calibration import Calibration, read_calibration
from app.cascade import Cascade, OnCloudFailure
from app.cloud.client import CloudClient
from app.deadline import Deadline
from app.domain import Question, Signal
from app.edge.batcher import Batcher, Engine
from app.edge.builtin import default_cache_dir
from app.edge.threads import set_threads, set_wait_policy
from app.errors import ConfigError, FogGateError
from app.metrics import Metrics
from app.policy import Policy
from app.prompt import PROMPT_VERSION, PromptFamily
from app.settings import Settings

if TYPE_CHECKING:
    from app.edge.engine import VerdictEngine
    from app.edge.loader import LoadedModel

log = structlog.get_logger("foggate")

EngineLoader = Callable[[Settings], Engine]
# Longer than nginx's default of 60 s, so that it is never the gateway that closes a connection nginx is about to use.
KEEP_ALIVE_S = 75
WARM_UP = Question("Which of these is a number?", ("Seven", "Blue", "Quickly", "Table"))
WARM_UP_S = 60.0


def load_edge_model(settings: Settings, *, device: str | None = None) -> "LoadedModel":
    """The configured edge model on the configured device (or the given one), threads set. Takes seconds.

    Raises:
        ConfigError: the model cannot be loaded; one sentence for a person.
    """
    edge = settings.edge
    set_wait_policy(edge.wait_policy)
    set_threads(edge.threads)
    # Imported here: torch takes seconds to import, /health/live must answer before that, and OpenMP reads the wait policy
    # just set when torch is imported.
    from app.edge.loader import load_model

    return load_model(
        edge.model,
        cache_dir=edge.cache_dir or default_cache_dir(),
        adapter=edge.adapter,
        family=None if edge.prompt_family == "auto" else PromptFamily(edge.prompt_family),
        device=device or edge.device,
        dtype=edge.dtype,
    )


def load_engine(settings: Settings) -> Engine:
    """The engine that serves; runs in a thread.

    Raises:
        ConfigError: the model cannot answer; one sentence for a person.
    """
    return build_engine(settings, load_edge_model(settings))


def build_engine(settings: Settings, loaded: "LoadedModel") -> "VerdictEngine":
    """The one-pass engine of a loaded model. Raises ConfigError."""
    from app.edge.engine import VerdictEngine  # after the wait policy is set
    from app.edge.rendering import Renderer

    return VerdictEngine(
        loaded.model,
        Renderer(loaded.tokenizer, loaded.family),
        name=loaded.name,
        fingerprint=loaded.fingerprint,
        max_prompt_tokens=settings.edge.max_prompt_tokens,
        share_prefix=settings.edge.share_prefix,
    )


def build_policy(settings: Settings, calibration: Calibration | None = None) -> Policy:
    """The routing policy. The cuts of `policy.domains` win over a calibration's, those over `policy.tau`.

    A cut means nothing without its signal, so a calibration brings its own.
    """
    own = {name: domain.tau for name, domain in settings.policy.domains.items()}
    if calibration is None:
        return Policy(settings.policy.tau, Signal(settings.policy.signal), domains=own)
    domains = {name: cut.tau for name, cut in calibration.domains.items()} | own
    return Policy(calibration.tau, Signal(calibration.signal), calibration.temperature, domains)


def load_calibration(settings: Settings) -> Calibration | None:
    """The configured calibration; None without one. Raises ConfigError."""
    path = settings.policy.calibration
    return read_calibration(path) if path else None


def build_cloud(settings: Settings, metrics: Metrics) -> CloudClient | None:
    """The cloud client, or None where no endpoint is configured."""
    cloud = settings.cloud
    if cloud.base_url is None:
        return None
    return CloudClient(
        base_url=str(cloud.base_url),
        model=cloud.model,
        metrics=metrics,
        api_key=cloud.api_key.get_secret_value() if cloud.api_key else None,
        timeout_s=cloud.timeout_s,
        max_attempts=cloud.max_attempts,
        max_connections=cloud.max_connections,
        extra_headers=cloud.extra_headers,
        extra_body=cloud.extra_body,
    )


def build_batcher(settings: Settings, engine: Engine, metrics: Metrics) -> Batcher:
    """The queue and the worker in front of an engine, in the running event loop."""
    edge = settings.edge
    return Batcher(
        engine,
        metrics,
        max_batch_size=edge.max_batch_size,
        max_batch_tokens=edge.max_batch_tokens,
        max_queue_size=edge.max_queue_size,
    )


@contextlib.asynccontextmanager
async def open_cascade(settings: Settings, metrics: Metrics, loader: EngineLoader = load_engine) -> AsyncIterator[tuple[Cascade, Batcher]]:
    """A warmed-up cascade without HTTP; drains and closes behind itself.

    Raises:
        ConfigError: the edge model cannot be loaded, or the calibration is not for it.
    """
    calibration = load_calibration(settings)
    batcher = build_batcher(settings, await asyncio.to_thread(loader, settings), metrics)
    cloud = build_cloud(settings, metrics)
    try:
        if calibration:
            calibration.check(edge_model=batcher.model, fingerprint=batcher.fingerprint, prompt_version=PROMPT_VERSION)
        await batcher.verdict(WARM_UP, Deadline.after(WARM_UP_S))
        on_failure = OnCloudFailure(settings.policy.on_cloud_failure)
        policy = build_policy(settings, calibration)
        yield Cascade(batcher, cloud, policy, on_failure, settings.deadline_ms / 1000), batcher
    finally:
        await batcher.close()
        if cloud:
            await cloud.close()


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
    limits = Limits(**settings.limits.model_dump())
    calibration = load_calibration(settings)
    state = GatewayState(
        metrics,
        limits,
        cloud_model=settings.cloud.model if settings.cloud.base_url else None,
        calibration=calibration.summary() if calibration else None,
    )

    async def run(stop: asyncio.Event) -> None:
        try:
            async with open_cascade(settings, metrics, loader) as (cascade, batcher):
                state.edge_model = batcher.model
                state.alive = lambda: batcher.alive
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
            log.error("the edge model cannot be used", reason=error.message)  # noqa: TRY400  # a sentence, not a traceback
            on_fatal(error.message)
        except Exception as error:
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
            state.draining = True
            stop.set()
            await running

    app = FastAPI(
        title="FogGate",
        version=__version__,
        summary="A self-aware edge-cloud gateway for multiple-choice questions.",
        lifespan=lifespan,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    app.state.gateway = state
    app.include_router(answers_router(state))
    app.include_router(operations_router(state))
    install_handlers(app, metrics)
    # The last one added runs first.
    app.add_middleware(CancelOnDisconnect)
    app.add_middleware(BodyGuard, max_body_bytes=limits.max_body_bytes, metrics=metrics)
    app.add_middleware(RequestContext, draining=lambda: state.draining)
    return app


def listen(host: str, port: int) -> socket.socket:
    """Bind before anything slow is done. Port 0 takes a free one.

    Raises:
        ConfigError: the address is taken, or not ours.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port} ({error.strerror or error})") from None


async def serve(
    settings: Settings, listener: socket.socket, *, on_ready: Callable[[str], None], loader: EngineLoader = load_engine
) -> None:
    """Run the gateway until a signal ends it.

    SIGTERM drains: ready turns 503 and every reply carries `Connection: close` for `server.drain_wait_s`, then the
    listener closes, what is in flight finishes, and the process ends. SIGINT (a person at a terminal) skips the wait.

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

    def drain() -> None:
        app.state.gateway.draining = True
        log.info("draining", wait_s=settings.server.drain_wait_s)
        loop.call_later(settings.server.drain_wait_s, setattr, server, "should_exit", True)

    app = create_app(settings, loader=loader, on_startup=on_startup, on_ready=on_ready, on_fatal=on_fatal)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.deadline_ms // 1000 + 5,
    )
    server = uvicorn.Server(config)
    await server.serve(sockets=[listener])
    if fatal:
        raise ConfigError(fatal[0])

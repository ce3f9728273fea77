"""Settings → the edge: the model, its engine, and the queue in front of it. `Settings` stops here."""

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from app.config.sections.edge import EdgeSettings
from app.config.settings import Settings
from app.core.edge import Edge
from app.core.errors import ConfigError
from app.core.offload import in_daemon_thread
from app.core.prompt import PromptFamily
from app.edge.batcher import Batcher
from app.edge.builtin import default_cache_dir
from app.edge.health import HealthLimits
from app.edge.lean import import_modelling
from app.edge.memory import give_back, keep_for_passes
from app.edge.runner import Engine
from app.edge.threads import set_threads, set_wait_policy
from app.telemetry.logs import adopt_libraries
from app.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from app.edge.engine import VerdictEngine
    from app.edge.found import FoundModel
    from app.edge.loader import LoadedModel

logger = logging.getLogger(__name__)

# For an engine that does not say how many questions it gains from in a forward pass.
_BATCH = 16
# Prompt tokens in a forward pass: so many for each question that the engine gains from, and never fewer than so many in all. And questions
# that wait: so many passes' worth, and never fewer than so many.
_TOKENS_EACH, _LEAST_TOKENS = 256, 8192
_PASSES_WAITING, _LEAST_WAITING = 32, 128
# Makes the edge that the settings describe, in the running event loop. Raises ConfigError where it cannot be made.
EdgeBuilder = Callable[[Settings, Metrics], Awaitable[Edge]]


def load_edge_model(settings: Settings, *, device: str | None = None, prepared: bool = False) -> "LoadedModel":
    """The configured edge model on the configured device (or the given one), threads set. Takes seconds.

    Args:
        settings: what to load.
        device: where it computes; None takes the configured device.
        prepared: whether its weights may come from an earlier start that has prepared them, and are prepared for later ones.

    Raises:
        ConfigError: the model cannot be loaded; one sentence for a person.
    """
    edge = settings.edge
    set_wait_policy(edge.wait_policy)
    import_modelling()
    set_threads(edge.threads)
    # Imported here: torch takes seconds to import, /health/live must answer before that, and OpenMP reads the wait policy
    # just set when torch is imported.
    from app.edge.loader import load_model

    # Their import gave some libraries handlers of their own.
    adopt_libraries()
    return load_model(
        edge.model,
        cache_dir=edge.cache_dir or default_cache_dir(),
        adapter=edge.adapter,
        family=None if edge.prompt_family == "auto" else PromptFamily(edge.prompt_family),
        device=device or edge.device,
        dtype=edge.dtype,
        prepared_bytes=int(edge.prepared_gb * 1e9) if prepared else 0,
    )


def find_edge_model(settings: Settings) -> "FoundModel":
    """The configured edge model as far as it can be known without reading its weights; the configured device is tried.

    Raises:
        ConfigError: the model cannot be loaded; one sentence for a person.
    """
    edge = settings.edge
    set_wait_policy(edge.wait_policy)
    import_modelling()
    from app.edge.devices import resolve_device  # torch, as above
    from app.edge.found import find_model

    adopt_libraries()
    resolve_device(edge.device)
    return find_model(
        edge.model,
        cache_dir=edge.cache_dir or default_cache_dir(),
        adapter=edge.adapter,
        family=None if edge.prompt_family == "auto" else PromptFamily(edge.prompt_family),
    )


def load_engine(settings: Settings) -> Engine:
    """The engine that serves; runs in a thread.

    Raises:
        ConfigError: the model cannot answer; one sentence for a person.
    """
    return build_engine(settings, load_edge_model(settings, prepared=True), serves=True, long_labels=True)


def build_engine(settings: Settings, loaded: "LoadedModel", *, serves: bool = False, long_labels: bool = False) -> "VerdictEngine":
    """The one-pass engine of a loaded model.

    Args:
        settings: settings of the edge.
        loaded: the model.
        serves: whether layers are compiled and passes recorded on a GPU, as the settings say: that takes up to a minute and pays where
            questions come for hours.
        long_labels: see `LoadedModel.engine`.

    Raises:
        ConfigError: the model cannot answer; one sentence for a person.
    """
    from app.edge.devices import passes_side_by_side, useful_batch_size  # torch, as above

    edge, device = settings.edge, loaded.model.device
    if device.type == "cpu":
        keep_for_passes()
    side_by_side = passes_side_by_side(device) if edge.side_by_side == "auto" else edge.side_by_side
    engine = loaded.engine(
        max_prompt_tokens=edge.max_prompt_tokens,
        share_prefix=edge.share_prefix,
        long_labels=long_labels,
        # A question that is read again has waited behind one batch or two.
        keep_prompts=2 * _size(edge, side_by_side * useful_batch_size(device)) if edge.permute > 1 else 0,
        pass_columns=edge.pass_columns,
        side_by_side=side_by_side,
    )
    if not serves:
        return engine
    # What loading and proving took.
    give_back()
    compiled_s = engine.compile() if edge.compile == "auto" else None
    if compiled_s is not None:
        logger.info("the layers of '%s' are compiled, in %.0f s", engine.name, compiled_s)
    recorded = engine.record() if edge.graphs == "auto" else None
    if recorded is not None:
        logger.info("%s", recorded)
    if compiled_s is not None or recorded is not None:
        check_as_served(loaded.model, engine)
    return engine


def check_as_served(model: Any, engine: "VerdictEngine") -> None:
    """Go back to passes as they were proven when the model was loaded, if compiled layers and recordings do not answer as near to decoding.

    Args:
        model: the model that the engine reads.
        engine: the engine, with compiled layers or recorded passes.
    """
    from app.edge.proof import prove_as_served  # torch, as above

    try:
        found = prove_as_served(model, engine)
    except ConfigError as error:
        engine.as_written()
        logger.warning("recorded passes and compiled layers of '%s' are not used, which is slower (%s)", engine.name, error.message)
    else:
        logger.info(
            "recorded passes and compiled layers of '%s' move a probability by up to %.1g from decoding in float32", engine.name, found
        )


def batch_size(settings: Settings, engine: Engine) -> int:
    """Most questions in one forward pass of this engine: the setting, or what the engine's device gains from."""
    return _size(settings.edge, getattr(engine, "useful_batch_size", _BATCH))


def _size(edge: EdgeSettings, useful: int) -> int:
    return useful if edge.max_batch_size == "auto" else edge.max_batch_size


def batch_tokens(settings: Settings, engine: Engine) -> int:
    """Most prompt tokens in one forward pass of this engine: the setting, or what its device gains from."""
    tokens, useful = settings.edge.max_batch_tokens, getattr(engine, "useful_batch_size", 0)
    return max(_LEAST_TOKENS, _TOKENS_EACH * useful) if tokens == "auto" else tokens


def queue_size(settings: Settings, engine: Engine) -> int:
    """Single questions that may wait for this engine: the setting, or what its device answers soon."""
    size, useful = settings.edge.max_queue_size, getattr(engine, "useful_batch_size", 0)
    return max(_LEAST_WAITING, _PASSES_WAITING * useful) if size == "auto" else size


def build_batcher(settings: Settings, engine: Engine, metrics: Metrics) -> Batcher:
    """The queue and the worker in front of an engine, in the running event loop."""
    edge, server = settings.edge, settings.server
    if tell := getattr(engine, "tell_passes", None):
        tell(lambda way: metrics.edge_passes.labels(way).inc())
    return Batcher(
        engine,
        metrics,
        max_batch_size=batch_size(settings, engine),
        max_batch_tokens=batch_tokens(settings, engine),
        max_queue_size=queue_size(settings, engine),
        # Where nothing is padded, and where the engine makes passes of similar lengths itself, questions of any lengths share a batch.
        max_padding_share=1.0 if getattr(engine, "packs_rows", False) or getattr(engine, "uses_buckets", False) else edge.max_padding_share,
        probe_after=min(server.ready_failed_batches, server.live_failed_batches),
        probe_every_s=server.failing_probe_s,
        limits=HealthLimits(server.live_stall_s, server.live_failed_batches, server.ready_failed_batches, server.ready_stall_s),
    )


def with_engine(loader: Callable[[Settings], Engine]) -> EdgeBuilder:
    """A builder of the in-process edge with the engine that `loader` makes in a separate thread."""

    async def build(settings: Settings, metrics: Metrics) -> Edge:
        return build_batcher(settings, await in_daemon_thread(loader, settings), metrics)

    return build


build_edge = with_engine(load_engine)

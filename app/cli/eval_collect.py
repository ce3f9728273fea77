"""`foggate eval collect`: records what edge and cloud answer on questions with gold answers."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli.bars import bars, loading, working
from app.cli.data import Data, Map, Questions, SkipBad
from app.cli.exit_codes import FAILED
from app.cli.options import (
    AsJson,
    CloudConcurrency,
    CloudRecords,
    ConfigFile,
    DrawnPerDomain,
    require_cloud,
)
from app.cli.output import print_json, stdout_console, writing
from app.core import interrupts

if TYPE_CHECKING:
    from app.config.settings import Settings
    from app.data.dataset import Item
    from app.data.records import Record
    from app.evaluation.collect import Collected

# Writing reads all weights for each token, so it gains from more questions at a time than one pass does.
_GENERATE_BATCH = 16


def eval_collect(
    data: Data,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Records file to write; the same command continues an interrupted run.")],
    config: ConfigFile = None,
    cloud: Annotated[
        Literal["configured", "none"], typer.Option(help="Cloud to ask: configured is the one at cloud.base_url.")
    ] = "configured",
    cloud_records: CloudRecords = None,
    cloud_concurrency: CloudConcurrency = 16,
    per_domain: DrawnPerDomain = None,
    order_check: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="Number of questions, drawn at random, that the edge is asked a second time with reversed options."
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of the draws of --per-domain and --order-check.")] = 0,
    protocol: Annotated[
        Literal["one-pass", "generate"],
        typer.Option(help="How the edge is asked: generate adds a free greedy generation of 64 tokens to the one pass."),
    ] = "one-pass",
    columns: Map = None,
    skip_bad: SkipBad = False,
    as_json: AsJson = False,
) -> None:
    """Record the answers of edge and cloud. Both are asked every question once; the records file has one line for each question."""
    from app.config.loading import load_settings
    from app.data.dataset import sample_items
    from app.data.records import read_records
    from app.telemetry.logs import configure_logging

    settings = load_settings(config)
    configure_logging("error")
    items = Questions(data, columns or (), skip_bad).load()
    if per_domain is not None:
        items = sample_items(items, per_domain, seed)
    known = read_records(cloud_records) if cloud_records else {}
    if cloud == "configured" and not known:
        require_cloud(settings, "give --cloud none")
    plan = CollectPlan(items, out, cloud == "configured" and not known, known, cloud_concurrency, protocol == "generate", order_check, seed)
    with (
        writing(out, "what was recorded before is kept"),
        interrupts.resumable(f"the same command continues from what is recorded in {out}"),
    ):
        done, engine_s, hardware = interrupts.run(collect_answers(settings, plan))
    asked = done.edge_asked + done.reversed_asked + done.permuted_asked
    pace = {
        "questions_per_s": round(asked / done.edge_s, 3) if done.edge_s else None,
        # Elapsed time of the edge side divided by the time that its engine spent in forward passes.
        "ratio_vs_engine": round(done.edge_s / engine_s, 3) if engine_s else None,
    }
    if as_json:
        print_json({**dataclasses.asdict(done), **pace, "hardware": hardware})
    else:
        show_collected(done, pace, engine_s, plan, hardware)
    if done.incomplete:
        raise typer.Exit(FAILED)


def show_collected(done: "Collected", pace: Mapping[str, float | None], engine_s: float, plan: "CollectPlan", hardware: str) -> None:
    """Print as text what a run did."""
    console = stdout_console()
    generated = f", generated {done.generated}" if plan.generate else ""
    generated += f", with reversed options {done.reversed_asked}" if plan.order_check else ""
    generated += f", in {done.permuted_asked} orders of options" if done.permuted_asked else ""
    console.print(
        f"{done.total} questions in {plan.out}; asked now: edge {done.edge_asked}, cloud {done.cloud_asked}{generated}", markup=False
    )
    if done.edge_s and pace["questions_per_s"] and pace["ratio_vs_engine"]:
        console.print(
            f"edge: {pace['questions_per_s']:.1f} questions a second (n = {done.edge_asked + done.reversed_asked + done.permuted_asked} in {done.edge_s:.1f} s, "
            f"{hardware}), {pace['ratio_vs_engine']:.2f} times the {engine_s:.1f} s that its forward passes took",
            markup=False,
        )
    for failure in done.failures:
        console.print(f"{failure['n']} × {failure['kind']}: {failure['message']}", markup=False, style="yellow")
    if done.stopped:
        console.print(f"stopped: {done.stopped}; {done.unasked} questions were not asked", markup=False, style="red")
    if done.failed or done.unasked:
        console.print(f"{done.failed} failed; the answers are kept, and the same command asks the remaining questions", style="yellow")


@dataclasses.dataclass(frozen=True, slots=True)
class CollectPlan:
    """What a run asks, and where it records the answers.

    Attributes:
        items: the questions.
        out: records file.
        use_cloud: whether the configured cloud is asked.
        known: records whose cloud answers are used, by id.
        cloud_concurrency: number of cloud calls at a time.
        generate: whether free generation runs beside the one pass.
        order_check: number of questions that the edge is asked with reversed options too.
        seed: seed of their draw.
    """

    items: "list[Item]"
    out: Path
    use_cloud: bool
    known: "dict[str, Record]"
    cloud_concurrency: int
    generate: bool
    order_check: int
    seed: int


async def collect_answers(settings: "Settings", plan: CollectPlan) -> "tuple[Collected, float, str]":
    """Return what was collected, the seconds spent in forward passes, and the hardware."""
    from app.cli.hardware import describe_hardware
    from app.cloud.build import build_cloud, cloud_models
    from app.core.offload import in_daemon_thread
    from app.edge.build import batch_size, build_batcher, build_engine, load_edge_model, queue_size
    from app.edge.foggen import writes_confidence
    from app.evaluation.collect import EdgeIdentity, collect
    from app.gateway.running import WARM_UP, WARM_UP_S
    from app.telemetry.metrics import Metrics

    metrics = Metrics()
    with working(loading(settings), at_once=True):
        loaded = await in_daemon_thread(load_edge_model, settings)
        engine = build_engine(settings, loaded)
    # So many questions are in flight that the next batch is waiting when one ends.
    in_flight = 4 * batch_size(settings, engine)
    queue = settings.edge.model_copy(update={"max_queue_size": max(in_flight, queue_size(settings, engine))})
    hardware = describe_hardware(str(loaded.model.device))
    generator = None
    if plan.generate:
        from app.edge.generate import FreeGenerator  # after the wait policy is set

        generator = FreeGenerator(loaded.model, engine.renderer)
    batcher = build_batcher(settings.model_copy(update={"edge": queue}), engine, metrics)
    cloud = build_cloud(settings, metrics, offline=True) if plan.use_cloud else None
    try:
        await batcher.warm_up(WARM_UP, WARM_UP_S)
        warm = metrics.edge_seconds()
        with bars() as progress:
            done = await collect(
                plan.items,
                plan.out,
                edge=batcher,
                identity=EdgeIdentity(
                    engine.name,
                    engine.fingerprint,
                    engine.parameters,
                    engine.prompt_fingerprint,
                    hardware,
                    writes_confidence(settings.edge.model, settings.edge.adapter),
                ),
                cloud=cloud,
                cloud_asked=cloud_models(settings),
                known_cloud=plan.known,
                generator=generator,
                in_flight=in_flight,
                generate_batch=max(_GENERATE_BATCH, batch_size(settings, engine)),
                cloud_concurrency=plan.cloud_concurrency,
                order_check=plan.order_check,
                reads=settings.edge.permute,
                seed=plan.seed,
                on_progress=lambda finished: progress("collecting", finished, len(plan.items)),
            )
            return done, metrics.edge_seconds() - warm, hardware
    finally:
        await batcher.close(wait=interrupts.ending() is None)
        if cloud:
            await cloud.close()

"""`foggate eval collect | report | compare` and `foggate calibrate`: what routing buys, and which cut to set."""

import dataclasses
import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

from app import interrupts
from app.build import build_batcher, build_cloud, build_engine, cloud_models, load_edge_model
from app.calibration import Target, write_calibration
from app.cli.bars import bars, loading, working
from app.domain import Signal
from app.errors import ConfigError
from app.evaluation.calibrate import calibrate
from app.evaluation.collect import Collected, EdgeIdentity, collect
from app.evaluation.compare import OUTCOMES, compare, render_comparison
from app.evaluation.costs import Price
from app.evaluation.dataset import Item, load_items, sample_items
from app.evaluation.markdown import render, render_calibration
from app.evaluation.records import Record, load_records, read_records
from app.evaluation.report import build_report, outcomes
from app.evaluation.table import Table, to_table
from app.logs import configure_logging
from app.main import WARM_UP, WARM_UP_S, in_daemon_thread
from app.metrics import Metrics
from app.settings import Settings


def run_collect(
    settings: Settings,
    *,
    data: list[str],
    out: Path,
    use_cloud: bool,
    cloud_records: Path | None,
    cloud_concurrency: int,
    generate: bool,
    per_domain: int | None,
    order_check: int,
    seed: int,
    as_json: bool,
) -> None:
    """Collect and say what was done. Raises ConfigError."""
    configure_logging("error")
    items = load_items(data)
    if per_domain is not None:
        items = sample_items(items, per_domain, seed)
    known = read_records(cloud_records) if cloud_records else {}
    if use_cloud and settings.cloud.base_url is None and not known:
        raise ConfigError("no cloud is configured: set cloud.base_url (FOGGATE_CLOUD__BASE_URL), or say --cloud none")
    plan = _Plan(items, out, use_cloud and not known, known, cloud_concurrency, generate, order_check, seed)
    try:
        with interrupts.resumable(f"the same command goes on from what is recorded in {out}"):
            done, engine_s = interrupts.run(_collect(settings, plan))
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror}); what was recorded before is kept") from None
    pace = {
        "questions_per_s": round((done.edge_asked + done.reversed_asked) / done.edge_s, 3) if done.edge_s else None,
        # Wall time of the edge side over the time that the engine itself spent in forward passes.
        "ratio_vs_engine": round(done.edge_s / engine_s, 3) if engine_s else None,
    }
    if as_json:
        sys.stdout.write(json.dumps({**dataclasses.asdict(done), **pace}) + "\n")
        return
    console = Console(highlight=False)
    generated = f", generated {done.generated}" if generate else ""
    generated += f", with reversed options {done.reversed_asked}" if order_check else ""
    console.print(f"{done.total} questions in {out}; asked now: edge {done.edge_asked}, cloud {done.cloud_asked}{generated}")
    if done.edge_s:
        console.print(
            f"edge: {pace['questions_per_s']:.1f} questions a second, "
            f"{pace['ratio_vs_engine']:.2f} times the engine's own time in {engine_s:.1f} s of forward passes"
        )
    if done.failed:
        console.print(f"[yellow]{done.failed} failed; run the same command again to try them again[/]")


@dataclasses.dataclass(frozen=True, slots=True)
class _Plan:
    items: list[Item]
    out: Path
    use_cloud: bool
    known: dict[str, Record]
    cloud_concurrency: int
    generate: bool
    order_check: int
    seed: int


async def _collect(settings: Settings, plan: _Plan) -> tuple[Collected, float]:
    """What was collected, and the seconds spent in forward passes."""
    metrics = Metrics()
    # Enough under way that the next batch is waiting when one ends.
    in_flight = 4 * settings.edge.max_batch_size
    queue = settings.edge.model_copy(update={"max_queue_size": max(in_flight, settings.edge.max_queue_size)})
    with working(loading(settings), at_once=True):
        loaded = await in_daemon_thread(load_edge_model, settings)
        engine = build_engine(settings, loaded)
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
                identity=EdgeIdentity(engine.name, engine.fingerprint, engine.parameters),
                cloud=cloud,
                cloud_asked=cloud_models(settings),
                known_cloud=plan.known,
                generator=generator,
                in_flight=in_flight,
                generate_batch=settings.edge.max_batch_size,
                cloud_concurrency=plan.cloud_concurrency,
                order_check=plan.order_check,
                seed=plan.seed,
                on_progress=lambda finished: progress("collecting", finished, len(plan.items)),
            )
            return done, metrics.edge_seconds() - warm
    finally:
        await batcher.close(wait=interrupts.ending() is None)
        if cloud:
            await cloud.close()


def run_report(settings: Settings, *, records: Path, tau: float, signal: str, out: Path, seed: int, as_json: bool) -> None:
    """Write `report.json`, `report.md`, `outcomes.jsonl` and pictures into a folder. Raises ConfigError."""
    prices = {name: Price(**price.model_dump()) for name, price in settings.prices.items()}
    rows = load_records(records)
    with working("computing the report"):
        report = build_report(rows, tau=tau, signal=Signal(signal), prices=prices, seed=seed)
    columns = to_table(rows)
    lines = (json.dumps(line, ensure_ascii=False) + "\n" for line in outcomes(columns, tau=tau, signal=Signal(signal)))
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / OUTCOMES).write_text("".join(lines), encoding="utf-8")
        (out / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (out / "report.md").write_text(render(report), encoding="utf-8")
        with working("drawing the pictures"):
            drawn = _draw(columns, report, out)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror})") from None
    if as_json:
        sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
        return
    console = Console(highlight=False)
    console.print(Markdown(render(report)))
    console.print(f"wrote {out / 'report.json'}, report.md, {OUTCOMES} and {drawn}")


def _draw(columns: Table, report: dict[str, Any], out: Path) -> str:
    """The pictures, where matplotlib is installed; the numbers must not depend on it."""
    try:
        from app.evaluation.pictures import draw_all
    except ModuleNotFoundError as error:
        return f"no pictures ({error.name} is not installed: pip install 'foggate[eval]')"
    return f"{len(draw_all(columns, report, out))} pictures"


def run_compare(*, reports: list[Path], cloud_rate: float, out: Path | None, seed: int, as_json: bool) -> None:
    """Print reports side by side. Raises ConfigError."""
    with working("comparing"):
        compared = compare(reports, cloud_rate=cloud_rate, seed=seed)
    text = render_comparison(compared)
    if out is not None:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{out} cannot be written ({error.strerror})") from None
    if as_json:
        sys.stdout.write(json.dumps(compared, ensure_ascii=False) + "\n")
    else:
        Console(highlight=False).print(Markdown(text))


def run_calibrate(
    *, records: Path, target: Target, signal: str, with_temperature: bool, min_domain: int, seed: int, out: Path, as_json: bool
) -> None:
    """Write `calibration.json` and say what was promised and what was found. Raises ConfigError."""
    today = dt.datetime.now(tz=dt.UTC).date()
    with working("calibrating"):
        fit = calibrate(
            load_records(records),
            target=target,
            signal=Signal(signal),
            with_temperature=with_temperature,
            min_domain=min_domain,
            seed=seed,
            today=today,
        )
    write_calibration(out, fit.calibration)
    if as_json:
        shown = {**fit.calibration.model_dump(mode="json"), "notes": fit.notes, "temperature_report": fit.temperature_report}
        sys.stdout.write(json.dumps(shown, ensure_ascii=False) + "\n")
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(Markdown(render_calibration(fit)))
    console.print(f"wrote {out}; the gateway reads it with policy.calibration: {out}")

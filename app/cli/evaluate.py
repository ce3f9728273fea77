"""`foggate eval collect | report | compare` and `foggate calibrate`: what routing buys, and which cut to set."""

import dataclasses
import datetime as dt
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from app.cli.bars import bars, loading, working
from app.cli.data import Questions
from app.cli.exit_codes import FAILED
from app.cli.hardware import describe_hardware
from app.cli.output import print_markdown, stdout_console
from app.cloud.build import build_cloud, cloud_models
from app.config.settings import Settings
from app.core import interrupts
from app.core.errors import ConfigError
from app.core.offload import in_daemon_thread
from app.core.policy import Policy
from app.core.verdict import Signal
from app.data.calibration import Calibration, Target, read_calibration, write_calibration
from app.data.dataset import Item, sample_items
from app.data.records import Record, load_records, read_records
from app.edge.build import build_batcher, build_engine, load_edge_model
from app.evaluation.calibrate import calibrate
from app.evaluation.calibrated import check_records
from app.evaluation.calibration_markdown import render_calibration
from app.evaluation.collect import Collected, EdgeIdentity, collect
from app.evaluation.compare import OUTCOMES, compare
from app.evaluation.comparison_markdown import render_comparison
from app.evaluation.costs import Price
from app.evaluation.markdown import render
from app.evaluation.report import build_report, outcomes
from app.evaluation.table import Table, to_table
from app.gateway.build import DEFAULT_TAU, build_policy
from app.gateway.running import WARM_UP, WARM_UP_S
from app.telemetry.logs import configure_logging
from app.telemetry.metrics import Metrics


def run_collect(
    settings: Settings,
    *,
    data: Questions,
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
    items = data.load()
    if per_domain is not None:
        items = sample_items(items, per_domain, seed)
    known = read_records(cloud_records) if cloud_records else {}
    if use_cloud and settings.cloud.base_url is None and not known:
        raise ConfigError("no cloud is configured: set cloud.base_url (FOGGATE_CLOUD__BASE_URL), or say --cloud none")
    plan = _Plan(items, out, use_cloud and not known, known, cloud_concurrency, generate, order_check, seed)
    try:
        with interrupts.resumable(f"the same command goes on from what is recorded in {out}"):
            done, engine_s, hardware = interrupts.run(_collect(settings, plan))
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror}); what was recorded before is kept") from None
    pace = {
        "questions_per_s": round((done.edge_asked + done.reversed_asked) / done.edge_s, 3) if done.edge_s else None,
        # Wall time of the edge side over the time that the engine itself spent in forward passes.
        "ratio_vs_engine": round(done.edge_s / engine_s, 3) if engine_s else None,
    }
    if as_json:
        sys.stdout.write(json.dumps({**dataclasses.asdict(done), **pace, "hardware": hardware}) + "\n")
    else:
        _show(done, pace, engine_s, plan, hardware)
    if done.incomplete:
        raise typer.Exit(FAILED)


def _show(done: Collected, pace: Mapping[str, float | None], engine_s: float, plan: "_Plan", hardware: str) -> None:
    """What a run did, for a person."""
    console = stdout_console()
    generated = f", generated {done.generated}" if plan.generate else ""
    generated += f", with reversed options {done.reversed_asked}" if plan.order_check else ""
    console.print(
        f"{done.total} questions in {plan.out}; asked now: edge {done.edge_asked}, cloud {done.cloud_asked}{generated}", markup=False
    )
    if done.edge_s and pace["questions_per_s"] and pace["ratio_vs_engine"]:
        console.print(
            f"edge: {pace['questions_per_s']:.1f} questions a second (n = {done.edge_asked + done.reversed_asked} in {done.edge_s:.1f} s, "
            f"{hardware}), {pace['ratio_vs_engine']:.2f} times the engine's own time in {engine_s:.1f} s of forward passes",
            markup=False,
        )
    for failure in done.failures:
        console.print(f"{failure['n']} × {failure['kind']}: {failure['message']}", markup=False, style="yellow")
    if done.stopped:
        console.print(f"stopped: {done.stopped}; {done.unasked} questions were not asked", markup=False, style="red")
    if done.failed or done.unasked:
        console.print(f"{done.failed} failed; what was answered is kept, run the same command again to go on", style="yellow")


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


async def _collect(settings: Settings, plan: _Plan) -> tuple[Collected, float, str]:
    """What was collected, the seconds spent in forward passes, and on what hardware."""
    metrics = Metrics()
    # Enough under way that the next batch is waiting when one ends.
    in_flight = 4 * settings.edge.max_batch_size
    queue = settings.edge.model_copy(update={"max_queue_size": max(in_flight, settings.edge.max_queue_size)})
    with working(loading(settings), at_once=True):
        loaded = await in_daemon_thread(load_edge_model, settings)
        engine = build_engine(settings, loaded)
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
                identity=EdgeIdentity(engine.name, engine.fingerprint, engine.parameters, engine.prompt_fingerprint, hardware),
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
            return done, metrics.edge_seconds() - warm, hardware
    finally:
        await batcher.close(wait=interrupts.ending() is None)
        if cloud:
            await cloud.close()


def run_report(
    settings: Settings,
    *,
    records: Path,
    out: Path,
    seed: int,
    as_json: bool,
    tau: float | None = None,
    signal: str | None = None,
    calibration: Path | None = None,
    reference: bool = False,
    pictures: bool = True,
) -> None:
    """Write `report.json`, `report.md`, `outcomes.jsonl` and pictures into a folder.

    Args:
        settings: prices, and with a calibration the thresholds of `policy.domains`, which win over it when it is served.
        records: the records file.
        out: the folder.
        seed: of the bootstrap.
        as_json: print the report as JSON.
        tau: 0.5 unless a calibration says it.
        signal: verbalized unless a calibration says it.
        calibration: a calibration file: the report is of what a gateway with it serves.
        reference: show the published numbers of FogGen too.
        pictures: draw them, which takes some seconds.

    Raises:
        ConfigError: records or calibration cannot be used, or are not of the same edge; a tau or signal beside a calibration.
    """
    rows = load_records(records)
    policy, found = _served(settings, rows, tau=tau, signal=signal, calibration=calibration)
    prices = {name: Price(**price.model_dump()) for name, price in settings.prices.items()}
    with working("computing the report"):
        report = build_report(
            rows,
            tau=policy.tau,
            signal=policy.signal,
            temperature=policy.temperature,
            thresholds=policy.domains,
            calibration=found,
            prices=prices,
            seed=seed,
        )
    columns = to_table(rows, temperature=policy.temperature, cloud_needed=False)
    told = outcomes(columns, tau=policy.tau, signal=policy.signal, thresholds=policy.domains)
    lines = (json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in told)
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / OUTCOMES).write_text("".join(lines), encoding="utf-8")
        (out / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
        with working("drawing the pictures"):
            drawn, said = _draw(columns, report, out) if pictures else ([], "no pictures")
        (out / "report.md").write_text(render(report, pictures=drawn, reference=reference), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror})") from None
    if as_json:
        sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
        return
    print_markdown(render(report, reference=reference))
    stdout_console().print(f"wrote {out / 'report.json'}, report.md, {OUTCOMES} and {said}", markup=False)


def _served(
    settings: Settings, rows: Sequence[Record], *, tau: float | None, signal: str | None, calibration: Path | None
) -> tuple[Policy, Calibration | None]:
    """The policy that a report is about."""
    if calibration is None:
        return Policy(DEFAULT_TAU if tau is None else tau, Signal(signal or Signal.VERBALIZED)), None
    if tau is not None or signal is not None:
        raise ConfigError("--calibration says tau and signal: leave out --tau and --signal")
    found = read_calibration(calibration)
    check_records(found, rows, str(calibration))
    return build_policy(settings, found), found


def _draw(columns: Table, report: dict[str, Any], out: Path) -> tuple[list[str], str]:
    """The names of the pictures, and how many there are in words; none without matplotlib: the numbers must not depend on it."""
    try:
        from app.evaluation.pictures import draw_all
    except ModuleNotFoundError as error:
        return [], f"no pictures ({error.name} is not installed: pip install 'foggate[eval]')"
    drawn = draw_all(columns, report, out)
    return sorted({path.stem for path in drawn}), f"{len(drawn)} pictures"


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
        print_markdown(text)


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
    print_markdown(render_calibration(fit))
    stdout_console().print(f"wrote {out}; the gateway reads it with policy.calibration: {out}", markup=False)

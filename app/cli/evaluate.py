"""`foggate eval collect | report`: ask edge and cloud every question of a file, resumable; then say what routing buys."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.domain import Signal
from app.errors import ConfigError
from app.evaluation.collect import Collected, collect
from app.evaluation.dataset import Item, load_items
from app.evaluation.markdown import render
from app.evaluation.records import Record, read_records
from app.evaluation.report import build_report, to_table
from app.logs import configure_logging
from app.main import EngineLoader, build_batcher, build_cloud, load_engine
from app.metrics import Metrics
from app.settings import Settings


def run_collect(
    settings: Settings, *, data: list[Path], out: Path, use_cloud: bool, cloud_records: Path | None, cloud_concurrency: int, as_json: bool
) -> None:
    """Collect and say what was done. Raises ConfigError."""
    configure_logging("error")
    items = load_items(data)
    known = read_records(cloud_records) if cloud_records else {}
    if use_cloud and settings.cloud.base_url is None and not known:
        raise ConfigError("no cloud is configured: set cloud.base_url (FOGGATE_CLOUD__BASE_URL), or say --cloud none")
    done = asyncio.run(_collect(settings, items, out, use_cloud=use_cloud and not known, known=known, cloud_concurrency=cloud_concurrency))
    if as_json:
        sys.stdout.write(
            json.dumps({"total": done.total, "edge_asked": done.edge_asked, "cloud_asked": done.cloud_asked, "failed": done.failed}) + "\n"
        )
        return
    console = Console(highlight=False)
    console.print(f"{done.total} questions in {out}; asked now: edge {done.edge_asked}, cloud {done.cloud_asked}")
    if done.failed:
        console.print(f"[yellow]{done.failed} failed; run the same command again to try them again[/]")


async def _collect(
    settings: Settings,
    items: list[Item],
    out: Path,
    *,
    use_cloud: bool,
    known: dict[str, Record],
    cloud_concurrency: int,
    loader: EngineLoader = load_engine,
) -> Collected:
    metrics = Metrics()
    # Enough under way that the next batch is waiting when one ends.
    in_flight = 4 * settings.edge.max_batch_size
    queue = settings.edge.model_copy(update={"max_queue_size": max(in_flight, settings.edge.max_queue_size)})
    batcher = build_batcher(settings.model_copy(update={"edge": queue}), await asyncio.to_thread(loader, settings), metrics)
    cloud = build_cloud(settings, metrics) if use_cloud else None
    columns = (TextColumn("collecting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("", total=len(items))
            return await collect(
                items,
                out,
                edge=batcher,
                edge_model=batcher.model,
                cloud=cloud,
                known_cloud=known,
                in_flight=in_flight,
                cloud_concurrency=cloud_concurrency,
                on_progress=lambda finished: progress.update(task, completed=finished),
            )
    finally:
        await batcher.close()
        if cloud:
            await cloud.close()


def run_report(*, records: Path, tau: float, signal: str, out: Path, seed: int, as_json: bool) -> None:
    """Write `report.json` and `report.md` into a folder. Raises ConfigError."""
    rows = list(read_records(records).values())
    report = build_report(rows, tau=tau, signal=Signal(signal), seed=seed)
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (out / "report.md").write_text(render(report), encoding="utf-8")
        drawn = _draw(rows, report, out)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written ({error.strerror})") from None
    if as_json:
        sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
        return
    console = Console(highlight=False)
    console.print(Markdown(render(report)))
    console.print(f"wrote {out / 'report.json'}, report.md and {drawn}")


def _draw(rows: list[Record], report: dict[str, Any], out: Path) -> str:
    """The pictures, where matplotlib is installed; the numbers must not depend on it."""
    try:
        from app.evaluation.pictures import draw_all
    except ModuleNotFoundError as error:
        return f"no pictures ({error.name} is not installed: pip install 'foggate[eval]')"
    return f"{len(draw_all(to_table(rows), report, out))} pictures"

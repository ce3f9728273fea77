"""`foggate label`: makes confidence targets for questions."""

import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from app.cli.bars import bars, loading, working
from app.cli.data import Data, Map, Questions, SkipBad
from app.cli.options import AsJson, ConfigFile, require_cloud
from app.cli.output import print_json, print_line, writing
from app.core import interrupts
from app.core.buckets import BUCKET_LABELS
from app.core.errors import ConfigError


def label(
    data: Data,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Labels file (JSONL) to write. It appears when it is complete; the same command continues an interrupted run.",
        ),
    ],
    config: ConfigFile = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Edge model that is asked; overrides edge.model.")] = None,
    adapter: Annotated[str | None, typer.Option(metavar="NAME", help="Adapter of the edge model; overrides edge.adapter.")] = None,
    labels: Annotated[
        Literal["gold", "teacher"],
        typer.Option(help="Where correct answers come from: gold takes those of the data, teacher asks the configured cloud."),
    ] = "gold",
    samples: Annotated[int, typer.Option(min=1, metavar="N", help="Number of samples per question that the target stands for.")] = 8,
    temperature: Annotated[float, typer.Option(min=0.01, metavar="X", help="Sampling temperature.")] = 0.7,
    method: Annotated[
        Literal["exact", "sample"], typer.Option(help="How samples are counted: exact takes the expected number, sample draws them.")
    ] = "exact",
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of the draws of --method sample.")] = 0,
    columns: Map = None,
    skip_bad: SkipBad = False,
    as_json: AsJson = False,
) -> None:
    """Make confidence targets for questions. A target says how often the edge model would be correct, read in one forward pass."""
    from app.config.loading import load_settings
    from app.telemetry.logs import configure_logging

    settings = load_settings(config)
    given = {key: value for key, value in (("model", model), ("adapter", adapter)) if value is not None}
    settings = settings.model_copy(update={"edge": settings.edge.model_copy(update=given)})
    configure_logging("error")
    items = Questions(data, columns or (), skip_bad).load()
    if labels == "teacher":
        require_cloud(settings, "give --labels gold")
    if out.exists():
        raise ConfigError(f"{out} exists already; choose another --out")
    from app.edge.build import batch_size, build_engine, load_edge_model

    with working(loading(settings), at_once=True):
        loaded = load_edge_model(settings)
        engine = build_engine(settings, loaded)
    from app.training.label import label_rows, parameters_of
    from app.training.label_file import partial_of
    from app.training.origin import check
    from app.training.teacher import ask_teacher

    parameters: dict[str, Any] = {"source": labels, "samples": samples, "temperature": temperature, "method": method, "seed": seed}
    parameters["dtype"] = str(loaded.model.dtype).removeprefix("torch.")
    # Before the teacher is asked, since its answers may cost money.
    check(out, parameters_of(engine, **parameters), what="labels", partial=partial_of(out), some=True)
    continues = "the same command continues from what was done"
    with writing(out, continues), interrupts.resumable(continues), bars() as progress:
        letters = {item.id: item.gold for item in items}
        if labels == "teacher":
            from app.cli.teacher import connect_teacher

            asked = out.with_name(out.name + ".teacher.jsonl")
            counted = _counted(progress, "asking the teacher", len(items))
            letters = dict(interrupts.run(ask_teacher(items, asked, connect_teacher(settings), max_unlabelled=1.0, on_progress=counted)))
        out.parent.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        rows = label_rows(
            engine,
            items,
            letters,
            out,
            batch_size=batch_size(settings, engine),
            **parameters,
            on_progress=_counted(progress, "labelling", len(items)),
        )
    seconds = time.monotonic() - started
    buckets = {label: sum(row.bucket == label for row in rows) for label in BUCKET_LABELS}
    summary = {"labelled": len(rows), "without_label": len(items) - len(rows), "buckets": buckets, "seconds": round(seconds, 1)}
    if as_json:
        print_json(summary)
        return
    listed = ", ".join(f"{label}: {count}" for label, count in buckets.items())
    print_line(f"{len(rows)} of {len(items)} questions labelled in {out} ({len(rows) / max(seconds, 1e-9):.1f} a second)")
    print_line(f"buckets {listed}")


def _counted(progress: Any, step: str, of: int) -> Any:
    return lambda done: progress(step, done, of)

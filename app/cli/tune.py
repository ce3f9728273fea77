"""`foggate tune`: from questions with known answers to a gateway with a chosen threshold, in one command."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli.data import Data, Map, Questions, SkipBad
from app.cli.eval_collect import CollectPlan
from app.cli.options import (
    EACH_DOMAIN,
    SIGNAL,
    AsJson,
    CloudConcurrency,
    CloudRecords,
    ConfigFile,
    Delta,
    DrawnPerDomain,
    LetterPriorOption,
    MaxEdgeError,
    MinDomain,
    TargetAccuracy,
    TargetCloudRate,
    require_cloud,
)
from app.cli.output import print_json
from app.cli.tune_files import GATEWAY, PAGE, RECORDS
from app.cli.tune_run import Tuning, check_recorded, collected, conclude
from app.core.errors import ConfigError
from app.core.verdict import Signal

if TYPE_CHECKING:
    from app.evaluation.page import Tuned


def tune(
    data: Data,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Folder to write everything to; the same command continues an interrupted run.")
    ] = Path("tuned"),
    config: ConfigFile = None,
    cloud: Annotated[
        Literal["configured", "none"] | None,
        typer.Option(
            help="Cloud to ask: configured is the one at cloud.base_url.", show_default="configured where one is configured, otherwise none"
        ),
    ] = None,
    cloud_records: CloudRecords = None,
    cloud_concurrency: CloudConcurrency = 16,
    per_domain: DrawnPerDomain = None,
    target_cloud_rate: TargetCloudRate = None,
    target_accuracy: TargetAccuracy = None,
    within: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="X",
            help="Target: the lowest cloud rate that loses at most this much accuracy against the cloud alone.",
            show_default="0.02 where no target is given and the cloud's answers are known; without them --target-cloud-rate 0.4",
        ),
    ] = None,
    max_edge_error: MaxEdgeError = None,
    delta: Delta = 0.1,
    domain_thresholds: Annotated[bool, typer.Option("--domain-thresholds", help=EACH_DOMAIN)] = False,
    min_domain: MinDomain = 100,
    signal: Annotated[
        Signal | None,
        typer.Option(
            help=SIGNAL,
            show_default="fitted",
        ),
    ] = None,
    letter_prior: LetterPriorOption = "auto",
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Draw the pictures of the report, which takes some seconds.")
    ] = True,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Seed of the draw of --per-domain, of the split into halves and of the bootstrap.")
    ] = 0,
    columns: Map = None,
    skip_bad: SkipBad = False,
    as_json: AsJson = False,
) -> None:
    """Tune a gateway to your questions. It collects answers, reports, chooses tau, and writes a configuration and a page about it."""
    from app.config.loading import load_settings
    from app.data.dataset import sample_items
    from app.data.records import read_records
    from app.evaluation.tuning import Wanted
    from app.telemetry.logs import configure_logging

    wanted = Wanted(target_cloud_rate, target_accuracy, within, max_edge_error, delta, domain_thresholds)
    settings = load_settings(config)
    configure_logging("error")
    every = Questions(data, columns or (), skip_bad).load()
    items = every if per_domain is None else sample_items(every, per_domain, seed)
    known = read_records(cloud_records) if cloud_records else {}
    if cloud == "configured" and not known:
        require_cloud(settings, "give --cloud none")
    asks = cloud != "none" and not known and settings.cloud.base_url is not None
    recorded = read_records(out / RECORDS, missing_ok=True)
    check_recorded(recorded, every, out)
    has_cloud = asks or bool(known) or any(record.get("cloud_answer") is not None for record in recorded.values())
    wanted.check(len(recorded.keys() | {item.id for item in items}), cloud=has_cloud)
    if not has_cloud:
        sys.stderr.write("no cloud is asked: the edge alone is measured, and what the cloud would gain stays unknown\n")
    given = [("--data", source) for source in data] + [("--map", column) for column in columns or ()]
    given += [("--out", str(out)), *([("--config", str(config))] if config else []), *([("--cloud", cloud)] if cloud else [])]
    given += [("--per-domain", str(per_domain))] if per_domain is not None else []
    given += [("--seed", str(seed))] if seed else []
    given += [("--signal", signal.value)] if signal is not None else []
    given += [("--letter-prior", letter_prior)] if letter_prior != "auto" else []
    again = ["foggate", "tune", *(word for pair in given for word in pair), *(["--skip-bad"] if skip_bad else [])]
    run = Tuning(settings, out, wanted, signal, min_domain, seed, pictures, shlex.join(again), letter_prior)
    plan = CollectPlan(items, run.records, asks, known, cloud_concurrency, generate=False, order_check=0, seed=seed)
    notes = collected(run, plan, recorded, as_json=as_json)
    tuned, result = conclude(run, notes)
    if as_json:
        print_json(result)
    else:
        _show(run, tuned)
    _check(run)


def _show(run: Tuning, tuned: "Tuned") -> None:
    from app.cli.markdown import print_markdown
    from app.evaluation.page import headline, target_of

    found = tuned.calibration
    commands = [f"{what}\n\n```sh\n{command}\n```" for what, command in tuned.commands]
    parts = [
        f"# Tuned: {found.edge_model}" + (f" + {found.edge_adapter}" if found.edge_adapter else ""),
        headline(found),
        f"{tuned.why} {target_of(found)}",
        f"**{found.recommendation}**",
        "\n".join(f"- {note}" for note in tuned.notes),
        f"The configuration is {run.out / GATEWAY}, and the page with the curve {run.out / PAGE}.",
        *commands,
    ]
    print_markdown("\n\n".join(part for part in parts if part) + "\n")


def _check(run: Tuning) -> None:
    """Check the new configuration as `foggate config check` does. Raises ConfigError: the gateway would not start with it."""
    from app.cli.config_check import examine
    from app.config.loading import load_settings

    problems = examine(load_settings(run.out / GATEWAY)).problems
    if problems:
        raise ConfigError("\n".join([f"the gateway would not start with {run.out / GATEWAY}:", *problems]))

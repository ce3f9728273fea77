"""`foggate calibrate`: chooses tau for a target."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from app.cli.bars import working
from app.cli.calibrate_plan import print_plan
from app.cli.options import (
    EACH_DOMAIN,
    SIGNAL,
    AsJson,
    Delta,
    LetterPriorOption,
    MaxEdgeError,
    MinDomain,
    Records,
    TargetAccuracy,
    TargetCloudRate,
)
from app.cli.output import print_json, print_line
from app.core.errors import ConfigError
from app.core.verdict import Signal


def calibrate(
    records: Records,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Calibration file to write; the gateway reads it as policy.calibration.")
    ] = Path("calibration.json"),
    target_cloud_rate: TargetCloudRate = None,
    target_accuracy: TargetAccuracy = None,
    max_edge_error: MaxEdgeError = None,
    delta: Delta = 0.1,
    per_domain: Annotated[bool, typer.Option("--per-domain", help=EACH_DOMAIN)] = False,
    min_domain: MinDomain = 100,
    signal: Annotated[
        Signal | None,
        typer.Option(
            help=SIGNAL,
            show_default="fitted; with --temperature expected",
        ),
    ] = None,
    keep_fitted: Annotated[
        bool, typer.Option("--keep-fitted", help="Take the fitted probability even where it is not better than the best single signal.")
    ] = False,
    temperature: Annotated[bool, typer.Option("--temperature", help="Fit a temperature for the expected confidence first.")] = False,
    permutation_band: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=1,
            metavar="X",
            help="Read a question again in other orders of its options where its signal is less than this below tau; the records must have "
            "been collected with edge.permute, and the gateway needs the same setting.",
            show_default="every question is read once",
        ),
    ] = None,
    letter_prior: LetterPriorOption = "auto",
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of the split into halves and of the bootstrap.")] = 0,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan",
            help="Choose nothing: take the records as a pilot, and say how many labelled questions the promise of --max-edge-error needs.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Choose tau for a target. Tau is chosen on one half of the records; the other half checks whether the target holds."""
    from app.cli.markdown import print_markdown
    from app.data.calibration import write_calibration
    from app.data.records import load_records
    from app.data.target import Target
    from app.evaluation.calibrate import calibrate as fitted
    from app.evaluation.calibration_markdown import render_calibration

    if plan:
        options = {
            "--target-cloud-rate": target_cloud_rate is not None,
            "--target-accuracy": target_accuracy is not None,
            "--per-domain (plan each domain on its own records, with delta divided by the number of thresholds)": per_domain,
            "--temperature": temperature,
            "--permutation-band": permutation_band is not None,
        }
        others = [name for name, is_given in options.items() if is_given]
        print_plan(
            records,
            max_edge_error=max_edge_error,
            delta=delta,
            signal=signal,
            keep_fitted=keep_fitted,
            letter_prior=letter_prior,
            seed=seed,
            as_json=as_json,
            others=others,
        )
        return
    given = {"cloud_rate": target_cloud_rate, "accuracy": target_accuracy, "edge_error": max_edge_error}
    wanted = {kind: value for kind, value in given.items() if value is not None}
    if len(wanted) != 1:
        raise ConfigError("give exactly one of --target-cloud-rate, --target-accuracy and --max-edge-error")
    ((kind, value),) = wanted.items()
    target = Target.model_validate(
        {"kind": kind, "value": value, "delta": delta if kind == "edge_error" else None, "per_domain": per_domain}
    )
    today = dt.datetime.now(tz=dt.UTC).date()
    with working("calibrating"):
        fit = fitted(
            load_records(records),
            target=target,
            signal=signal,
            keep_fitted=keep_fitted,
            with_temperature=temperature,
            permutation_band=permutation_band,
            letter_prior=letter_prior,
            min_domain=min_domain,
            seed=seed,
            today=today,
        )
    write_calibration(out, fit.calibration)
    if as_json:
        shown = {
            **fit.calibration.model_dump(mode="json"),
            "notes": fit.notes,
            "temperature_report": fit.temperature_report,
            "signals": fit.signals,
            "signals_without": fit.signals_without,
        }
        print_json(shown)
        return
    print_markdown(render_calibration(fit))
    print_line(f"wrote {out}; the gateway reads it with policy.calibration: {out}")

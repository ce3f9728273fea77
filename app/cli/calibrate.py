"""`foggate calibrate`: chooses tau for a target."""

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.cli.bars import working
from app.cli.options import AsJson, Records, check_choice
from app.cli.output import print_markdown, stdout_console
from app.core.errors import ConfigError


def calibrate(
    records: Records,
    out: Annotated[Path, typer.Option(help="The file that the gateway reads as policy.calibration.")] = Path("calibration.json"),
    target_cloud_rate: Annotated[float | None, typer.Option(min=0, max=1, help="Send this share to the cloud.")] = None,
    target_accuracy: Annotated[float | None, typer.Option(min=0, max=1, help="The lowest cloud rate that reaches this accuracy.")] = None,
    max_edge_error: Annotated[float | None, typer.Option(min=0, max=1, help="Promise this error among the kept answers.")] = None,
    delta: Annotated[float, typer.Option(min=0.0001, max=0.5, help="With --max-edge-error: how often the promise may fail.")] = 0.1,
    per_domain: Annotated[bool, typer.Option("--per-domain", help="A threshold of its own for each domain that is large enough.")] = False,
    min_domain: Annotated[
        int, typer.Option(min=1, help="Smaller domains (in the fit half) share one threshold, chosen on them together.")
    ] = 100,
    signal: Annotated[str, typer.Option(help="expected or verbalized")] = "expected",
    temperature: Annotated[bool, typer.Option("--temperature", help="Fit a temperature of the expected confidence first.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the split into halves and the bootstrap.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Choose tau for a target. It is chosen on one half of the records, and the promise is checked on the other."""
    from app.core.verdict import Signal
    from app.data.calibration import Target, write_calibration
    from app.data.records import load_records
    from app.evaluation.calibrate import calibrate as fitted
    from app.evaluation.calibration_markdown import render_calibration

    check_choice("--signal", signal, "verbalized", "expected")
    given = {"cloud_rate": target_cloud_rate, "accuracy": target_accuracy, "edge_error": max_edge_error}
    wanted = {kind: value for kind, value in given.items() if value is not None}
    if len(wanted) != 1:
        raise ConfigError("say one of --target-cloud-rate, --target-accuracy and --max-edge-error")
    ((kind, value),) = wanted.items()
    target = Target.model_validate(
        {"kind": kind, "value": value, "delta": delta if kind == "edge_error" else None, "per_domain": per_domain}
    )
    today = dt.datetime.now(tz=dt.UTC).date()
    with working("calibrating"):
        fit = fitted(
            load_records(records),
            target=target,
            signal=Signal(signal),
            with_temperature=temperature,
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

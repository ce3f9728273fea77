"""`foggate eval report`: computes from records what routing gains."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.bars import working
from app.cli.options import AsJson, ConfigFile, Records
from app.cli.output import print_json, print_line, writing
from app.core.errors import ConfigError
from app.core.policy import Policy
from app.core.verdict import Signal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.config.settings import Settings
    from app.data.calibration import Calibration
    from app.data.records import Record
    from app.evaluation.table import Table


def eval_report(
    records: Records,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Folder to write report.json, report.md, outcomes.jsonl and the pictures to.")
    ],
    config: ConfigFile = None,
    tau: Annotated[
        float | None,
        typer.Option(min=0, max=1, metavar="X", help="Threshold of the report.", show_default="that of --calibration, otherwise 0.5"),
    ] = None,
    signal: Annotated[
        Signal | None,
        typer.Option(
            help="Number that tau is compared with.", show_default="that of --calibration, otherwise the gateway's without a calibration"
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Calibration file; the report is about a gateway with its signal, temperature and thresholds."),
    ] = None,
    reference: Annotated[bool, typer.Option("--reference", help="Also show the published results of the FogGen models.")] = False,
    pictures: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Draw the pictures, which takes some seconds.")] = True,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of the bootstrap.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Report what routing gains at a tau. It has intervals, and says how good each signal is. No model is loaded and no cloud is asked."""
    from app.config.loading import load_settings

    run_report(
        load_settings(config),
        records=records,
        tau=tau,
        signal=signal,
        calibration=calibration,
        reference=reference,
        pictures=pictures,
        out=out,
        seed=seed,
        as_json=as_json,
    )


def run_report(
    settings: "Settings",
    *,
    records: Path,
    out: Path,
    seed: int,
    as_json: bool,
    tau: float | None = None,
    signal: Signal | None = None,
    calibration: Path | None = None,
    reference: bool = False,
    pictures: bool = True,
    shown: bool = True,
) -> dict[str, Any]:
    """Write `report.json`, `report.md`, `outcomes.jsonl` and pictures into a folder.

    Args:
        settings: settings with the prices and, for a report with a calibration, the thresholds of `policy.domains`, which override it.
        records: records file.
        out: folder to write to.
        seed: seed of the bootstrap.
        as_json: whether the report is printed as JSON.
        tau: threshold; None takes that of the calibration, otherwise 0.5.
        signal: number that is compared with tau; None takes that of the calibration, otherwise the one that a gateway takes without a
            calibration.
        calibration: calibration file; the report is about a gateway that serves with it.
        reference: whether the published results of FogGen are shown too.
        pictures: whether pictures are drawn, which takes some seconds.
        shown: whether the report is printed.

    Returns:
        The report.

    Raises:
        ConfigError: records or calibration cannot be used or belong to different edge models, or tau or signal is given with a calibration.
    """
    from app.cli.markdown import print_markdown
    from app.data.records import load_records
    from app.evaluation.calibrated import served_table
    from app.evaluation.compare import OUTCOMES
    from app.evaluation.costs import Price
    from app.evaluation.markdown import render
    from app.evaluation.report import build_report, outcomes

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
    columns = served_table(rows, found, temperature=policy.temperature)
    told = outcomes(columns, tau=policy.tau, signal=policy.signal, thresholds=policy.domains)
    lines = (json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in told)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        (out / OUTCOMES).write_text("".join(lines), encoding="utf-8")
        (out / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
        with working("drawing the pictures"):
            drawn, said = _draw(columns, report, out) if pictures else ([], "no pictures")
        (out / "report.md").write_text(render(report, pictures=drawn, reference=reference), encoding="utf-8")
    if as_json and shown:
        print_json(report)
    elif shown:
        print_markdown(render(report, reference=reference))
        print_line(f"wrote {out / 'report.json'}, report.md, {OUTCOMES} and {said}")
    return report


def _served(
    settings: "Settings", rows: "Sequence[Record]", *, tau: float | None, signal: Signal | None, calibration: Path | None
) -> "tuple[Policy, Calibration | None]":
    """Return the policy that a report is about, and the calibration that it comes from."""
    from app.data.calibration import read_calibration
    from app.evaluation.calibrated import check_records
    from app.gateway.build import build_policy
    from app.gateway.uncalibrated import DEFAULT_TAU

    if calibration is None:
        if signal is Signal.FITTED:
            raise ConfigError("--signal fitted needs the model of a calibration: give --calibration FILE instead")
        return Policy(DEFAULT_TAU if tau is None else tau, signal or _usual(rows)), None
    if tau is not None or signal is not None:
        raise ConfigError("--calibration sets tau and signal: leave out --tau and --signal")
    found = read_calibration(calibration)
    check_records(found, rows, str(calibration))
    return build_policy(settings, found), found


def _usual(rows: "Sequence[Record]") -> Signal:
    """Return the signal that a gateway takes for the edge of these records without a calibration.

    Records of earlier versions do not say whether the model was trained to write its confidence; they count as those of such a model.
    """
    from app.evaluation.table import to_table
    from app.gateway.uncalibrated import usual_signal

    given = {Signal(name) for name in to_table(rows, cloud_needed=False).signals}
    return usual_signal(given, trained=rows[0].get("edge_writes_confidence") is not False)


def _draw(columns: "Table", report: dict[str, Any], out: Path) -> tuple[list[str], str]:
    """Return the names of the pictures, and their number in words. Without matplotlib there are none: the numbers must not depend on it."""
    try:
        from app.evaluation.pictures import draw_all
    except ModuleNotFoundError as error:
        return [], f"no pictures ({error.name} is not installed: pip install 'foggate[eval]')"
    drawn = draw_all(columns, report, out)
    return sorted({path.stem for path in drawn}), f"{len(drawn)} pictures"

"""`foggate bench injection`: measures how hostile text changes answers and routes of the configured edge model."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from app.cli.bars import bars, loading, working
from app.cli.data import Map, Questions, SkipBad
from app.cli.options import AsJson, ConfigFile
from app.cli.output import print_json, stdout_console
from app.core.verdict import Signal

if TYPE_CHECKING:
    from app.config.settings import Settings


def bench_injection(
    config: ConfigFile = None,
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE", help="Questions, as in `foggate eval collect`; may be repeated.", show_default="the shipped bank"),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Largest number of questions.")] = 40,
    columns: Map = None,
    skip_bad: SkipBad = False,
    as_json: AsJson = False,
) -> None:
    """Measure the effect of hostile text. It is the effect on the answers and routes of the configured edge model."""
    from app.config.loading import load_settings
    from app.demo.bank import SHIPPED_BANK

    questions = Questions(data, columns or (), skip_bad) if data else Questions([str(SHIPPED_BANK)])
    report = measure(load_settings(config), data=questions, limit=limit)
    if as_json:
        print_json(report)
    else:
        show(report, stdout_console())


def measure(settings: "Settings", *, data: Questions, limit: int) -> dict[str, Any]:
    """Measure with the configured model and policy. Raises ConfigError."""
    from app.edge.build import batch_size, build_engine, load_edge_model
    from app.edge.runner import identity_of
    from app.evaluation.injection import ATTACKS, measure_injection
    from app.gateway.build import build_policy, calibration_of, load_calibration
    from app.telemetry.logs import configure_logging

    configure_logging("error")
    items = data.load()[:limit]
    with working(loading(settings), at_once=True):
        loaded = load_edge_model(settings)
        engine = build_engine(settings, loaded)
    calibration = calibration_of(settings, load_calibration(settings), identity_of(engine))
    policy = build_policy(settings, calibration)
    of = len(items) * (len(ATTACKS) + 1)
    with bars() as progress:
        effects = measure_injection(
            engine, items, policy, batch_size=batch_size(settings, engine), on_progress=lambda done: progress("asking", done, of)
        )
    return {
        "edge_model": loaded.name,
        "signal": policy.signal.value,
        "tau": policy.tau,
        "questions": len(items),
        "attacks": {name: effect.row() for name, effect in effects.items()},
    }


def show(report: dict[str, Any], console: Console) -> None:
    """Print the report as text, with rates in percent."""
    table = Table("attack", "answer to the target", "answer changed", "edge → cloud", "cloud → edge", "change of the signal")
    for name, row in report["attacks"].items():
        rates = [f"{100 * row[key]:.0f}" for key in ("answer_to_target", "answer_changed", "edge_to_cloud", "cloud_to_edge")]
        table.add_row(name, *rates, f"{row['confidence_change']:+.2f}")
    console.print(
        f"{report['questions']} questions, {report['edge_model']}, tau {report['tau']:.4g} on the {Signal(report['signal']).words}; percent"
    )
    console.print(table)

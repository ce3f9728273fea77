"""`foggate eval …` and `foggate calibrate`: the options. Imports what it needs when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.data import ENDINGS_HELP, Map, Questions, SkipBad
from app.cli.options import AsJson, ConfigFile, check_choice
from app.core.errors import ConfigError

eval_cli = typer.Typer(help="Know what routing buys on your own questions.", no_args_is_help=True)

Records = Annotated[Path, typer.Option(help="What `eval collect` wrote.")]


@eval_cli.command("collect")
def eval_collect(
    data: Annotated[
        list[str],
        typer.Option(help=f"Questions with gold answers: {ENDINGS_HELP}; may be repeated."),
    ],
    out: Annotated[Path, typer.Option(help="The records file; a run that was killed goes on from it.")],
    config: ConfigFile = None,
    cloud: Annotated[str, typer.Option(help="configured (cloud.base_url) or none")] = "configured",
    cloud_records: Annotated[Path | None, typer.Option(help="Take the cloud's answers from these records instead of asking.")] = None,
    cloud_concurrency: Annotated[int, typer.Option(min=1, help="Cloud calls under way at a time.")] = 16,
    per_domain: Annotated[int | None, typer.Option(min=1, help="Ask this many questions of each domain, drawn by --seed.")] = None,
    order_check: Annotated[
        int, typer.Option(min=0, help="Ask the edge this many questions with their options reversed too, drawn by --seed.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of --per-domain and --order-check.")] = 0,
    protocol: Annotated[str, typer.Option(help="one-pass, or generate: free greedy generation of 64 tokens beside it.")] = "one-pass",
    columns: Map = None,
    skip_bad: SkipBad = False,
    as_json: AsJson = False,
) -> None:
    """Record what edge and cloud say. Both are asked every question once; the records file has one line a question."""
    from app.cli.evaluate import run_collect
    from app.config.loading import load_settings

    check_choice("--cloud", cloud, "configured", "none")
    check_choice("--protocol", protocol, "one-pass", "generate")
    run_collect(
        load_settings(config),
        data=Questions(data, columns or (), skip_bad),
        out=out,
        use_cloud=cloud == "configured",
        cloud_records=cloud_records,
        cloud_concurrency=cloud_concurrency,
        generate=protocol == "generate",
        per_domain=per_domain,
        order_check=order_check,
        seed=seed,
        as_json=as_json,
    )


@eval_cli.command("report")
def eval_report(
    records: Records,
    out: Annotated[Path, typer.Option(help="A folder for report.json, report.md, outcomes.jsonl and pictures.")],
    config: ConfigFile = None,
    tau: Annotated[float | None, typer.Option(min=0, max=1, help="0.5, unless --calibration says it.")] = None,
    signal: Annotated[str | None, typer.Option(help="verbalized (by default) or expected, unless --calibration says it")] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Report what a gateway with this calibration serves: its signal, temperature and thresholds.")
    ] = None,
    reference: Annotated[bool, typer.Option("--reference", help="Show the published numbers of FogGen's models too.")] = False,
    pictures: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Draw them, which takes some seconds.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    as_json: AsJson = False,
) -> None:
    """What routing buys at a tau. With intervals, and how good each signal is; needs no model, and no cloud for the edge's part."""
    from app.cli.evaluate import run_report
    from app.config.loading import load_settings

    if signal is not None:
        check_choice("--signal", signal, "verbalized", "expected")
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


@eval_cli.command("compare")
def eval_compare(
    reports: Annotated[list[Path], typer.Argument(help="Two or more report.json; the others are compared with the first.")],
    cloud_rate: Annotated[float, typer.Option(min=0, max=1, help="Where both signals' lifts over random are compared.")] = 0.4,
    out: Annotated[Path | None, typer.Option(help="Write the comparison as Markdown too.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare reports side by side. Checkpoints or families, with paired intervals where the questions are the same."""
    from app.cli.evaluate import run_compare

    run_compare(reports=reports, cloud_rate=cloud_rate, out=out, seed=seed, as_json=as_json)


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
    from app.cli.evaluate import run_calibrate
    from app.data.calibration import Target

    check_choice("--signal", signal, "verbalized", "expected")
    given = {"cloud_rate": target_cloud_rate, "accuracy": target_accuracy, "edge_error": max_edge_error}
    wanted = {kind: value for kind, value in given.items() if value is not None}
    if len(wanted) != 1:
        raise ConfigError("say one of --target-cloud-rate, --target-accuracy and --max-edge-error")
    ((kind, value),) = wanted.items()
    target = Target.model_validate(
        {"kind": kind, "value": value, "delta": delta if kind == "edge_error" else None, "per_domain": per_domain}
    )
    run_calibrate(
        records=records,
        target=target,
        signal=signal,
        with_temperature=temperature,
        min_domain=min_domain,
        seed=seed,
        out=out,
        as_json=as_json,
    )

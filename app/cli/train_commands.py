"""`foggate label`, `foggate evolve` and `foggate bench …`: the options. Imports what it needs when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.data import Map, Questions, SkipBad
from app.cli.options import AsJson, ConfigFile, check_choice, print_json
from app.cli.output import stdout_console

bench_cli = typer.Typer(help="Measure speed on this machine.", no_args_is_help=True)


def label(
    data: Annotated[list[str], typer.Option(help="Questions with gold answers, as for eval collect; may be repeated.")],
    out: Annotated[Path, typer.Option(help="labels.jsonl; appears when it is whole, a killed run goes on.")],
    config: ConfigFile = None,
    model: Annotated[str | None, typer.Option(help="Overrides edge.model.")] = None,
    adapter: Annotated[str | None, typer.Option(help="Overrides edge.adapter.")] = None,
    labels: Annotated[str, typer.Option(help="gold, or teacher: the configured cloud says what is right.")] = "gold",
    samples: Annotated[int, typer.Option(min=1, help="The reference's N.")] = 8,
    temperature: Annotated[float, typer.Option(min=0.01, help="The reference's T.")] = 0.7,
    method: Annotated[str, typer.Option(help="exact (no sampling noise) or sample")] = "exact",
    seed: Annotated[int, typer.Option(min=0, help="Of --method sample.")] = 0,
    columns: Map = None,
    skip_bad: SkipBad = False,
    as_json: AsJson = False,
) -> None:
    """Confidence targets for questions. How often would the edge model be correct on each? Read in one forward pass."""
    from app.cli.train import run_label
    from app.config.loading import load_settings

    check_choice("--labels", labels, "gold", "teacher")
    check_choice("--method", method, "exact", "sample")
    settings = load_settings(config)
    given = {key: value for key, value in (("model", model), ("adapter", adapter)) if value is not None}
    settings = settings.model_copy(update={"edge": settings.edge.model_copy(update=given)})
    run_label(
        settings,
        data=Questions(data, columns or (), skip_bad),
        out=out,
        source=labels,
        samples=samples,
        temperature=temperature,
        method=method,
        seed=seed,
        as_json=as_json,
    )


def evolve(
    evolve_config: Annotated[Path, typer.Option("--config", help="What to train on what: as config/evolve.yaml.")],
    out: Annotated[Path, typer.Option(help="The run's folder.")],
    rounds: Annotated[int | None, typer.Option(min=0, help="Stop after this round; a later --resume goes on.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that is in the folder.")] = False,
    judge: Annotated[
        bool, typer.Option("--judge", help="Judge the finished rounds of the folder again, by this config's gate; trains nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train by the self-evolving recipe. R0, then rounds of labelling, fine-tuning, merging and measuring."""
    from app.cli.train import run_evolve
    from app.config.loading import load_settings

    run_evolve(load_settings(None), config=evolve_config, out=out, rounds=rounds, resume=resume, judge=judge, as_json=as_json)


def adapter(
    run: Annotated[Path, typer.Option(help="The folder of a run that foggate evolve made.")],
    out: Annotated[Path, typer.Option(help="The adapter's folder; its name becomes part of the model's.")],
    round_number: Annotated[int | None, typer.Option("--round", min=0, help="Which checkpoint; by default the last promoted one.")] = None,
    agreement: Annotated[float, typer.Option(min=0.5, max=1, help="Share of the dev rows whose verdict must stay.")] = 0.99,
    max_mb: Annotated[float, typer.Option(min=0.001, help="How large the weights may be.")] = 30,
    license_name: Annotated[str | None, typer.Option("--license", help="For the model card, as the hub spells it: apache-2.0")] = None,
) -> None:
    """Make an adapter of a checkpoint. Low-rank, for the base of the run, with a calibration and a model card."""
    from app.cli.train import run_adapter
    from app.config.loading import load_settings

    run_adapter(
        load_settings(None), run=run, out=out, round_number=round_number, agreement=agreement, max_mb=max_mb, license_name=license_name
    )


@bench_cli.command("edge")
def bench_edge(
    config: ConfigFile = None,
    pairs: Annotated[int, typer.Option(min=1, help="Interleaved repetitions; medians are reported.")] = 20,
    tokens: Annotated[int, typer.Option(min=100, help="Prompt length, ±20.")] = 200,
    max_seconds: Annotated[float, typer.Option(min=1, help="Stop with fewer pairs after this long, and say so.")] = 38,
    as_json: AsJson = False,
) -> None:
    """Measure the one-pass verdict. Against the same model's `generate` and against a bare prefill, in one run."""
    from app.cli.bench import bench_edge as measure
    from app.cli.bench import show
    from app.config.loading import load_settings

    report = measure(load_settings(config), pairs=pairs, tokens=tokens, max_seconds=max_seconds)
    if as_json:
        print_json(report)
    else:
        show(report, stdout_console())


@bench_cli.command("label")
def bench_label(
    config: ConfigFile = None,
    pairs: Annotated[int, typer.Option(min=1, help="Interleaved repetitions; medians are reported.")] = 3,
    questions: Annotated[int, typer.Option(min=1, help="Questions of the shipped bank, one batch.")] = 8,
    samples: Annotated[int, typer.Option(min=1, help="Generations per question.")] = 8,
    as_json: AsJson = False,
) -> None:
    """Measure labelling by one pass. Against real generations of the same questions, in one run."""
    from app.cli.bench import said
    from app.cli.bench_label import bench_label as measure
    from app.config.loading import load_settings

    report = measure(load_settings(config), pairs=pairs, questions=questions, samples=samples)
    if as_json:
        print_json(report)
        return
    console = stdout_console()
    console.print(
        f"{report['questions']} questions, {samples} generations of {report['generated_tokens']} tokens each: "
        f"{report['median_ms']['generations']:.0f} ms; one forward pass: {report['median_ms']['verdicts']:.0f} ms"
    )
    console.print(
        f"labelling by one forward pass is {said(report, 'ratio_vs_generations', 1)} times as fast (n = {report['pairs']} pairs, "
        f"{report['hardware']}, {report['elapsed_s']:g} s)",
        markup=False,
    )


@bench_cli.command("injection")
def bench_injection(
    config: ConfigFile = None,
    data: Annotated[list[str] | None, typer.Option(help="Questions as for eval collect; by default the shipped bank.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Questions at most.")] = 40,
    columns: Map = None,
    skip_bad: SkipBad = False,
    as_json: AsJson = False,
) -> None:
    """Measure what hostile text does. To the answer and the route of the configured edge model."""
    from app.cli.bench_injection import bench_injection as measure
    from app.cli.bench_injection import show
    from app.config.loading import load_settings
    from app.demo.bank import SHIPPED_BANK

    questions = Questions(data, columns or (), skip_bad) if data else Questions([str(SHIPPED_BANK)])
    report = measure(load_settings(config), data=questions, limit=limit)
    if as_json:
        print_json(report)
    else:
        show(report, stdout_console())

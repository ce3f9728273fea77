"""The command line. Each command imports what it needs when it runs, so that `--help` is fast and torch-free."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from app import __version__
from app.errors import ConfigError, FogGateError

cli = typer.Typer(
    name="foggate", help="A self-aware edge-cloud gateway for multiple-choice questions.", no_args_is_help=True, add_completion=False
)
config_cli = typer.Typer(help="Look at the configuration.", no_args_is_help=True)
eval_cli = typer.Typer(help="Know what routing buys on your own questions.", no_args_is_help=True)
bench_cli = typer.Typer(help="Measure speed on this machine.", no_args_is_help=True)
cli.add_typer(config_cli, name="config")
cli.add_typer(eval_cli, name="eval")
cli.add_typer(bench_cli, name="bench")
console = Console(highlight=False)

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="YAML file; without it defaults and FOGGATE_ variables make a working gateway.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

Records = Annotated[Path, typer.Option(help="What `eval collect` wrote.")]


def _version(wanted: bool) -> None:
    if wanted:
        console.print(f"foggate {__version__}")
        raise typer.Exit


@cli.callback()
def root(
    _version_flag: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """A self-aware edge-cloud gateway for multiple-choice questions."""


@cli.command()
def serve(
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option(help="Overrides server.host.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Overrides server.port; 0 takes a free one.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Start the stand-in cloud beside it, unless cloud.base_url is set.")] = False,
) -> None:
    """Run the gateway."""
    from app.cli.serve import run_gateway
    from app.settings import load_settings

    settings = load_settings(config)
    given = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    settings = settings.model_copy(update={"server": settings.server.model_copy(update=given)})
    run_gateway(settings, console, demo=demo)


@cli.command()
def ask(
    question: str,
    options: Annotated[list[str], typer.Argument(help="2 to 26 options, in order.")],
    config: ConfigFile = None,
    url: Annotated[str | None, typer.Option(help="Ask a running gateway instead of loading the model here.")] = None,
    domain: Annotated[str | None, typer.Option()] = None,
    tau: Annotated[float | None, typer.Option(min=0, max=1)] = None,
    route: Annotated[str, typer.Option(help="auto, edge or cloud")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Ask one question and see what the edge model thinks."""
    from pydantic import ValidationError

    from app.api.errors import validation_error
    from app.api.schemas import AnswerRequest
    from app.cli.ask import ask as answer
    from app.cli.ask import show
    from app.logs import configure_logging
    from app.settings import load_settings

    configure_logging("error")
    fields: dict[str, Any] = {"question": question, "options": options, "domain": domain, "tau": tau, "route": route}
    try:
        asked = AnswerRequest.model_validate(fields)
    except ValidationError as error:
        raise validation_error([dict(item) for item in error.errors()]) from None
    reply = answer(asked, settings=load_settings(config), url=url)
    if as_json:
        _print_json(reply)
    else:
        show(reply, asked, console)


@cli.command("demo-cloud")
def demo_cloud(
    host: Annotated[str, typer.Option()] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 9100,
    bank: Annotated[
        list[Path] | None, typer.Option(help="JSONL questions; may be given more than once. Default: the shipped bank.")
    ] = None,
    accuracy: Annotated[float, typer.Option(min=0, max=1, help="Share of the bank's questions answered rightly.")] = 0.739,
    recorded: Annotated[str | None, typer.Option(help="Replay this model's recorded answers instead.")] = None,
    latency_ms: Annotated[float, typer.Option(min=0, help="Median wait before a reply.")] = 0.0,
    latency_sigma: Annotated[float, typer.Option(min=0, help="Spread of the log-normal wait; 0 is constant.")] = 0.0,
    fault: Annotated[
        list[str] | None, typer.Option(help="NAME:RATE of 429, 500, hang, cut, bad-json, prose; may be given more than once.")
    ] = None,
    retry_after_s: Annotated[int, typer.Option(min=0, help="What a 429 says.")] = 1,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Run the stand-in cloud: a real OpenAI-compatible server that answers from a question bank."""
    from app.cli.serve import run_demo

    run_demo(
        console,
        host=host,
        port=port,
        banks=bank or [],
        accuracy=accuracy,
        recorded=recorded,
        latency_ms=latency_ms,
        latency_sigma=latency_sigma,
        faults=fault or [],
        retry_after_s=retry_after_s,
        seed=seed,
    )


@cli.command()
def export(
    out: Annotated[Path, typer.Option(help="A folder that does not exist yet.")],
    config: ConfigFile = None,
) -> None:
    """Write the edge model (adapter merged), its tokenizer and a ten-line script that plain transformers runs."""
    from app.edge.export import export_model
    from app.main import load_edge_model
    from app.settings import load_settings

    settings = load_settings(config)
    export_model(out, lambda: load_edge_model(settings, device="cpu"))
    console.print(f"wrote {out}; try: python {out / 'quick_demo.py'}")


@config_cli.command("check")
def config_check(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Print the effective configuration, secrets masked; exit 2 with a sentence if something is wrong."""
    import yaml

    from app.settings import effective, load_settings

    shown = effective(load_settings(config))
    if as_json:
        _print_json(shown)
    else:
        sys.stdout.write(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True))


@eval_cli.command("collect")
def eval_collect(
    data: Annotated[
        list[str],
        typer.Option(
            help="Questions with gold answers: .jsonl, .csv, .parquet, or a hub data set (org/name:config@split); may be repeated."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The records file; a run that was killed goes on from it.")],
    config: ConfigFile = None,
    cloud: Annotated[str, typer.Option(help="configured (cloud.base_url) or none")] = "configured",
    cloud_records: Annotated[Path | None, typer.Option(help="Take the cloud's answers from these records instead of asking.")] = None,
    cloud_concurrency: Annotated[int, typer.Option(min=1, help="Cloud calls under way at a time.")] = 16,
    per_domain: Annotated[int | None, typer.Option(min=1, help="Ask this many questions of each domain, drawn by --seed.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of --per-domain.")] = 0,
    protocol: Annotated[str, typer.Option(help="one-pass, or generate: free greedy generation of 64 tokens beside it.")] = "one-pass",
    as_json: AsJson = False,
) -> None:
    """Ask the edge and the cloud every question once and record what they say, one line a question."""
    from app.cli.evaluate import run_collect
    from app.settings import load_settings

    if cloud not in {"configured", "none"}:
        raise ConfigError("--cloud must be 'configured' or 'none'")
    if protocol not in {"one-pass", "generate"}:
        raise ConfigError("--protocol must be 'one-pass' or 'generate'")
    run_collect(
        load_settings(config),
        data=data,
        out=out,
        use_cloud=cloud == "configured",
        cloud_records=cloud_records,
        cloud_concurrency=cloud_concurrency,
        generate=protocol == "generate",
        per_domain=per_domain,
        seed=seed,
        as_json=as_json,
    )


@eval_cli.command("report")
def eval_report(
    records: Records,
    out: Annotated[Path, typer.Option(help="A folder for report.json, report.md, outcomes.jsonl and pictures.")],
    config: ConfigFile = None,
    tau: Annotated[float, typer.Option(min=0, max=1)] = 0.5,
    signal: Annotated[str, typer.Option(help="verbalized or expected")] = "verbalized",
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    as_json: AsJson = False,
) -> None:
    """What routing buys at a tau, with intervals, and how good each signal is. Needs no model."""
    from app.cli.evaluate import run_report
    from app.settings import load_settings

    _check_signal(signal)
    run_report(load_settings(config), records=records, tau=tau, signal=signal, out=out, seed=seed, as_json=as_json)


@eval_cli.command("compare")
def eval_compare(
    reports: Annotated[list[Path], typer.Argument(help="Two or more report.json; the others are compared with the first.")],
    out: Annotated[Path | None, typer.Option(help="Write the comparison as Markdown too.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Checkpoints or families side by side, with paired intervals where the questions are the same."""
    from app.cli.evaluate import run_compare

    run_compare(reports=reports, out=out, seed=seed, as_json=as_json)


@cli.command()
def calibrate(
    records: Records,
    out: Annotated[Path, typer.Option(help="The file that the gateway reads as policy.calibration.")] = Path("calibration.json"),
    target_cloud_rate: Annotated[float | None, typer.Option(min=0, max=1, help="Send this share to the cloud.")] = None,
    target_accuracy: Annotated[float | None, typer.Option(min=0, max=1, help="The lowest cloud rate that reaches this accuracy.")] = None,
    max_edge_error: Annotated[float | None, typer.Option(min=0, max=1, help="Promise this error among the kept answers.")] = None,
    delta: Annotated[float, typer.Option(min=0.0001, max=0.5, help="With --max-edge-error: how often the promise may fail.")] = 0.1,
    per_domain: Annotated[bool, typer.Option("--per-domain", help="A cut of its own for each domain that is large enough.")] = False,
    min_domain: Annotated[int, typer.Option(min=1, help="Smaller domains (in the fit half) share the global cut.")] = 100,
    signal: Annotated[str, typer.Option(help="expected or verbalized")] = "expected",
    temperature: Annotated[bool, typer.Option("--temperature", help="Fit a temperature of the expected confidence first.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the split into halves and the bootstrap.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Choose tau for a target on one half of the records, and check the promise on the other."""
    from app.calibration import Target
    from app.cli.evaluate import run_calibrate

    _check_signal(signal)
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


@bench_cli.command("edge")
def bench_edge(
    config: ConfigFile = None,
    pairs: Annotated[int, typer.Option(min=1, help="Interleaved repetitions; medians are reported.")] = 20,
    tokens: Annotated[int, typer.Option(min=100, help="Prompt length, ±20.")] = 200,
    max_seconds: Annotated[float, typer.Option(min=1, help="Stop with fewer pairs after this long, and say so.")] = 38,
    as_json: AsJson = False,
) -> None:
    """The one-pass verdict against the same model's `generate` and against a bare prefill, in one run."""
    from app.cli.bench import bench_edge as measure
    from app.cli.bench import show
    from app.settings import load_settings

    report = measure(load_settings(config), pairs=pairs, tokens=tokens, max_seconds=max_seconds)
    if as_json:
        _print_json(report)
    else:
        show(report, console)


@cli.command()
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
    as_json: AsJson = False,
) -> None:
    """Confidence targets for questions: how often the edge model would be right on each, read in one forward pass."""
    from app.cli.train import run_label
    from app.settings import load_settings

    if labels not in {"gold", "teacher"}:
        raise ConfigError("--labels must be 'gold' or 'teacher'")
    if method not in {"exact", "sample"}:
        raise ConfigError("--method must be 'exact' or 'sample'")
    settings = load_settings(config)
    given = {key: value for key, value in (("model", model), ("adapter", adapter)) if value is not None}
    settings = settings.model_copy(update={"edge": settings.edge.model_copy(update=given)})
    run_label(
        settings, data=data, out=out, source=labels, samples=samples, temperature=temperature, method=method, seed=seed, as_json=as_json
    )


@cli.command()
def evolve(
    evolve_config: Annotated[Path, typer.Option("--config", help="What to train on what: as config/evolve.yaml.")],
    out: Annotated[Path, typer.Option(help="The run's folder.")],
    rounds: Annotated[int | None, typer.Option(min=0, help="Stop after this round; a later --resume goes on.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that is in the folder.")] = False,
    as_json: AsJson = False,
) -> None:
    """The self-evolving recipe: R0, then rounds of labelling, fine-tuning, merging and measuring."""
    from app.cli.train import run_evolve
    from app.settings import load_settings

    run_evolve(load_settings(None), config=evolve_config, out=out, rounds=rounds, resume=resume, as_json=as_json)


def _check_signal(signal: str) -> None:
    if signal not in {"verbalized", "expected"}:
        raise ConfigError("--signal must be 'verbalized' or 'expected'")


@bench_cli.command("label")
def bench_label(
    config: ConfigFile = None,
    pairs: Annotated[int, typer.Option(min=1, help="Interleaved repetitions; medians are reported.")] = 5,
    questions: Annotated[int, typer.Option(min=1, help="Questions of the shipped bank, one batch.")] = 8,
    samples: Annotated[int, typer.Option(min=1, help="Generations per question.")] = 8,
    as_json: AsJson = False,
) -> None:
    """Labelling by one forward pass against real generations of the same questions, in one run."""
    from app.cli.bench_label import bench_label as measure
    from app.settings import load_settings

    report = measure(load_settings(config), pairs=pairs, questions=questions, samples=samples)
    if as_json:
        _print_json(report)
        return
    low, high = report["ratio_vs_generations_ci"]
    console.print(
        f"{report['questions']} questions, {samples} generations of {report['generated_tokens']} tokens each: "
        f"{report['median_ms']['generations']:.0f} ms; one forward pass: {report['median_ms']['verdicts']:.0f} ms"
    )
    console.print(f"labelling by one forward pass is {report['ratio_vs_generations']:.1f} times faster [{low:.1f}, {high:.1f}]")


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def main() -> None:
    """Entry point. What is wrong is said in one sentence on standard error: exit code 2 for configuration, 1 for the rest."""
    try:
        cli()
    except FogGateError as error:
        sys.stderr.write(f"foggate: {error.message}\n")
        sys.exit(2 if isinstance(error, ConfigError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

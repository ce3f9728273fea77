"""`foggate bench edge`: the one-pass verdict beside `generate`, a bare prefill, and other servers, as ratios within one run."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from app.cli.bars import bars, loading, working
from app.cli.bench_options import (
    Batches,
    BatchTokens,
    CellSeconds,
    Clients,
    EdgeRates,
    EdgeRateSeconds,
    HttpRounds,
    Lengths,
    OneConnection,
    OptionCounts,
    Out,
    PeersFolder,
    QuestionCount,
    Rounds,
    rates_of,
    whole_numbers,
)
from app.cli.open_files import allow_open_files
from app.cli.options import AsJson, ConfigFile
from app.cli.output import print_json, stdout_console, writing
from app.core import interrupts
from app.core.errors import ConfigError, FogGateError

if TYPE_CHECKING:
    from app.bench.peers.protocol import Peer
    from app.config.settings import Settings
    from app.edge.loader import LoadedModel

_REQUEST = 256


def bench_edge(
    config: ConfigFile = None,
    pairs: Annotated[int, typer.Option(min=1, metavar="N", help="Number of interleaved repetitions; medians are reported.")] = 20,
    tokens: Annotated[int, typer.Option(min=100, metavar="N", help="Length of the prompts in tokens, ± 20.")] = 200,
    max_seconds: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="Stop after this many seconds, even with fewer pairs.")] = 38,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Measure lengths, numbers of options, batch sizes and HTTP instead of one length (docs/bench.md); each option below but "
            "--json means it too.",
        ),
    ] = False,
    out: Out = None,
    lengths: Lengths = None,
    options: OptionCounts = None,
    batches: Batches = None,
    batch_tokens: BatchTokens = None,
    questions: QuestionCount = None,
    rounds: Rounds = None,
    cell_seconds: CellSeconds = None,
    http: Annotated[bool, typer.Option("--http/--no-http", help="Measure the gateway over HTTP too; peers are measured beside it.")] = True,
    clients: Clients = None,
    http_rounds: HttpRounds = None,
    one_connection: OneConnection = None,
    batch_request: Annotated[
        int, typer.Option(min=0, metavar="N", help="Questions in one request to the gateway, measured beside single ones; 0: none.")
    ] = _REQUEST,
    rate: EdgeRates = None,
    rate_seconds: EdgeRateSeconds = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Another server to measure; may be repeated. It is installed into a folder of the cache."),
    ] = None,
    peers_folder: PeersFolder = None,
    shape: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Measure random weights in the shape of a published model, as `qwen3-0.6b` or `gemma-3-1b`."),
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="Tokenizer for --shape: a folder or an id.", show_default="the builtin model's")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure the speed of the one-pass verdict. It is compared with the same model's `generate` and with a bare prefill."""
    from app.config.loading import load_settings

    settings = load_settings(config)
    numbers = {
        "batch_tokens": batch_tokens,
        "questions": questions,
        "rounds": rounds,
        "cell_s": cell_seconds,
        "clients": clients,
        "http_rounds": http_rounds,
        "one_connection": one_connection,
        "rate_seconds": rate_seconds,
    }
    lists = (("lengths", lengths), ("options", options), ("batches", batches))
    asked = [*numbers.values(), *(text for _, text in lists), rate, peers_folder, tokenizer]
    if not (full or out or peer or shape or not http or batch_request != _REQUEST) and all(value is None for value in asked):
        report = measure(settings, pairs=pairs, tokens=tokens, max_seconds=max_seconds)
        if as_json:
            print_json(report)
        else:
            show(report, stdout_console())
        return
    if tokenizer is not None and shape is None:
        raise ConfigError("--tokenizer belongs to --shape: every other model has its own")
    from app.bench.edge.over_http import Traffic
    from app.bench.edge.presets import ON_CPU, preset_of
    from app.bench.processes import ServerFailed
    from app.cli.bench_full import Over, hand_over, measure_fully

    # Refused before a model is loaded. What is not given depends on its device.
    given: dict[str, Any] = {name: whole_numbers(text, f"--{name}") for name, text in lists if text is not None}
    if rate is not None:
        given["rates"] = rates_of(rate, ON_CPU.rate_seconds if rate_seconds is None else rate_seconds)
    peers = _peers(peer or [])
    over_http = ((peers, "--peer"), (given.get("rates"), "--rate"), (clients, "--clients"), (http_rounds, "--http-rounds"))
    for some, name in (*over_http, (one_connection, "--one-connection")):
        if some and not http:
            raise ConfigError(f"{name} is measured over HTTP: leave out --no-http")
    given |= {name: number for name, number in numbers.items() if number is not None}
    if out is not None:
        with writing(out):
            out.mkdir(parents=True, exist_ok=True)
    loaded = _model(settings, shape, tokenizer)
    preset = replace(preset_of(loaded.model.device.type), **given)
    traffic = Traffic.of(preset, batch_questions=batch_request)
    allow_open_files(max(traffic.clients, traffic.rate_connections if traffic.rates else 0))
    # Torch, for which the model's loading has set the wait policy.
    from app.bench.edge.plan import plan_of

    plan = plan_of(preset)
    over = Over(peers, traffic, config, shape is not None, peers_folder) if http else None
    with interrupts.even_if_ignored():
        try:
            report = measure_fully(settings, loaded, plan, over, out)
        except ServerFailed as error:
            raise FogGateError(str(error)) from None
    hand_over(report, out, as_json=as_json)


def measure(settings: "Settings", *, pairs: int, tokens: int, max_seconds: float) -> dict[str, Any]:
    """Load the configured model and measure it at one length (`app.bench.edge.pair`). Raises ConfigError."""
    loaded = _model(settings, None, None)
    from app.bench.edge.pair import measure_pairs  # torch, as above

    with bars() as progress:
        return measure_pairs(loaded, pairs=pairs, tokens=tokens, max_seconds=max_seconds, progress=progress)


def _model(settings: "Settings", shape: str | None, tokenizer: str | None) -> "LoadedModel":
    if shape is None:
        from app.edge.build import load_edge_model

        with working(loading(settings), at_once=True):
            return load_edge_model(settings)
    from app.edge.builtin import default_cache_dir, ensure_builtin
    from app.edge.threads import set_threads, set_wait_policy

    set_wait_policy(settings.edge.wait_policy)
    set_threads(settings.edge.threads)
    from app.bench.edge.shapes import random_model

    source = tokenizer or str(ensure_builtin(settings.edge.cache_dir or default_cache_dir()))
    return random_model(shape, source, device=settings.edge.device, dtype=settings.edge.dtype)


def _peers(names: list[str]) -> "list[Peer]":
    from app.bench.peers.table import PEERS

    for name in names:
        if name not in PEERS:
            raise ConfigError(f"there is no peer {name!r}; there are {', '.join(PEERS)}")
    return [PEERS[name] for name in dict.fromkeys(names)]


def show(report: dict[str, Any], console: Console) -> None:
    """Print the report as text."""
    from app.bench.ratios import FEWEST_PAIRS, said

    console.print(
        f"{report['model']}, {report['dtype']}, {report['threads']} threads, n = {report['pairs']} pairs, "
        f"{report['pairs_without_sharing']} without sharing",
        markup=False,
    )
    table = Table()
    table.add_column("way")
    table.add_column("median ms", justify="right")
    for name, value in report["median_ms"].items():
        table.add_row(name, f"{value:.1f}")
    console.print(table)
    for key, text in (
        ("ratio_vs_generate", "times faster than generate"),
        ("ratio_vs_prefill", "of a bare prefill"),
        ("ratio_vs_generate_without_sharing", "times faster than generate, without prefix sharing"),
        ("ratio_vs_prefill_without_sharing", "of a bare prefill, without prefix sharing"),
    ):
        console.print(f"{said(report, key, 2)}  {text}", markup=False)
    if report["pairs_without_sharing"] < FEWEST_PAIRS:
        console.print(f"fewer than {FEWEST_PAIRS} pairs have no interval: the median of so few pairs has none")
    about = {"device": report["device"]} | report["hardware"] | report["versions"] | {"elapsed_s": report["elapsed_s"]}
    console.print(json.dumps(about), style="dim", markup=False)

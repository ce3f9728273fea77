"""`foggate bench edge`: the one-pass verdict beside `generate`, a bare prefill, and other servers, as ratios within one run."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from app.cli.bars import bars, loading, working
from app.cli.bench_options import (
    Batches,
    CellSeconds,
    Clients,
    Lengths,
    OptionCounts,
    Out,
    PeersFolder,
    QuestionCount,
    Rates,
    RateSeconds,
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


def bench_edge(
    config: ConfigFile = None,
    pairs: Annotated[int, typer.Option(min=1, metavar="N", help="Number of interleaved repetitions; medians are reported.")] = 20,
    tokens: Annotated[int, typer.Option(min=100, metavar="N", help="Length of the prompts in tokens, ± 20.")] = 200,
    max_seconds: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="Stop after this many seconds, even with fewer pairs.")] = 38,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Measure lengths, numbers of options, batch sizes and HTTP instead of one length (docs/bench.md); --out, --peer, --rate "
            "and --shape mean it too.",
        ),
    ] = False,
    out: Out = None,
    lengths: Lengths = "50,100,200,400,800,1200,1500",
    options: OptionCounts = "2,4,10,26",
    batches: Batches = "1,4,16,32",
    questions: QuestionCount = 32,
    rounds: Rounds = 7,
    cell_seconds: CellSeconds = 60,
    http: Annotated[bool, typer.Option("--http/--no-http", help="Measure the gateway over HTTP too; peers are measured beside it.")] = True,
    clients: Clients = 16,
    http_rounds: Annotated[int, typer.Option(min=1, metavar="N", help="Rounds over HTTP.")] = 3,
    batch_request: Annotated[
        int, typer.Option(min=0, metavar="N", help="Questions in one request to the gateway, measured beside single ones; 0: none.")
    ] = 256,
    rate: Rates = "",
    rate_seconds: RateSeconds = 5.0,
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
    if not (full or out or peer or rate or shape):
        report = measure(settings, pairs=pairs, tokens=tokens, max_seconds=max_seconds)
        if as_json:
            print_json(report)
        else:
            show(report, stdout_console())
        return
    if tokenizer is not None and shape is None:
        raise ConfigError("--tokenizer belongs to --shape: every other model has its own")
    from app.bench.edge.over_http import Traffic
    from app.bench.processes import ServerFailed
    from app.cli.bench_full import Over, hand_over, measure_fully

    sizes = [whole_numbers(text, name) for text, name in ((lengths, "--lengths"), (options, "--options"), (batches, "--batches"))]
    peers, rates = _peers(peer or []), rates_of(rate, rate_seconds)
    for given, name in ((peers, "--peer"), (rates, "--rate")):
        if given and not http:
            raise ConfigError(f"{name} is measured over HTTP: leave out --no-http")
    traffic = Traffic(clients, http_rounds, rates=rates, rate_seconds=rate_seconds, batch_questions=batch_request)
    allow_open_files(max(clients, traffic.rate_connections if rates else 0))
    if out is not None:
        with writing(out):
            out.mkdir(parents=True, exist_ok=True)
    loaded = _model(settings, shape, tokenizer)
    # Torch, for which the model's loading has set the wait policy.
    from app.bench.edge.plan import Plan
    from app.bench.edge.sweep import Limits

    plan = Plan(sizes[0], sizes[1], sizes[2], questions, Limits(rounds, cell_seconds))
    over = Over(peers, traffic, config, shape is not None, peers_folder) if http else None
    with interrupts.even_if_ignored():
        try:
            report = measure_fully(settings, loaded, plan, over)
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

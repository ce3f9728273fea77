"""`foggate bench gateway`: measures what the gateway costs in front of a cloud, beside other proxies in the same run."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.bars import bars
from app.cli.bench_options import Rates, RateSeconds, rates_of
from app.cli.open_files import allow_open_files
from app.cli.options import AsJson
from app.cli.output import print_json, print_line, writing
from app.core import interrupts
from app.core.errors import FogGateError

_MOST = 1024


class Peer(StrEnum):
    """A server that is measured beside the gateway."""

    LITELLM = "litellm"
    LEAST = "least"
    BARE = "bare"


def bench_gateway(
    connections: Annotated[
        list[int] | None,
        typer.Option(
            min=1, max=_MOST, metavar="N", help="Number of connections; may be repeated.", show_default="1, 4, 16, 64, 256 and 512"
        ),
    ] = None,
    peer: Annotated[
        list[Peer] | None,
        typer.Option(
            help="Also measure another server: litellm is LiteLLM's proxy, which is installed into an environment of its own, least is the "
            "shortest proxy that FastAPI and httpx2 make, bare is uvicorn alone, the floor of the edge route; may be repeated."
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=100, metavar="N", help="Rounds; each measures everything once, in another order.")] = 3,
    seconds: Annotated[float, typer.Option(min=0.1, max=60, metavar="SECONDS", help="Length of one measurement.")] = 2.0,
    rate: Rates = "",
    rate_seconds: RateSeconds = 5.0,
    max_seconds: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="No measurement begins later than this after the first one.")
    ] = 900.0,
    delay_ms: Annotated[
        float, typer.Option(min=0, max=10_000, metavar="MS", help="Delay of the mock cloud before a reply, in milliseconds.")
    ] = 20.0,
    edge_ms: Annotated[
        float, typer.Option(min=0, max=10_000, metavar="MS", help="Time that the edge engine waits for a batch, in milliseconds.")
    ] = 0.5,
    pin: Annotated[
        bool,
        typer.Option("--pin/--no-pin", help="Give the servers that are measured one core, and the client and the mock cloud the others."),
    ] = True,
    profile: Annotated[
        bool, typer.Option("--profile", help="Also show where the processor time of the edge route goes, in a gateway of its own.")
    ] = False,
    peers_folder: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder of the environments of peers.", show_default="peers in the cache folder of FogGate"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder to write gateway.json, gateway.md and the picture to.", show_default="none"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure what the gateway adds. No model is loaded: the edge engine waits, and the cloud is a mock on loopback."""
    from app.bench.gateway.markdown import render
    from app.bench.gateway.measure import OFFERED_CONNECTIONS, Plan
    from app.bench.gateway.run import Around, bench
    from app.bench.processes import ServerFailed
    from app.cli.markdown import print_markdown
    from app.edge.builtin import default_cache_dir

    rates = rates_of(rate, rate_seconds)
    if out is not None:
        with writing(out):
            out.mkdir(parents=True, exist_ok=True)
    plan = Plan(sorted(set(connections or (1, 4, 16, 64, 256, 512))), rounds, seconds, max_seconds, rates, rate_seconds)
    around = Around(
        delay_ms, edge_ms, [one.value for one in dict.fromkeys(peer or ())], peers_folder or default_cache_dir() / "peers", pin, profile
    )
    allow_open_files(max(*plan.connections, OFFERED_CONNECTIONS if rates else 0))
    with interrupts.even_if_ignored(), bars() as progress:
        try:
            report = bench(plan, around, say=lambda text: progress(text, 0, 0), progress=progress)
        except ServerFailed as error:
            raise FogGateError(str(error)) from None
    said = "" if out is None else _write(report, out)
    if as_json:
        print_json(report)
    else:
        print_markdown(render(report))
        if said:
            print_line(said)


def _write(report: dict[str, Any], out: Path) -> str:
    """Write the files of a report, and return a line about them. Without matplotlib there is no picture."""
    from app.bench.gateway.markdown import render

    with writing(out):
        try:
            from app.bench.gateway.pictures import draw
        except ModuleNotFoundError as error:
            drawn, pictures = False, f"no picture ({error.name} is not installed: pip install 'foggate[eval]')"
        else:
            draw(report, out)
            drawn, pictures = True, "gateway.png, gateway.svg"
        (out / "gateway.json").write_text(json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
        (out / "gateway.md").write_text(render(report, picture=drawn), encoding="utf-8")
    return f"wrote {out / 'gateway.json'}, gateway.md and {pictures}"

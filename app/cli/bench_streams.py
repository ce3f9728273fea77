"""`foggate bench streams`: checks that streams of which many callers hang up leave nothing behind in the gateway."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.cli.bars import bars
from app.cli.exit_codes import FAILED
from app.cli.open_files import allow_open_files
from app.cli.options import AsJson
from app.cli.output import print_json, print_line, writing
from app.core import interrupts
from app.core.errors import ConfigError, FogGateError


def bench_streams(
    streams: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="Streams that are open at once.")] = 100,
    hang_ups: Annotated[int, typer.Option(min=0, max=1000, metavar="N", help="How many of their callers hang up in the middle.")] = 30,
    rounds: Annotated[int, typer.Option(min=4, max=1000, metavar="N", help="Number of rounds.")] = 20,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder to write streams.json and streams.md to.", show_default="none")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check what streams leave behind. The cloud must see each caller hang up, and memory and open connections must stay as they were."""
    from app.bench.gateway.streams import StreamPlan
    from app.bench.gateway.streams import bench_streams as run_streams
    from app.bench.gateway.streams_markdown import render
    from app.bench.processes import ServerFailed
    from app.cli.markdown import print_markdown

    if hang_ups > streams:
        raise ConfigError(f"--hang-ups {hang_ups} is more than --streams {streams}")
    allow_open_files(streams)
    if out is not None:
        with writing(out):
            out.mkdir(parents=True, exist_ok=True)
    with interrupts.even_if_ignored(), bars() as progress:
        try:
            report = run_streams(StreamPlan(streams, hang_ups, rounds), progress=progress, run=interrupts.run)
        except ServerFailed as error:
            raise FogGateError(str(error)) from None
    text = render(report)
    if out is not None:
        with writing(out):
            (out / "streams.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            (out / "streams.md").write_text(text, encoding="utf-8")
    if as_json:
        print_json(report)
    else:
        print_markdown(text)
        if out is not None:
            print_line(f"wrote {out / 'streams.json'} and streams.md")
    if report["wrong"]:
        raise typer.Exit(FAILED)

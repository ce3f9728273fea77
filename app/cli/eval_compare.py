"""`foggate eval compare`: compares reports side by side."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.bars import working
from app.cli.options import AsJson
from app.cli.output import print_json, writing


def eval_compare(
    reports: Annotated[
        list[Path], typer.Argument(metavar="REPORT", help="Two or more files report.json; each one is compared with the first.")
    ],
    cloud_rate: Annotated[
        float,
        typer.Option(
            min=0, max=1, metavar="X", help="Cloud rate at which the lifts of the reports' signals over random routing are compared."
        ),
    ] = 0.4,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Markdown file to write the comparison to.")] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of the bootstrap.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare reports of checkpoints or model families. Intervals are paired where the questions are the same."""
    from app.cli.markdown import print_markdown
    from app.evaluation.compare import compare
    from app.evaluation.comparison_markdown import render_comparison

    with working("comparing"):
        compared = compare(reports, cloud_rate=cloud_rate, seed=seed)
    text = render_comparison(compared)
    if out is not None:
        with writing(out):
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(text, encoding="utf-8")
    if as_json:
        print_json(compared)
    else:
        print_markdown(text)

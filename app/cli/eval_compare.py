"""`foggate eval compare`: reports side by side."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.cli.bars import working
from app.cli.options import AsJson
from app.cli.output import print_markdown
from app.core.errors import ConfigError


def eval_compare(
    reports: Annotated[list[Path], typer.Argument(help="Two or more report.json; the others are compared with the first.")],
    cloud_rate: Annotated[float, typer.Option(min=0, max=1, help="Where both signals' lifts over random are compared.")] = 0.4,
    out: Annotated[Path | None, typer.Option(help="Write the comparison as Markdown too.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare reports side by side. Checkpoints or families, with paired intervals where the questions are the same."""
    from app.evaluation.compare import compare
    from app.evaluation.comparison_markdown import render_comparison

    with working("comparing"):
        compared = compare(reports, cloud_rate=cloud_rate, seed=seed)
    text = render_comparison(compared)
    if out is not None:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{out} cannot be written ({error.strerror})") from None
    if as_json:
        sys.stdout.write(json.dumps(compared, ensure_ascii=False) + "\n")
    else:
        print_markdown(text)

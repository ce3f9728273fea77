"""`foggate adapter`: makes an adapter of a trained checkpoint."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.bars import bars, working
from app.cli.output import print_line, writing
from app.cli.training_run import config_of, prepare, training_installed


def adapter(
    run: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of a run that `foggate evolve` made.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of the adapter; its name becomes part of the model's name.")],
    round_number: Annotated[
        int | None,
        typer.Option("--round", min=0, metavar="N", help="Round whose checkpoint is used.", show_default="the last promoted one"),
    ] = None,
    agreement: Annotated[
        float,
        typer.Option(
            min=0.5, max=1, metavar="X", help="Share of the dev rows on which the adapter must give the verdict of the checkpoint."
        ),
    ] = 0.99,
    max_mb: Annotated[float, typer.Option(min=0.001, metavar="MB", help="Largest size of the weights, in MB.")] = 30,
    license_name: Annotated[
        str | None, typer.Option("--license", metavar="NAME", help="Licence for the model card, spelled as on the hub, such as apache-2.0.")
    ] = None,
) -> None:
    """Make a low-rank adapter of a trained checkpoint. It is for the base model of the run, with a calibration and a model card."""
    from app.config.loading import load_settings
    from app.telemetry.logs import configure_logging

    settings = load_settings(None)
    configure_logging("error")
    chosen = config_of(run)
    with working(f"loading the base model {chosen.base}", at_once=True), training_installed():
        given = prepare(settings, chosen)
        from app.training.chain import open_chain
        from app.training.publish.ship import ship
    with writing(out):
        with working(f"loading the base model {chosen.base}"):
            chain = open_chain(chosen, run, resume=True, trains=False, **given)
        with bars() as progress:
            chain.progress = progress
            said = ship(chain, out, round_number=round_number, agreement=agreement, max_mb=max_mb, license_name=license_name)
    for sentence in said:
        print_line(sentence)

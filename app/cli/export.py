"""`foggate export`: writes the edge model for plain transformers code."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import ConfigFile
from app.cli.output import print_line


def export(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to write; it must be empty or not exist yet.")],
    config: ConfigFile = None,
) -> None:
    """Write the edge model for plain transformers code. An adapter is merged; the tokenizer and a ten-line script come with it."""
    from app.cli.bars import loading, working
    from app.config.loading import load_settings
    from app.edge.build import load_edge_model
    from app.edge.export import export_model
    from app.edge.foggen import writes_confidence

    settings = load_settings(config)
    trained = writes_confidence(settings.edge.model, settings.edge.adapter)
    with working(f"{loading(settings)} and writing it", at_once=True):
        export_model(out, lambda: load_edge_model(settings, device="cpu"), trained=trained)
    print_line(f"wrote {out}; try: python {out / 'quick_demo.py'}")

"""`foggate config show`: shows the effective configuration, or describes every setting."""

import dataclasses
import shutil
import sys
from typing import Annotated

import typer

from app.cli.options import AsJson, ConfigFile
from app.cli.output import print_json, print_settings

_MAX_WIDTH = 120


def config_show(
    config: ConfigFile = None,
    help_all: Annotated[
        bool, typer.Option("--help-all", help="Describe every setting instead: its type, default, environment variable and meaning.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the effective configuration. Secrets are masked. Nothing is checked beyond the values: see `foggate config check`."""
    from app.config.describe import described, list_for_terminal
    from app.config.loading import load_settings

    if help_all and as_json:
        print_json([dataclasses.asdict(setting) for setting in described()])
    elif help_all:
        width = min(_MAX_WIDTH, shutil.get_terminal_size((_MAX_WIDTH, 24)).columns)
        sys.stdout.writelines(f"{line}\n" for line in list_for_terminal(width))
    else:
        print_settings(load_settings(config), as_json=as_json)

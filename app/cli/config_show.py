"""`foggate config show`: the configuration in force, or every setting with its description."""

import dataclasses
import shutil
import sys
from typing import Annotated

import typer

from app.cli.options import AsJson, ConfigFile, print_json

_MAX_WIDTH = 120


def config_show(
    config: ConfigFile = None,
    help_all: Annotated[
        bool, typer.Option("--help-all", help="Print every setting: its type, default, environment variable and description.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the configuration in force, secrets masked, without trying what a start needs."""
    import yaml

    from app.config.describe import described, list_for_terminal
    from app.config.loading import load_settings, masked

    if help_all and as_json:
        print_json([dataclasses.asdict(setting) for setting in described()])
    elif help_all:
        width = min(_MAX_WIDTH, shutil.get_terminal_size((_MAX_WIDTH, 24)).columns)
        sys.stdout.writelines(f"{line}\n" for line in list_for_terminal(width))
    elif as_json:
        print_json(masked(load_settings(config)))
    else:
        sys.stdout.write(yaml.safe_dump(masked(load_settings(config)), sort_keys=False, allow_unicode=True))

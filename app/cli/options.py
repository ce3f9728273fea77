"""What several commands share: their options, and how they print."""

import difflib
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from app.environment import CONFIG_FILE
from app.errors import ConfigError
from app.settings import Settings

# Of every group of commands: `-h` works everywhere.
CONTEXT = {"help_option_names": ["-h", "--help"]}

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", envvar=CONFIG_FILE, help="YAML file; without it defaults and FOGGATE_ variables make a working gateway."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def check_choice(option: str, value: str, *choices: str) -> None:
    """Raise ConfigError for a value that is none of the choices."""
    if value not in choices:
        close = difflib.get_close_matches(value, choices, 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ConfigError(f"{option} must be {' or '.join(repr(choice) for choice in choices)}, not {value!r}{hint}")


def overridden(settings: Settings, *, host: str | None, port: int | None, insecure: bool) -> Settings:
    """The settings with what the command line says of the listener; None leaves a setting alone."""
    given = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    security = settings.security.model_copy(update={"insecure": True}) if insecure else settings.security
    return settings.model_copy(update={"server": settings.server.model_copy(update=given), "security": security})


def print_json(value: Any) -> None:
    """One object on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")

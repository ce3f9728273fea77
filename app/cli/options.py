"""What several commands share: their options, and how they print."""

import difflib
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from app.config.environment import CONFIG_FILE
from app.core.errors import ConfigError

# Of every group of commands: `-h` works everywhere.
CONTEXT = {"help_option_names": ["-h", "--help"]}


class Commands(TyperGroup):
    """The commands of `foggate`: a command that is one of a group's gets the whole name, as in `foggate eval report` for `report`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the arguments name. Raises what typer raises, with the whole name in its message."""
        try:
            return super().resolve_command(ctx, args)
        except TyperException as error:
            whole = [f"{name} {args[0]}" for name, group in self.commands.items() if args[0] in getattr(group, "commands", {})]
            if whole:
                error.message = f"No such command '{args[0]}'. Did you mean '{ctx.command_path} {whole[0]}'?"
            raise


ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", envvar=CONFIG_FILE, help="YAML file; without it defaults and FOGGATE_ variables make a working gateway."),
]
Records = Annotated[Path, typer.Option(help="What `eval collect` wrote.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def check_choice(option: str, value: str, *choices: str) -> None:
    """Raise ConfigError for a value that is none of the choices."""
    if value not in choices:
        close = difflib.get_close_matches(value, choices, 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ConfigError(f"{option} must be {' or '.join(repr(choice) for choice in choices)}, not {value!r}{hint}")


def print_json(value: Any) -> None:
    """One object on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")

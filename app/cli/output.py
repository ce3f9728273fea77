"""What commands print to standard output. A terminal gets lines of its width, a pipe or a file gets whole lines."""

import json
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from app.config.settings import Settings

# Wider than all our tables: in a pipe or a file nothing is cut or wrapped.
_PIPE_WIDTH = 10_000


def stdout_console() -> Console:
    """Return a console that cuts or wraps tables and lines on a terminal only."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value as JSON on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def print_settings(settings: "Settings", *, as_json: bool) -> None:
    """Print settings with masked secrets, as JSON or as a YAML file."""
    import yaml

    from app.config.loading import masked

    if as_json:
        print_json(masked(settings))
    else:
        sys.stdout.write(yaml.safe_dump(masked(settings), sort_keys=False, allow_unicode=True))

"""What commands write: text and JSON to standard output, and files whose errors are one sentence."""

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from app.core.errors import ConfigError

if TYPE_CHECKING:
    from app.config.settings import Settings

# Wider than all our tables: in a pipe or a file nothing is cut or wrapped.
_PIPE_WIDTH = 10_000


def stdout_console() -> Console:
    """Return a console that cuts or wraps tables and lines on a terminal only."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH, soft_wrap=True)


def print_line(text: str) -> None:
    """Print plain text as one line, which a terminal may wrap, so that paths and keys in it can be copied."""
    sys.stdout.write(text + "\n")


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


@contextlib.contextmanager
def writing(path: Path, hint: str = "") -> Iterator[None]:
    """Turn an OSError of the work inside into a ConfigError that says that the path cannot be written.

    Args:
        path: file or folder that the work writes.
        hint: what the caller should know in addition, such as how to continue.
    """
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}){f'; {hint}' if hint else ''}") from None

"""How commands print to standard output: for a terminal as wide as it is, for a pipe or a file whole."""

import sys

from rich.console import Console
from rich.markdown import Markdown

# Wider than any table of ours: what is read by a program, or later by a person, is not cut and not wrapped.
_PIPE_WIDTH = 10_000


def stdout_console() -> Console:
    """A console whose tables and lines are cut or wrapped on a terminal only."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH, soft_wrap=True)


def print_markdown(text: str) -> None:
    """Rendered on a terminal; as it is, which is readable too, elsewhere."""
    console = stdout_console()
    if console.is_terminal:
        console.print(Markdown(text))
    else:
        sys.stdout.write(text)

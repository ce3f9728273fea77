"""The console for standard output: a terminal gets lines of its width, a pipe or a file gets whole lines."""

from rich.console import Console

# Wider than all our tables: in a pipe or a file nothing is cut or wrapped.
_PIPE_WIDTH = 10_000


def stdout_console() -> Console:
    """Return a console that cuts or wraps tables and lines on a terminal only."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH, soft_wrap=True)

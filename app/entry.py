"""The console script `foggate`."""

from app.begin import begin


def main() -> None:
    """Begin, and only then import the command line, which takes a while."""
    begin()
    from app.__main__ import main as command_line  # after `begin`

    command_line()

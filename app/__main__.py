"""The entry of the command line: `python -m app`, and the console script `foggate`."""

from app.cli.begin import begin


def main() -> None:
    """Begin, and only then import the command line, which takes a while."""
    begin()
    from app.cli.commands import main as command_line  # after `begin`

    command_line()


if __name__ == "__main__":
    main()

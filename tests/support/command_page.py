"""The generated parts of `docs/command-line.md`, from the help of the real commands and from the exit codes in force.

`make docs` writes them between their marks, and a test compares them.
"""

from collections.abc import Iterator

import typer

from app.cli.commands import cli
from app.cli.exit_codes import MEANINGS


def commands_of(group=None, context=None) -> Iterator[tuple]:
    """Each command with its context, in the order of the help; a group stands before its commands."""
    command = group or typer.main.get_command(cli)
    context = context or typer.Context(command, info_name="foggate")
    yield command, context
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands_of(inner, typer.Context(inner, info_name=name, parent=context))


def leaves() -> list[tuple]:
    """The commands that do something: those that are not groups."""
    return [(command, context) for command, context in commands_of() if not hasattr(command, "commands")]


def commands_section() -> str:
    """A table of all commands, then for each command its help, its arguments and its options."""
    rows = [f"| [`{context.command_path}`](#{_anchor(context.command_path)}) | {_sentence(command)} |\n" for command, context in leaves()]
    return "| command | what it does |\n|---|---|\n" + "".join(rows) + "".join(_described(*one) for one in leaves())


def exit_codes_section() -> str:
    """The table of exit codes."""
    return "| code | meaning |\n|---|---|\n" + "".join(f"| {code} | {meaning} |\n" for code, meaning in MEANINGS.items())


def _sentence(command) -> str:
    """The first sentence of a command's help."""
    return " ".join(command.help.split()).partition(". ")[0].removesuffix(".") + "."


def _anchor(heading: str) -> str:
    return heading.replace(" ", "-")


def _described(command, context) -> str:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    records = [record for parameter in command.params if (record := parameter.get_help_record(context))]
    # The help names the Python type of an argument.
    records = [(name if name.startswith("-") else name.partition(" <")[0], text) for name, text in records]
    rows = "".join(f"| `{_cell(name.partition(' <')[0] if name[0] != '-' else name)}` | {_cell(text)} |\n" for name, text in records)
    return f"\n### {context.command_path}\n\n`{usage}`\n\n{' '.join(command.help.split())}\n\n| option | meaning |\n|---|---|\n{rows}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<=", "≤").replace(">=", "≥")

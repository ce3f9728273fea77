"""How commands print to standard output: for a terminal as wide as it is, for a pipe or a file whole."""

import sys
from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown, MarkdownElement, TableElement
from rich.table import Table

# Wider than any table of ours: what is read by a program, or later by a person, is not cut and not wrapped.
_PIPE_WIDTH = 10_000


def stdout_console() -> Console:
    """A console whose tables and lines are cut or wrapped on a terminal only."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH, soft_wrap=True)


class _WholeTable(TableElement):
    """A table of which a narrow terminal breaks words, where rich cuts them."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:  # rich's protocol
        for part in super().__rich_console__(console, options):
            if isinstance(part, Table):
                for column in part.columns:
                    column.overflow = "fold"
            yield part


class _Markdown(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {**Markdown.elements, "table_open": _WholeTable}


def print_markdown(text: str) -> None:
    """Rendered on a terminal; as it is, which is readable too, elsewhere."""
    console = stdout_console()
    if console.is_terminal:
        console.print(_Markdown(text))
    else:
        sys.stdout.write(text)

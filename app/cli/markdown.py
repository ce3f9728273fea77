"""Markdown on standard output. Apart from `output`, because importing rich's Markdown takes a quarter of a second."""

import sys
from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown, MarkdownElement, TableElement
from rich.table import Table

from app.cli.output import stdout_console


class _WholeTable(TableElement):
    """A table whose words are broken on a narrow terminal; rich would cut them."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:  # rich's protocol
        for part in super().__rich_console__(console, options):
            if isinstance(part, Table):
                for column in part.columns:
                    column.overflow = "fold"
            yield part


class _Markdown(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {**Markdown.elements, "table_open": _WholeTable}


def print_markdown(text: str) -> None:
    """Print Markdown: rendered on a terminal, and as it is in a pipe or a file."""
    console = stdout_console()
    if console.is_terminal:
        console.print(_Markdown(text))
    else:
        sys.stdout.write(text)

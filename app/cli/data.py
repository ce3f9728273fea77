"""The options `--data`, `--map` and `--skip-bad` of every command that reads questions."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.data.dataset import Item

Data = Annotated[
    list[str],
    typer.Option(
        metavar="SOURCE",
        help="Questions with gold answers: a file .jsonl, .json, .csv, .tsv or .parquet, or a data set of the hub "
        "(org/name:config@split); may be repeated.",
    ),
]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="FIELD=COLUMN",
        help="Column of a field, as in options=choices.text or answer=cop:0 (docs/data.md); may be repeated.",
    ),
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Skip rows that are not valid questions; they are counted and listed.")]


@dataclass(frozen=True, slots=True)
class Questions:
    """Where questions come from.

    Attributes:
        sources: files, or data sets of the hub.
        columns: the columns of fields, as `--map` takes them.
        skip_bad: rows that are not valid questions are skipped; otherwise they are an error.
    """

    sources: Sequence[str]
    columns: Sequence[str] = ()
    skip_bad: bool = False

    def load(self) -> "list[Item]":
        """Read the questions, and list skipped rows on standard error. Raises ConfigError."""
        # Commands import what they need when they run.
        from app.data.dataset import Skipped, load_items
        from app.data.readers.mapping import parse_map

        skipped = Skipped() if self.skip_bad else None
        items = load_items(self.sources, columns=parse_map(self.columns), skipped=skipped)
        for sentence in skipped.sentences() if skipped else ():
            sys.stderr.write(sentence + "\n")
        return items

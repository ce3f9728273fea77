"""`--data`, `--map` and `--skip-bad`: what every command that reads questions shares."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.data.dataset import Item

ENDINGS_HELP = ".jsonl, .json, .csv, .tsv, .parquet, or a hub data set (org/name:config@split)"
Map = Annotated[
    list[str] | None,
    typer.Option("--map", help="Which column is what, as options=choices.text or answer=cop:0 (docs/data.md); may be repeated."),
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Pass over rows that are no questions, count and list them.")]


@dataclass(frozen=True, slots=True)
class Questions:
    """What the options say: which sources, which column is what, and whether rows that are no questions are passed over."""

    sources: Sequence[str]
    columns: Sequence[str] = ()
    skip_bad: bool = False

    def load(self) -> "list[Item]":
        """Read; rows that were passed over are listed on standard error. Raises ConfigError."""
        # Here: options are parsed before anything is imported that takes time.
        from app.data.dataset import Skipped, load_items
        from app.data.readers.mapping import parse_map

        skipped = Skipped() if self.skip_bad else None
        items = load_items(self.sources, columns=parse_map(self.columns), skipped=skipped)
        for sentence in skipped.sentences() if skipped else ():
            sys.stderr.write(sentence + "\n")
        return items

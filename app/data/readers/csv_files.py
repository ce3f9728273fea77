"""Rows of CSV and TSV files: the rows as they are meant, or one sentence with file and line."""

import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from app.core.errors import ConfigError
from app.core.question import LETTERS, MIN_OPTIONS
from app.data.readers.rows import Row, listed, normal_name

_DELIMITERS = ",;\t|"
# A header line of Excel's that names the delimiter.
_SEPARATOR = re.compile(r"sep=(.)(?:\r\n|\r|\n)", re.IGNORECASE)
# Columns of an MMLU row that are not options: question and answer.
_BESIDE_OPTIONS = 2
_SHORT_ANSWER = re.compile(r"[A-Za-z0-9]")


def csv_rows(path: Path, text: str, questions: Collection[str], *, plain: bool = True) -> list[Row]:
    """The rows of a table with a header.

    The delimiter is the one with which the header has a column for the question. A table without a header is read as one of
    MMLU's (question, options, letter) if its first row is such a row.

    Args:
        path: path for messages; tabs are tried first for a file that ends in `.tsv`.
        text: content of the file.
        questions: names of columns, any of which marks a header.
        plain: whether no `--map` was given, so that a table without a header may be recognised.

    Raises:
        ConfigError: a lost quote, a row with another number of cells than the header, a name that occurs twice, or no header.
    """
    skipped = 0
    delimiters = "\t,;|" if path.suffix.lower() == ".tsv" or path.name.lower().endswith(".tsv.gz") else _DELIMITERS
    if given := _SEPARATOR.match(text):
        text, skipped, delimiters = text[given.end() :], 1, given[1]
    # Lines as CSV has them, not str.splitlines(): a cell may hold U+2028 or a form feed.
    lines = list(io.StringIO(text, newline=""))
    # The limit belongs to the whole module; a cell is never longer than its file.
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    if not text.strip():
        return []
    table, header = _header(path, lines, delimiters, questions, plain=plain)
    records = list(table)
    if header is None:
        width = next(len(cells) for _, cells in records if cells)
        header, number = ["question", *LETTERS[: width - _BESIDE_OPTIONS], "answer"], 1
    else:
        _refuse_twins(path, header)
        number = 2
    rows = []
    names = [normal_name(name) for name in header]
    for line, cells in records:
        place = f"{path}, line {line + skipped}"
        if any(cell.strip() for cell in cells):
            _check(place, cells, names, lines[line - 1 : line + 1], table.delimiter)
            rows.append(Row(place, number, {name: cell for name, cell in zip(header, cells, strict=False) if name.strip()}))
            number += 1
        elif cells:
            number += 1
    return rows


class _Table:
    """Records with the line in which each begins, counted from 1."""

    def __init__(self, path: Path, lines: Sequence[str], delimiter: str) -> None:
        self.delimiter = delimiter
        self._path = path
        # Some files have a blank after each delimiter, which would make the quotes part of the text.
        blank = f"{delimiter} " in next((line for line in lines if line.strip()), "")
        self._reader = csv.reader(iter(lines), delimiter=delimiter, strict=True, skipinitialspace=blank)

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        while True:
            line = self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error:
                raise ConfigError(
                    f"{self._path}, line {line}: a quoted cell of this row does not end as it should (looked for up to line "
                    f"{self._reader.line_num}): a quote is lost, or one inside the cell is not written twice"
                ) from None
            yield line, cells


def _header(
    path: Path, lines: Sequence[str], delimiters: str, questions: Collection[str], *, plain: bool
) -> tuple[_Table, list[str] | None]:
    """The table behind its header; no header, and the table from its start, for one of MMLU's."""
    found: dict[str, list[str]] = {}
    for delimiter in delimiters:
        table = _Table(path, lines, delimiter)
        try:
            cells = next((cells for _, cells in table if cells), [])
        except ConfigError:
            continue
        found[delimiter] = cells
        if {normal_name(name) for name in cells} & set(questions):
            return table, cells
    for delimiter, cells in found.items():
        letters = list(LETTERS[: max(0, len(cells) - _BESIDE_OPTIONS)])
        if plain and len(letters) >= MIN_OPTIONS and cells[-1].strip() in letters:
            return _Table(path, lines, delimiter), None
    if not found:
        # No record could be read; this raises the error that names the line.
        next(iter(_Table(path, lines, delimiters[0])), None)
    columns = max(found.values(), key=len, default=[])
    raise ConfigError(
        f"{path}, line 1: no column of the header is the question ({listed(columns)}); "
        "name the columns with --map question=COLUMN and so on"
    )


def _refuse_twins(path: Path, header: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in header:
        plain = normal_name(name)
        if plain and plain in seen:
            raise ConfigError(f"{path}, line 1: the column '{listed([name])}' occurs twice in the header")
        seen.add(plain)


def _check(place: str, cells: Sequence[str], names: Sequence[str], lines: Sequence[str], delimiter: str) -> None:
    """Refuse a row that is not as wide as the header, or that swallowed a line because a quote is lost."""
    if len(cells) != len(names) and (len(cells) < len(names) or any(cell.strip() for cell in cells[len(names) :])):
        raise ConfigError(f"{place}: the row has {len(cells)} cells, the header has {len(names)} (a lost quote or delimiter?)")
    if any("\n" in cell or "\r" in cell for cell in cells):
        # The line in which the row begins and the next one are whole rows by themselves, if quotes mean nothing.
        at = next((place for place, name in enumerate(names) if name.startswith("answer")), len(names) - 1)
        pieces = [line.rstrip("\r\n").split(delimiter) for line in lines]
        if all(len(some) == len(names) and _is_answer(some, at) for some in pieces):
            raise ConfigError(
                f"{place}: a quote seems to be lost: this line and the next one are rows by themselves, but a quoted cell spans them"
            )


def _is_answer(pieces: Sequence[str], at: int) -> bool:
    """Whether a piece of a line looks like its answer: a letter, a digit, or the text of another piece."""
    plain = [piece.strip(' "') for piece in pieces]
    return _SHORT_ANSWER.fullmatch(plain[at]) is not None or plain.count(plain[at]) > 1

"""`--map options=choices.text`: which column of a data file is what, for layouts that are not known."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.core.errors import ConfigError
from app.data.readers.answers import WAYS
from app.data.readers.rows import NoQuestion, Row, listed, normal_name

TARGETS = ("question", "options", "labels", "answer", "domain", "id", "context", "license", "source")


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """The columns of the parts of a question.

    Attributes:
        columns: columns by part (one of `TARGETS`): one name or dotted path, for options also several.
        answer_way: the way in which answers are read (`letter`, `label`, `text`, `0` or `1`, the number of the first option); None
            if the file itself shows it.
    """

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    answer_way: str | None = None

    def __contains__(self, target: str) -> bool:
        return target in self.columns


PLAIN = ColumnMap()


def parse_map(given: Iterable[str] | Mapping[str, str]) -> ColumnMap:
    """Read `part=column` pairs, as `--map` has them, or a mapping of the same.

    A column may be a dotted path (`choices.text`); options may be several columns (`options=wrong,right`); behind the
    answer's column may stand how it is meant (`answer=cop:0`).

    Raises:
        ConfigError: no such part, a part twice, or no column.
    """
    pairs = list(given.items()) if isinstance(given, Mapping) else [_pair(text) for text in given]
    columns: dict[str, tuple[str, ...]] = {}
    way = None
    for name, text in pairs:
        target, column = name.strip().lower(), text.strip()
        if target not in TARGETS:
            close = difflib.get_close_matches(target, TARGETS, 1)
            raise ConfigError(
                f"--map has no part '{name.strip()}'" + (f"; did you mean '{close[0]}'?" if close else f": {', '.join(TARGETS)}")
            )
        if target in columns:
            raise ConfigError(f"--map names '{target}' twice")
        if target == "answer" and ":" in column:
            column, _, way = column.rpartition(":")
            if way not in WAYS:
                raise ConfigError(f"--map answer=COLUMN:{way}: the colon must be followed by one of {', '.join(WAYS)}")
        named = tuple(part.strip() for part in column.split(",")) if target == "options" else (column,)
        if not all(named):
            raise ConfigError(f"--map {target}= names no column")
        columns[target] = named
    return ColumnMap(columns, way)


def _pair(text: str) -> tuple[str, str]:
    name, separator, column = text.partition("=")
    if not separator:
        raise ConfigError(f"--map {text}: write part=column, as in --map options=choices.text")
    return name, column


def find(values: Mapping[str, Any], column: str) -> Any:
    """The value under a name, or under a dotted path into objects and lists of objects.

    Raises:
        NoQuestion: there is no such column; the columns are listed.
    """
    by_name = {normal_name(name): value for name, value in values.items()}
    if normal_name(column) in by_name:
        return by_name[normal_name(column)]
    found: Any = values
    for part in column.split("."):
        found = _step(found, part)
        if found is _NOTHING:
            raise NoQuestion(f"there is no '{column}' (columns: {listed(values)})")
    return found


def find_some(values: Mapping[str, Any], column: str) -> Any:
    """`find` of a part that a row may lack; None if there is no such column."""
    try:
        return find(values, column)
    except NoQuestion:
        return None


def check_columns(rows: Sequence[Row], columns: ColumnMap) -> None:
    """Refuse a map with a column that no row has. Raises ConfigError."""
    for target, names in columns.columns.items():
        for name in names:
            missing = None
            for row in rows:
                try:
                    find(row.values, name)
                except NoQuestion as error:
                    missing = missing or f"{row.place}: {error}, as --map {target}={name} has it, nor is there in any other row"
                else:
                    break
            else:
                if missing:
                    raise ConfigError(missing)


_NOTHING = object()


def _step(value: Any, part: str) -> Any:
    if isinstance(value, Mapping):
        return next((inner for name, inner in value.items() if normal_name(name) == normal_name(part)), _NOTHING)
    if isinstance(value, list):
        if part.isdecimal():
            return value[int(part)] if int(part) < len(value) else _NOTHING
        inner = [_step(one, part) for one in value]
        return _NOTHING if not inner or any(one is _NOTHING for one in inner) else inner
    return _NOTHING

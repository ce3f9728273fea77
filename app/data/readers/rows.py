"""A row of a data file as the file gives it, before anybody asks what it means."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any


class NoQuestion(ValueError):
    """The row is no question; the message says why, in words that follow the row's place."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        place: file and line (text files) or row (the others), for people.
        number: counted from 1, a header included; the default id is made of it.
        values: the columns as they are named in the file.
        problem: why the row is no question, where reading it shows that already.
    """

    place: str
    number: int | str
    values: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None


# The rows of a file have the same few names.
@lru_cache(maxsize=1024)
def normal_name(name: str) -> str:
    """Names of columns are the same whatever their case, and whether words are joined by blanks, hyphens or underscores."""
    return "_".join(name.strip().lower().replace("-", " ").replace("_", " ").split())


def is_missing(value: Any) -> bool:
    """Null, NaN, or a text without any character but blanks: what a table has where it has nothing."""
    if isinstance(value, float | Decimal):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and not value.strip())


def as_text(value: Any) -> str | None:
    """A cell as text: numbers and truth values as they are written, None for what is no cell."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float | Decimal):
        return str(value)
    return None


def listed(names: Iterable[object], most: int = 12) -> str:
    """The first few names of columns in a message: on one line, without what a terminal would obey."""
    plain = (" ".join(str(name).split())[:40] for name in islice(names, most))
    return ", ".join("".join(character if character.isprintable() else "?" for character in name) for name in plain)


def shown(value: Any, most: int = 60) -> str:
    """A value in a message, shortened to a readable length."""
    text = repr(value)
    return text if len(text) <= most else text[:most] + "…"

"""A row of a data file as the file holds it, before it is interpreted."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any


class NoQuestion(ValueError):
    """The row is not a question; the message gives the reason and follows the place of the row."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        place: file and line (text files) or row (other files), for messages.
        number: number of the row from 1, including a header; the default id contains it.
        values: values by name of the column in the file.
        problem: reason why the row is not a question, if it is known already.
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
    """Whether a cell is empty: null, NaN, or a text of blanks only."""
    if isinstance(value, float | Decimal):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and not value.strip())


def as_text(value: Any) -> str | None:
    """A cell as text: numbers and truth values as they are written; None for a list or an object."""
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
    """The first few names of columns for a message: on one line, without control characters."""
    plain = (" ".join(str(name).split())[:40] for name in islice(names, most))
    return ", ".join("".join(character if character.isprintable() else "?" for character in name) for name in plain)


def shown(value: Any, most: int = 60) -> str:
    """A value in a message, shortened to a readable length."""
    text = repr(value)
    return text if len(text) <= most else text[:most] + "…"

"""The one log line of a request: whatever runs for the request adds fields to it. Numbers and names, never question text."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_FIELDS: ContextVar[dict[str, Any] | None] = ContextVar("foggate_request_line", default=None)


@contextmanager
def request_line() -> Iterator[dict[str, Any]]:
    """The fields of a new line, which everything inside the `with` statement adds to, in tasks that are begun there too."""
    fields: dict[str, Any] = {}
    token = _FIELDS.set(fields)
    try:
        yield fields
    finally:
        _FIELDS.reset(token)


def noted(name: str) -> Any:
    """The value of a field of the current request's line; None where it has none."""
    return (_FIELDS.get() or {}).get(name)


def note(**fields: Any) -> None:
    """Add fields to the line of the current request; without a request this does nothing."""
    if (line := _FIELDS.get()) is not None:
        line.update(fields)

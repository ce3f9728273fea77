"""Rows of JSON and JSON Lines files: the rows as they are meant, or one sentence with file and line."""

import json
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

from app.core.errors import ConfigError
from app.data.readers.rows import Row, listed, normal_name

# Names of the list of questions inside an object with several lists.
_LISTS = ("data", "questions", "examples", "rows", "items")
_COMMENTS = ("#", "//", "/*")


class _KeyTwice(ValueError):
    """An object holds a key twice; a reader would lose one of the values."""


def json_rows(path: Path, text: str, questions: Collection[str], *, lines: bool) -> list[Row]:
    """The rows of a JSON file.

    Args:
        path: path for messages.
        text: content of the file: one object in each line; or a list of objects, an object with such a list, or an object of objects
            by their ids.
        questions: names of columns, any of which marks an object as a question.
        lines: whether the ending means one object in each line. Both forms are read under both endings.

    Raises:
        ConfigError: not JSON, a key twice in one object, or neither of those forms.
    """
    start = text.strip()
    if not start:
        return []
    # An object that is written over several lines begins with its bracket alone.
    is_document = start[0] == "[" or start.partition("\n")[0].strip() == "{" or not (lines or _is_lines(start))
    return _document_rows(path, text, questions) if is_document else _line_rows(path, text)


def _is_lines(text: str) -> bool:
    """Whether the first line is an object by itself, and not the only one."""
    first, _, rest = text.partition("\n")
    if not rest:
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _line_rows(path: Path, text: str) -> list[Row]:
    rows = []
    # Not splitlines(): U+2028 may stand inside a JSON string. A carriage return by itself may not.
    lines = (text if "\n" in text else text.replace("\r", "\n")).split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            row = _loads(line)
        except _KeyTwice as error:
            raise ConfigError(f"{place}: {error}") from None
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{place}: not JSON ({_why(error)}){_hint(line, is_last=number == len(lines))}") from None
        if isinstance(row, dict):
            rows.append(Row(place, number, row))
        else:
            rows.append(Row(place, number, problem="not an object"))
    return rows


def _document_rows(path: Path, text: str, questions: Collection[str]) -> list[Row]:
    try:
        content = _loads(text)
    except _KeyTwice as error:
        raise ConfigError(f"{path}: {error}") from None
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}, line {error.lineno}: not JSON ({_why(error)})") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSON ({_why(error)})") from None
    rows = []
    for number, (name, row) in enumerate(_listed(path, content, questions), start=1):
        place = f"{path}, row {number}"
        if not isinstance(row, dict):
            rows.append(Row(place, number, problem="not an object"))
        else:
            rows.append(Row(place, number, row if name is None else {"id": name, **row}))
    return rows


def _listed(path: Path, content: Any, questions: Collection[str]) -> list[tuple[str | None, Any]]:
    """The rows of a document, with the name of each where it has one outside of itself."""
    if isinstance(content, list):
        return [(None, row) for row in content]
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds neither a list of questions nor an object with one")
    named = next((value for key, value in content.items() if normal_name(key) in questions), None)
    if isinstance(named, str) or (isinstance(named, dict) and "stem" in named):
        return [(None, content)]
    if isinstance(named, dict | list):
        raise ConfigError(f"{path} holds columns, not rows; write one object a question (in pandas orient='records')")
    lists = {key: value for key, value in content.items() if isinstance(value, list) and any(isinstance(row, dict) for row in value)}
    chosen = next((key for key in _LISTS if key in lists), next(iter(lists)) if len(lists) == 1 else None)
    if chosen is not None:
        # The viewer of the Hugging Face hub wraps each row.
        return [(None, row["row"] if isinstance(row, dict) and isinstance(row.get("row"), dict) else row) for row in lists[chosen]]
    if lists:
        raise ConfigError(f"{path} holds several lists ({listed(lists)}); write the one that is meant into a file of its own")
    if content and all(isinstance(value, dict) for value in content.values()):
        return list(content.items())
    raise ConfigError(f"{path} holds neither a list of questions nor an object with one")


def _loads(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise _KeyTwice(
            f"the key '{listed([twice])}' occurs twice in one object ({json.dumps(dict(pairs[:1]), ensure_ascii=False)[:60]} …)"
        )
    return content


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, column {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:100]


def _hint(line: str, *, is_last: bool) -> str:
    start = line.strip()
    if start.startswith(_COMMENTS):
        return "; a comment is not a row"
    return "; the file ends in the middle of a row" if is_last else ""

"""The records file: one line a question, appended as it is answered, so that a killed run loses at most a torn line.

A later line of the same id replaces an earlier one (a failed cloud call that was asked again). `compact` writes the
final file in the order of the data, under its name only when it is whole.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from app.errors import ConfigError

Record = dict[str, Any]


def read_records(path: Path, *, missing_ok: bool = False) -> dict[str, Record]:
    """The newest record of each id; a torn last line is passed over. A missing file is empty if that is `missing_ok`.

    Raises:
        ConfigError: the file cannot be read, or a line before the last is damaged.
    """
    if missing_ok and not path.exists():
        return {}
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})") from None
    records: dict[str, Record] = {}
    for number, line in enumerate(lines[:-1], start=1):
        try:
            record = json.loads(line)
            records[record["id"]] = record
        except (ValueError, KeyError, TypeError):
            raise ConfigError(f"{path}, line {number}: not a record") from None
    return records


def open_for_append(path: Path) -> IO[str]:
    """Open the file behind its last whole line: what a kill tore off is cut away first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
    return path.open("a", encoding="utf-8")


def append(file: IO[str], record: Mapping[str, Any]) -> None:
    """Write one line and hand it to the system at once."""
    file.write(json.dumps(record, ensure_ascii=False) + "\n")
    file.flush()


def compact(path: Path, ids: Iterable[str]) -> None:
    """Rewrite the file with one line an id, in this order; records of other ids are kept behind."""
    records = read_records(path)
    ordered = [records.pop(name) for name in ids if name in records] + list(records.values())
    scratch = path.with_name(path.name + ".partial")
    with scratch.open("w", encoding="utf-8") as file:
        for record in ordered:
            append(file, record)
    scratch.replace(path)

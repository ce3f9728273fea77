"""Rows of a source that `--data` names: a file, a folder with a data set, or a data set of the Hugging Face hub."""

import gzip
import json
import re
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from app.core.errors import ConfigError
from app.data.files import NotText, decode
from app.data.readers.csv_files import csv_rows
from app.data.readers.json_files import json_rows
from app.data.readers.rows import Row

_LINES, _TABLES = (".jsonl", ".ndjson"), (".csv", ".tsv")
_TEXTS = (*_LINES, ".json", *_TABLES)
ENDINGS = (*_TEXTS, ".parquet")
# `org/name`, with `:config` and `@split` behind it.
_HUB = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(?::(?P<config>[\w.-]+))?(?:@(?P<split>[\w.-]+))?")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
# Names that the library of data sets takes as splits.
_SPLIT = re.compile(r"(?:^|[^a-z])(?:test|train|valid|validation|dev|eval)(?:[^a-z]|$)", re.IGNORECASE)
_MOST_FILES = 1000


def read_rows(source: str, questions: Collection[str], *, plain: bool = True) -> list[Row]:
    """All rows of a source, in order.

    Args:
        source: path of a file (`.jsonl`, `.ndjson`, `.json`, `.csv`, `.tsv`, each also with `.gz` behind it, `.parquet`), a folder
            with a data set, or `org/name`, `org/name:config@split` of the hub (split `test` unless named).
        questions: normal names of columns that mark a header or an object as one with a question.
        plain: whether no `--map` was given.

    Raises:
        ConfigError: there is no such source, or it cannot be read; with file and line.
    """
    if _ADDRESS.match(source):
        raise ConfigError(f"{source}: is an address; download the file, and name it")
    path = Path(source).expanduser()
    kind = _kind(path)
    if kind == ".parquet":
        return _numbered(path, _unwrapped(_parquet_rows(path)))
    if path.is_dir():
        return _numbered(source, _folder_rows(path))
    if kind in _TEXTS:
        text = _text(path)
        if kind in _TABLES:
            return csv_rows(path, text, questions, plain=plain)
        return _expanded(json_rows(path, text, questions, lines=kind in _LINES))
    if not path.exists() and (hub := _HUB.fullmatch(source)):
        return _numbered(source, _hub_rows(hub["name"], hub["config"], hub["split"]))
    missing = "" if path.exists() else "there is no such file; "
    advice = "; save it as CSV" if kind in {".xlsx", ".xls", ".ods"} else ""
    raise ConfigError(
        f"{source or repr('')}: {missing}neither a file that ends in {', '.join(ENDINGS)} nor a data set (org/name, org/name:config@split)"
        + advice
    )


def is_hub_name(source: str) -> bool:
    """Whether a source is written like a data set of the hub, and not like a file."""
    return _HUB.fullmatch(source) is not None and _kind(Path(source)) not in ENDINGS


def stem_of(source: str) -> str:
    """The name of a source without its ending, for the ids of rows that have none."""
    path = Path(source)
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def _kind(path: Path) -> str:
    ending = path.suffix.lower()
    return Path(path.stem).suffix.lower() if ending == ".gz" else ending


def _numbered(source: str | Path, rows: Iterator[Mapping[str, Any]] | list[dict[str, Any]]) -> list[Row]:
    return _expanded([Row(f"{source}, row {number}", number, row) for number, row in enumerate(rows, start=1)])


def _expanded(rows: list[Row]) -> list[Row]:
    """RACE's own files have an object for each article, with lists of its questions, options and answers."""
    expanded = []
    for row in rows:
        lists = [row.values.get(name) for name in ("questions", "options", "answers")]
        if not all(isinstance(one, list) for one in lists) or len({len(one) for one in lists if isinstance(one, list)}) != 1:
            expanded.append(row)
            continue
        rest = {name: value for name, value in row.values.items() if name not in {"questions", "options", "answers", "id"}}
        for number, (question, options, answer) in enumerate(zip(*lists, strict=True), start=1):
            values = {**rest, "question": question, "options": options, "answer": answer}
            if "id" in row.values:
                values["id"] = f"{row.values['id']}-{number}"
            expanded.append(Row(f"{row.place}, question {number}", f"{row.number}-{number}", values))
    return expanded


def _unwrapped(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The training rows of MMLU stand in a single column, `train`."""
    return [row["train"] if list(row) == ["train"] and isinstance(row["train"], dict) else row for row in rows]


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        return decode(gzip.decompress(content) if path.suffix.lower() == ".gz" else content)
    except FileNotFoundError:
        raise ConfigError(f"{path} cannot be read (there is no such file)") from None
    except NotText as error:
        raise ConfigError(f"{path}, {error}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _parquet_rows(path: Path) -> list[dict[str, Any]]:
    try:
        import pyarrow.parquet as pq  # an extra
    except ModuleNotFoundError:
        raise ConfigError(f"{path}: reading Parquet needs pip install 'foggate[eval]'") from None
    try:
        table = pq.read_table(path)
        rows: list[dict[str, Any]] = table.to_pylist()
    # pyarrow's errors are these by inheritance.
    except (OSError, ValueError, NotImplementedError, KeyError) as error:
        raise ConfigError(f"{path} cannot be read ({' '.join(str(error).split())[:200]})") from None
    names = table.schema.names
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"{path}: the column '{twice}' occurs twice")
    for column, labels in _class_labels(table.schema.metadata).items():
        for row in rows:
            value = row.get(column)
            if isinstance(value, int) and 0 <= value < len(labels):
                row[column] = labels[value]
    return rows


def _class_labels(metadata: Mapping[bytes, bytes] | None) -> dict[str, list[str]]:
    """The names of class labels by column, which files of the Hugging Face hub carry beside the numbers."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        kinds = {name: kind for name, kind in features.items() if isinstance(kind, dict) and kind.get("_type") == "ClassLabel"}
        return {name: list(map(str, kind["names"])) for name, kind in kinds.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _folder_rows(path: Path) -> Iterator[dict[str, Any]]:
    """A data set in a folder; for another folder the error names its files."""
    files = []
    for pattern in ("*", "*/*"):
        files += [
            file
            for _, file in zip(range(_MOST_FILES), sorted(path.glob(pattern)), strict=False)
            if _kind(file) in ENDINGS and file.is_file()
        ]
    if not any(_SPLIT.search(file.stem) for file in files):
        listed = ", ".join(str(file) for file in files[:5])
        advice = f"name a file in it ({listed}{', …' if len(files) > 5 else ''})" if files else "it holds no file of questions"  # noqa: PLR2004
        raise ConfigError(f"{path}: is a folder without a data set: {advice}")
    return _hub_rows(str(path), None, None)


def _hub_rows(name: str, config: str | None, split: str | None) -> Iterator[dict[str, Any]]:
    try:
        import datasets  # an extra, and slow to import
    except ModuleNotFoundError:
        raise ConfigError(f"{name}: reading a data set of the hub needs pip install 'foggate[eval]'") from None
    try:
        table = datasets.load_dataset(name, config, split=split or "test")
    # Whatever is wrong with a name, a network or a file comes as one of many types of four libraries.
    except Exception as error:  # noqa: BLE001
        raise ConfigError(f"the data set '{name}' cannot be read ({' '.join(str(error).split())[:300]})") from None
    labels = {column: kind for column, kind in table.features.items() if isinstance(kind, datasets.ClassLabel)}
    for row in table:
        known = {column: kind.int2str(row[column]) for column, kind in labels.items() if row[column] is not None and row[column] >= 0}
        yield row | known

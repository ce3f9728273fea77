"""Questions with gold answers: JSONL as in the design, CSV, Parquet, or a data set of the Hugging Face hub.

One bad row is an error that names its place.
"""

import csv
import hashlib
import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.domain import LETTERS, Question
from app.errors import ConfigError, InvalidQuestion

_ENDINGS = (".jsonl", ".csv", ".parquet")
# `org/name`, with `:config` and `@split` behind it.
_HUB = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(?::(?P<config>[\w.-]+))?(?:@(?P<split>[\w.-]+))?")
_OPTION_COLUMNS = ("{}", "option_{}", "option {}")


@dataclass(frozen=True, slots=True)
class Item:
    """A question whose right letter is known. `question.id` and `question.domain` are always set.

    `license` and `source` are what the row says of itself, for whoever passes on what was made of it.
    """

    question: Question
    gold: str
    license: str | None = None
    source: str | None = None

    @property
    def id(self) -> str:
        """The question's id."""
        return self.question.id or ""

    @property
    def length(self) -> int:
        """Bytes of question and options: near enough to the number of tokens to sort by."""
        return len("".join((self.question.question, *self.question.options)).encode())

    @property
    def fingerprint(self) -> str:
        """Changes when the text, the options, their order or the gold answer change (16 hex digits of a sha256)."""
        text = json.dumps([self.question.question, self.question.options, self.gold], ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_items(sources: Iterable[str | Path]) -> list[Item]:
    """Read question files, by their ending `.jsonl`, `.csv` or `.parquet`, or data sets of the hub.

    JSONL: `{"id", "domain", "question", "options", "answer": "A"}` and, if known, `license` and `source`; extra keys ignored. CSV: the same columns, `options` as
    a JSON list or one column an option (`A`, `B`, … or `option_a`, …; empty cells at the end are no options). Parquet: the
    same columns, `options` a list. Hub: `org/name`, `org/name:config@split` (split `test` unless named), or a folder with a
    data set; `choices` and `answerKey` are taken for `options` and `answer`, and a class label for its name.

    Raises:
        ConfigError: a file that cannot be read, a row that is no question, an id that occurs twice; with file and row.
    """
    items: list[Item] = []
    seen: dict[str, str] = {}
    for source in map(str, sources):
        for number, row in _rows(source):
            place = f"{source}, row {number}"
            item = _item(row, place, f"{Path(source).stem}-{number}")
            if item.id in seen:
                raise ConfigError(f"{place}: the id '{item.id}' was used before ({seen[item.id]})")
            seen[item.id] = place
            items.append(item)
    if not items:
        raise ConfigError("the data holds no questions")
    return items


def sample_items(items: Sequence[Item], per_domain: int, seed: int) -> list[Item]:
    """That many questions of each domain, drawn by seed; all of a domain that has fewer."""
    draw = random.Random(seed)  # noqa: S311  # a sample, not a secret
    by_domain: dict[str | None, list[Item]] = {}
    for item in items:
        by_domain.setdefault(item.question.domain, []).append(item)
    return [item for same in by_domain.values() for item in draw.sample(same, min(per_domain, len(same)))]


def _rows(source: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    path = Path(source)
    if path.suffix == ".parquet":
        return enumerate(_parquet_rows(path), start=1)
    if path.suffix in _ENDINGS:
        return _text_rows(path)
    if path.is_dir():
        return enumerate(_hub_rows(source, None, None), start=1)
    if not path.exists() and (hub := _HUB.fullmatch(source)):
        return enumerate(_hub_rows(hub["name"], hub["config"], hub["split"]), start=1)
    raise ConfigError(f"{source}: neither a file that ends in {', '.join(_ENDINGS)} nor a data set (org/name, org/name:config@split)")


def _parquet_rows(path: Path) -> list[dict[str, Any]]:
    try:
        import pyarrow.parquet as pq  # an extra
    except ModuleNotFoundError:
        raise ConfigError(f"{path}: reading Parquet needs pip install 'foggate[eval]'") from None
    try:
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    # pyarrow's errors are OSError and ValueError by inheritance.
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read ({' '.join(str(error).split())[:200]})") from None
    return rows


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
        named = row | {column: kind.int2str(row[column]) for column, kind in labels.items() if row[column] is not None}
        yield {**named, "options": named.get("options", named.get("choices")), "answer": named.get("answer", named.get("answerKey"))}


def _text_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error})") from None
    if path.suffix == ".csv":
        # The header is row 1.
        yield from enumerate((_with_options(row) for row in csv.DictReader(text.splitlines(keepends=True))), start=2)
        return
    # Not splitlines(): U+2028 may stand inside a JSON string.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            raise ConfigError(f"{path}, row {number}: not JSON") from None
        if not isinstance(row, dict):
            raise ConfigError(f"{path}, row {number}: not an object")
        yield number, row


def _with_options(row: Mapping[str, str | None]) -> Mapping[str, Any]:
    cells = {(name or "").strip().lower(): value for name, value in row.items()}
    if given := cells.get("options"):
        try:
            return {**cells, "options": json.loads(given)}
        except ValueError:
            return {**cells, "options": None}
    options = [
        next((cells[name] for form in _OPTION_COLUMNS if (name := form.format(letter.lower())) in cells), None) for letter in LETTERS
    ]
    while options and not (options[-1] or "").strip():
        options.pop()
    return {**cells, "options": options}


def _item(row: Mapping[str, Any], place: str, default_id: str) -> Item:
    options, answer = row.get("options"), row.get("answer")
    if not isinstance(row.get("question"), str):
        raise ConfigError(f"{place}: 'question' is missing or no text")
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        raise ConfigError(f"{place}: 'options' must be a list of texts")
    try:
        question = Question(row["question"], tuple(options), str(row.get("domain") or "other"), str(row.get("id") or default_id))
    except InvalidQuestion as error:
        raise ConfigError(f"{place}: {error.message}") from None
    if not isinstance(answer, str) or len(answer.strip()) != 1 or answer.strip().upper() not in question.letters:
        raise ConfigError(f"{place}: 'answer' must be one of the letters {question.letters[0]} to {question.letters[-1]}")
    return Item(question, answer.strip().upper(), _text(row.get("license")), _text(row.get("source")))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None

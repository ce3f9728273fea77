"""Questions with gold answers, read from files and data sets in many layouts (docs/data.md).

A bad row is an error that names its place, or is skipped, counted and listed. A gold answer is never guessed.
"""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.core.errors import ConfigError, InvalidQuestion
from app.core.question import LETTERS, Question
from app.data.readers.answers import Evidence, Given, check_counting, readings, settle
from app.data.readers.layouts import QUESTIONS, Draft, draft
from app.data.readers.mapping import PLAIN, ColumnMap, check_columns
from app.data.readers.rows import NoQuestion, Row, normal_name
from app.data.readers.sources import read_rows, stem_of

_LISTED = 10


@dataclass(frozen=True, slots=True)
class Item:
    """A question whose correct letter is known. `question.id` and `question.domain` are always set.

    `license` and `source` are those of the row, for whoever publishes something made from it.
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


@dataclass(slots=True)
class Skipped:
    """Bad rows that were skipped: their number, and place and reason of the first ten."""

    total: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, place: str, reason: str) -> None:
        """Count one row."""
        self.total += 1
        if len(self.first) < _LISTED:
            self.first.append(f"{place}: {reason}")

    def sentences(self) -> list[str]:
        """Lines for a person; none if no row was skipped."""
        if not self.total:
            return []
        more = self.total - len(self.first)
        rows = "1 row that is not a question" if self.total == 1 else f"{self.total} rows that are not questions"
        return [f"skipped {rows}:", *(f"  {line}" for line in self.first), *([f"  … and {more} more"] if more else [])]


def load_items(sources: Iterable[str | Path], *, columns: ColumnMap = PLAIN, skipped: Skipped | None = None) -> list[Item]:
    """Read question files and data sets.

    Args:
        sources: sources as `app.data.readers.sources.read_rows` takes them.
        columns: meaning of the columns, for layouts that are not known.
        skipped: count of the bad rows, which are skipped then; without it the first bad row is an error.

    Raises:
        ConfigError: a source that cannot be read or holds no question, a bad row, an id that occurs twice, or answers that can be
            read in several ways; with file and line.
    """
    names = list(map(str, sources))
    stems = Counter(stem_of(name) for name in names)
    items: list[Item] = []
    seen: dict[str, str] = {}
    for source in names:
        stem = stem_of(source)
        # Files of one name in several folders must not share ids.
        prefix = stem if stems[stem] == 1 else f"{Path(source).parent.name}-{stem}".lstrip("-")
        before = len(items)
        for place, item in _items(source, columns, prefix, skipped):
            if item.id in seen:
                _refuse(place, f"the id '{item.id}' was used before ({seen[item.id]})", skipped)
                continue
            seen[item.id] = place
            items.append(item)
        if len(items) == before:
            why = f" ({skipped.first[-1]})" if skipped and skipped.first else ""
            raise ConfigError(f"{source} holds no questions{why}")
    if not items:
        raise ConfigError("the data holds no questions")
    return items


def sample_items(items: Sequence[Item], per_domain: int, seed: int) -> list[Item]:
    """`per_domain` questions of each domain, drawn by seed; all of a domain that has fewer."""
    draw = random.Random(seed)  # noqa: S311  # a sample, not a secret
    by_domain: dict[str | None, list[Item]] = {}
    for item in items:
        by_domain.setdefault(item.question.domain, []).append(item)
    return [item for same in by_domain.values() for item in draw.sample(same, min(per_domain, len(same)))]


@dataclass(frozen=True, slots=True)
class _Read:
    """A row without its answer yet: the readings of each column that names the correct option."""

    draft: Draft
    question: Question
    found: tuple[tuple[Given, dict[str, int]], ...]


def _items(source: str, columns: ColumnMap, prefix: str, skipped: Skipped | None) -> Iterator[tuple[str, Item]]:
    """The questions of one source. Its rows are read twice, since the answer of one row may show what that of another means."""
    headers = {*QUESTIONS, *(normal_name(path.split(".")[0]) for paths in columns.columns.values() for path in paths)}
    given = read_rows(source, headers, plain=not columns.columns)
    check_columns(given, columns)
    rows = [(row.place, _read(row, columns, prefix)) for row in given]
    evidence: dict[tuple[str, bool], Evidence] = {}
    defaults: dict[tuple[str, bool], str | None] = {}
    for place, one in rows:
        if isinstance(one, NoQuestion):
            continue
        for said, found in one.found:
            evidence.setdefault(said.kind, Evidence()).learn(place, said, found, len(one.question.options))
            defaults[said.kind] = said.default
    for kind, default in defaults.items():
        check_counting(kind[0], evidence[kind], default)
    for place, one in rows:
        try:
            item = _item(place, one, evidence)
        except NoQuestion as error:
            _refuse(place, str(error), skipped)
        else:
            yield place, item


def _read(row: Row, columns: ColumnMap, prefix: str) -> "_Read | NoQuestion":
    """A row with its readings, or the reason why it is not a question, which is reported when the row is used."""
    if row.problem:
        return NoQuestion(row.problem)
    try:
        found = draft(row.values, columns)
        question = Question(found.question, found.options.texts, found.domain or "other", found.id or f"{prefix}-{row.number}")
    except NoQuestion as error:
        return error
    except InvalidQuestion as error:
        return NoQuestion(error.message)
    answers = [(given, readings(given, question.options, found.options.labels)) for given in found.answers]
    return _Read(found, question, tuple((given, ways) for given, ways in answers if not given.is_witness or len(set(ways.values())) == 1))


def _item(place: str, one: "_Read | NoQuestion", evidence: Mapping[tuple[str, bool], Evidence]) -> Item:
    """The question with its answer settled. Raises NoQuestion and ConfigError."""
    if isinstance(one, NoQuestion):
        raise one
    options, correct = one.question.options, one.draft.options.correct
    places = {given.column: settle(place, given, found, evidence[given.kind], options) for given, found in one.found}
    if len(set(places.values())) > 1:
        raise NoQuestion("the row contradicts itself: " + ", ".join(f"'{column}' means {LETTERS[at]}" for column, at in places.items()))
    if places:
        correct = next(iter(places.values()))
    assert correct is not None  # noqa: S101  # a row without answers is of a layout that marks the correct option
    return Item(one.question, LETTERS[correct], one.draft.license, one.draft.source)


def _refuse(place: str, reason: str, skipped: Skipped | None) -> None:
    """Count a bad row, or stop at it. Raises ConfigError."""
    if skipped is None:
        raise ConfigError(f"{place}: {reason}; --skip-bad skips such rows")
    skipped.add(place, reason)

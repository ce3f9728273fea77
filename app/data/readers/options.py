"""The options of a row, in the forms that data files have them: a list, a mapping from letters, labelled texts, a column each."""

import ast
import hashlib
import io
import json
import re
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.question import LETTERS, MAX_OPTIONS
from app.data.readers.rows import NoQuestion, as_text, is_missing, listed, shown

# `{}` is a letter, or a number.
_LETTERED = ("{}", "option_{}", "option{}", "op{}", "opt_{}", "opt{}", "choice_{}", "choice{}", "answer_{}", "answer{}")
_NUMBERED = ("option_{}", "option{}", "opt_{}", "opt{}", "choice_{}", "choice{}", "answer_{}", "answer{}", "ending_{}", "ending{}", "sol{}")
# The number of the first column of each form, None for letters, and the names of all.
_COLUMNS: tuple[tuple[int | None, tuple[str, ...]], ...] = (
    *((None, tuple(form.format(letter.lower()) for letter in LETTERS)) for form in _LETTERED),
    *((first, tuple(form.format(number) for number in range(first, first + MAX_OPTIONS))) for form in _NUMBERED for first in (0, 1)),
)
_TEXTS = ("text", "texts", "value", "content", "choice", "choices")
_LABELS = ("label", "labels", "key", "letter")
_NOT_THERE = "n/a"


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a question.

    Attributes:
        texts: texts in order, without padding at the end.
        labels: labels in the file, if it has any.
        counts_from_0: whether the columns are numbered from 0.
        correct: place of the correct option (counted from 0), if the form itself marks it.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    counts_from_0: bool = False
    correct: int | None = None


def read_options(value: Any, *, pads: bool = False) -> Options:
    """The options that one column holds.

    Args:
        value: a list of texts; a list of `{"label", "text"}` (or `key` and `value`); lists of both; a mapping from
            letters to texts; or any of these as JSON.
        pads: whether a single `N/A` at the end is padding too.

    Raises:
        NoQuestion: it is none of these.
    """
    if isinstance(value, str):
        value = parsed(value)
    if isinstance(value, list) and value and all(isinstance(one, tuple) for one in value):
        value = dict(value)
    if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        keys = [_one_of(one, _TEXTS) for one in value], [_one_of(one, _LABELS) for one in value]
        if None in keys[0]:
            raise NoQuestion(f"'options' must be a list of texts; its objects hold {listed(value[0])}")
        texts = [one[key] for one, key in zip(value, keys[0], strict=True)]
        labels = None if None in keys[1] else [one[key] for one, key in zip(value, keys[1], strict=True)]
        return _options(texts, labels, pads=pads)
    if isinstance(value, Mapping):
        return _mapping(value, pads=pads)
    if not isinstance(value, list):
        raise NoQuestion(f"'options' must be a list of texts, not {shown(value)}")
    return _options(value, None, pads=pads)


def labelled(texts: Any, labels: Any) -> Options:
    """Options and labels out of two columns. Raises NoQuestion."""
    if not isinstance(texts, list) or not isinstance(labels, list):
        raise NoQuestion("'options' and 'labels' must be lists")
    return _options(texts, labels)


def from_columns(columns: Mapping[str, Any]) -> Options | None:
    """Options that have a column each, `A`, `B`, … or `option_1`, …; None where there are none.

    Args:
        columns: the row, by normal names.
    """
    found = [(first, names) for first, names in _COLUMNS if not is_missing(columns.get(names[0])) and not is_missing(columns.get(names[1]))]
    found = found or [(first, names) for first, names in _COLUMNS if names[0] in columns and names[1] in columns]
    if not found:
        return None
    first, names = found[0]
    # `option0` is followed by `option1`, with which another form begins.
    if others := [other for _, other in found if other[0] not in names]:
        raise NoQuestion(
            f"'{names[0]}' and '{others[0][0]}' both begin a row of options: name the columns with --map options=COLUMN,COLUMN,…"
        )
    return Options(_options(_through_last(columns, names), None).texts, counts_from_0=first == 0)


def scored(value: Any) -> Options:
    """TruthfulQA's `mc1_targets` and BIG-bench's `target_scores`: the correct option is marked with 1; the options are shuffled. Raises NoQuestion."""
    if isinstance(value, str):
        value = parsed(value)
    if isinstance(value, Mapping) and isinstance(value.get("choices"), list) and isinstance(value.get("labels"), list):
        texts, marks = value["choices"], value["labels"]
    elif isinstance(value, Mapping):
        # A struct of Parquet has all columns of the file.
        pairs = [(text, mark) for text, mark in value.items() if mark is not None]
        texts, marks = [text for text, _ in pairs], [mark for _, mark in pairs]
    else:
        raise NoQuestion("the targets must be choices with labels")
    correct = [index for index, mark in enumerate(marks) if mark == 1]
    if len(texts) != len(marks) or len(correct) != 1 or any(mark not in {0, 1} for mark in marks):
        raise NoQuestion(f"{len(correct)} of the options are marked as correct, not one")
    return shuffled(texts[correct[0]], [text for index, text in enumerate(texts) if index != correct[0]])


def shuffled(correct: Any, others: Sequence[Any]) -> Options:
    """Options of a form that always names the correct one first, in an order that follows from the texts alone.

    In the order of the file the correct letter would always be A.

    Raises:
        NoQuestion: an option is no text.
    """
    texts = _options([correct, *others], None).texts
    order = sorted(range(len(texts)), key=lambda index: hashlib.sha256("\n".join((texts[index], *sorted(texts))).encode()).digest())
    return Options(tuple(texts[index] for index in order), correct=order.index(0))


def _mapping(value: Mapping[Any, Any], *, pads: bool) -> Options:
    texts, labels = _one_of(value, _TEXTS), _one_of(value, _LABELS)
    if texts is not None and isinstance(value[texts], list):
        named = value[labels] if labels is not None else None
        if named is not None and not isinstance(named, list):
            raise NoQuestion("'options' must be a list of texts")
        return _options(value[texts], named, pads=pads)
    keys = [str(key) for key in value]
    pairs = list(zip(keys, value.values(), strict=True))
    if all(len(key) == 1 and key.isalpha() for key in keys):
        pairs.sort(key=lambda pair: pair[0].upper())
    elif all(re.fullmatch("[0-9]{1,3}", key) for key in keys):
        pairs.sort(key=lambda pair: int(pair[0]))
    return _options([text for _, text in pairs], [key for key, _ in pairs], pads=pads)


def _options(texts: Sequence[Any], labels: Sequence[Any] | None, *, pads: bool = False) -> Options:
    texts = list(texts)
    if labels is not None and len(labels) != len(texts):
        raise NoQuestion(f"{len(texts)} options have {len(labels)} labels")
    count = len(texts)
    while count and is_missing(texts[count - 1]):
        count -= 1
    absent = count
    while absent and isinstance(texts[absent - 1], str) and texts[absent - 1].strip().lower() == _NOT_THERE:
        absent -= 1
    # A single one may be an option; two cannot.
    if pads or count - absent > 1:
        count = absent
    read = [_text(value, index) for index, value in enumerate(texts[:count])]
    if labels is None:
        return Options(tuple(read))
    names = [as_text(label) for label in labels[:count]]
    known = [name.strip() for name in names if name is not None and name.strip()]
    if len(known) != len(names) or len({name.casefold() for name in known}) != len(known):
        raise NoQuestion("the labels of the options must be different texts")
    if all(type(value) in {bool, int} and value in {0, 1} for value in texts[:count]) and not _are_places(known):
        raise NoQuestion(f"'options' holds truth values ({listed(texts[:count])}), not texts, beside {listed(known)}")
    return Options(tuple(read), tuple(known))


def _are_places(labels: Sequence[str]) -> bool:
    """Whether labels are those of places: A, B, … or numbers from 0 or 1 on."""
    plain = [label.upper() for label in labels]
    return plain in [list(LETTERS[: len(plain)]), *([str(first + place) for place in range(len(plain))] for first in (0, 1))]


def _text(value: Any, index: int) -> str:
    if is_missing(value):
        # `Question` refuses a blank option and names it.
        return ""
    text = as_text(value)
    if text is None:
        raise NoQuestion(f"'options' must be a list of texts; option {index + 1} is {shown(value)}")
    return text


def _through_last(columns: Mapping[str, Any], names: Iterable[str]) -> list[Any]:
    """The cells up to the last column that is there; one that is missing between is a blank option."""
    cells = [(name in columns, columns.get(name)) for name in names]
    while not cells[-1][0]:
        cells.pop()
    return [cell for _, cell in cells]


def _one_of(value: Mapping[Any, Any], names: Iterable[str]) -> str | None:
    return next((name for name in names if name in value), None)


def parsed(text: str) -> Any:
    """A cell of a table that holds a list or an object: JSON, or what Python prints of it. Raises NoQuestion."""
    if text.strip()[:1] not in {"[", "{"}:
        raise NoQuestion(f"'options' must be a list of texts, not {shown(text)}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        _refuse_lost_commas(text.strip())
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError, tokenize.TokenError):
        raise NoQuestion(f"'options' must be a list of texts; {shown(text)} is no list in JSON") from None


def _refuse_lost_commas(text: str) -> None:
    """Python joins `'b' 'c'` to one text, which would move every option behind it by one place. Raises ValueError."""
    before = None
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.STRING and before == tokenize.STRING:
            raise ValueError("a comma is lost")
        if token.type not in {tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT}:
            before = token.type

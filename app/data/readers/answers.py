"""Which option a data file means with `B`, `(B)`, `1` or the option's text.

A wrong gold answer is worse than none, so nothing is guessed: if an answer can be read in two ways, the rest of the file
decides (a row that can be read in one way only proves that way); if it does not, the file is refused with a sentence that names the
option to add.
"""

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from app.core.errors import ConfigError
from app.core.question import LETTERS, one_line
from app.data.readers.rows import NoQuestion, as_text, is_missing, shown

LETTER, LABEL, TEXT, FROM_0, FROM_1 = "letter", "label", "text", "0", "1"
# How an answer may be meant: a letter, a label that stands beside the options, an option's text, a number counted from 0 or 1.
WAYS = (LETTER, LABEL, TEXT, FROM_0, FROM_1)
_NUMBERS = frozenset({FROM_0, FROM_1})
# Truth values can be different labels only where there are two options.
_PAIR = 2
_INTEGER = re.compile(r"[+-]?[0-9]{1,9}(?:\.0*)?")
# `B`, `B.`, `(B)`, `[B]`, `B:`; and the same with text behind it.
_BARE = re.compile(r"[(\[]?\s*([^\W_]{1,8})\s*[)\].:]?")
_WITH_TEXT = re.compile(r"[(\[]?([A-Za-z])[)\].:]\s*(\S.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Given:
    """The answer that one column gives.

    Attributes:
        column: name of the column.
        value: value of the cell.
        ways: ways in which the value may be read.
        default: number of the first option in a layout that is known to count from it; a file that contradicts it
            is refused.
        is_witness: whether this is a second column, which is used only if it can be read in one way, and must agree.
    """

    column: str
    value: Any
    ways: frozenset[str] = frozenset(WAYS)
    default: str | None = None
    is_witness: bool = False

    @property
    def kind(self) -> tuple[str, bool]:
        """Answers of the same kind prove each other's reading: same column, and both texts or both numbers."""
        return self.column, isinstance(self.value, str)


@dataclass(slots=True)
class Evidence:
    """Evidence about the answers of one kind in one file.

    Attributes:
        proven: place and value of the first row that can be read in one way only, by way.
        labelled: place and value of the first row whose number is the label of another option than its place, by way of counting.
    """

    proven: dict[str, tuple[str, Any]] = field(default_factory=dict)
    labelled: dict[str, tuple[str, Any]] = field(default_factory=dict)

    def learn(self, place: str, given: Given, found: Mapping[str, int], count: int) -> None:
        """Add the readings of one row with `count` options."""
        if len(found) == 1:
            self.proven.setdefault(next(iter(found)), (place, given.value))
        # A 0 beside the labels 1 to 4 is not an answer, and shows how numbers may be meant; so does a 4 beside 0 to 3.
        number = number_of(given.value) if not found and given.ways >= _NUMBERS else None
        if number in {0, count}:
            self.proven.setdefault(FROM_0 if number == 0 else FROM_1, (place, given.value))
        for way in _NUMBERS & found.keys() if LABEL in found else ():
            if found[way] != found[LABEL]:
                self.labelled.setdefault(way, (place, given.value))


def readings(given: Given, options: Sequence[str], labels: Sequence[str] | None) -> dict[str, int]:
    """The ways in which an answer can be read, and the option (counted from 0) that each names; empty if there is none."""
    value = given.value
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    text = as_text(value)
    if text is None or is_missing(value):
        return {}
    text = text.strip()
    found: dict[str, int | None] = {TEXT: _by_text(text, options)}
    token = _token(text)
    named = labels or _written_labels(options)
    if named is not None:
        found[LABEL] = _place(token, [_token(label) for label in named])
    digits = labels is not None and all(label.strip().isdecimal() for label in labels)
    if labels is None or digits or given.ways == {LETTER}:
        found[LETTER] = _by_letter(text, token, options)
    # Numbers that are labels of the options are not read as places, unless it is known that they are.
    number = number_of(value) if not digits or found[LABEL] is not None or given.default or given.ways <= _NUMBERS else None
    found[FROM_0] = number if number is not None and 0 <= number < len(options) else None
    found[FROM_1] = number - 1 if number is not None and 1 <= number <= len(options) else None
    return {way: place for way, place in found.items() if place is not None and way in given.ways}


def check_counting(column: str, evidence: Evidence, default: str | None) -> None:
    """Refuse a file whose rows contradict each other about the number of the first option. Raises ConfigError."""
    proven = evidence.proven
    if TEXT in proven:
        return
    if FROM_0 in proven and FROM_1 in proven:
        (zero, _), (one, value) = proven[FROM_0], proven[FROM_1]
        raise ConfigError(
            f"{one}: '{column}' is {shown(value)}, which counts the options from 1, but {zero} counts from 0; correct one of them, or add "
            f"--map answer={column}:0 or --map answer={column}:1"
        )
    if way := next((way for way in (FROM_0, FROM_1) if way in proven and way in evidence.labelled), None):
        one, value = evidence.labelled[way]
        raise ConfigError(
            f"{one}: '{column}' is {shown(value)}, which is the label of an option, but {proven[way][0]} counts the options from {way}; "
            f"correct one of them, or add --map answer={column}:label or --map answer={column}:{way}"
        )
    if default == FROM_0 and FROM_1 in proven:
        place, value = proven[FROM_1]
        raise ConfigError(
            f"{place}: '{column}' is {shown(value)}, but in this layout the first option is 0; correct the row, or add "
            f"--map answer={column}:0 or --map answer={column}:1"
        )


def settle(place: str, given: Given, found: Mapping[str, int], evidence: Evidence, options: Sequence[str]) -> int:
    """The option that is meant, counted from 0.

    Raises:
        NoQuestion: the answer is missing, is none of the options, or can mean two of them.
        ConfigError: the answer is a number, and nothing in the file shows where the options are counted from.
    """
    # Test splits without answers have -1, where it is no option's text.
    if is_missing(given.value) or given.value == [] or (not found and number_of(given.value) == -1):
        raise NoQuestion(f"'{given.column}' is empty: the row has no answer")
    ways = dict(found)
    if TEXT in evidence.proven and TEXT not in ways and ways and ways.keys() <= _NUMBERS:
        raise NoQuestion(f"'{given.column}' is {shown(given.value)}, no option's text as in {evidence.proven[TEXT][0]}")
    if TEXT in evidence.proven:
        ways = {way: at for way, at in ways.items() if way not in _NUMBERS}
    if not ways:
        raise NoQuestion(_outside(given, options))
    if len(set(ways.values())) == 1:
        return next(iter(ways.values()))
    # A label needs no proof, because labels exist to be named; a layout that is known to count may contradict it.
    sure = set(evidence.proven) | ({LABEL} if not _may_be_flags(ways, options) else set()) | ({given.default} if LABEL in ways else set())
    chosen = {at for way, at in ways.items() if way in sure}
    if not chosen and given.default in ways and not ways.keys() - _NUMBERS:
        return ways[given.default or FROM_0]
    if len(chosen) == 1:
        return chosen.pop()
    column = given.column
    if ways.keys() == _NUMBERS:
        raise ConfigError(
            f"{place}: '{column}' is {shown(given.value)}, and nothing in the file shows whether the first option is 0 or 1; add "
            f"--map answer={column}:0 or --map answer={column}:1"
        )
    said = " or ".join(f"option {LETTERS[at]} ({_MEANS[way]}, --map answer={column}:{way})" for way, at in ways.items())
    raise NoQuestion(f"'{column}' is {shown(given.value)}, which can mean {said}")


def _may_be_flags(ways: Mapping[str, int], options: Sequence[str]) -> bool:
    """Whether a label 0 beside the second of two options may mean "false", as in `"label": [1, 0]`, and not be its name.

    The answer 0 is then the label of the second option, and the number of the first one where numbers count from 0.
    """
    return len(options) == _PAIR and (ways.get(LABEL), ways.get(FROM_0)) == (1, 0)


_MEANS = {LETTER: "as a letter", LABEL: "as its label", TEXT: "as its text", FROM_0: "counted from 0", FROM_1: "counted from 1"}


def _outside(given: Given, options: Sequence[str]) -> str:
    text = f"'{given.column}' must be one of the letters {LETTERS[0]} to {LETTERS[len(options) - 1]}, the number or the text of an option; it is "
    value = given.value.strip() if isinstance(given.value, str) else given.value
    odd = isinstance(value, str) and len(value) == 1 and not value.isascii()
    return text + shown(value) + (f" ({unicodedata.name(value, 'no Latin letter').lower()})" if odd else "")


def _token(text: str) -> str:
    """The letter or label without brackets and full stop, in one case; the whole text where it is longer."""
    match = _BARE.fullmatch(text.strip())
    return unicodedata.normalize("NFKC", match[1] if match else text.strip()[:200]).casefold()


def _place(token: str, tokens: Sequence[str]) -> int | None:
    return tokens.index(token) if token and tokens.count(token) == 1 else None


def _by_letter(text: str, token: str, options: Sequence[str]) -> int | None:
    letters = LETTERS[: len(options)].lower()
    if len(token) == 1:
        return _place(token, list(letters))
    # `B. Paris`, where Paris is the text of option B.
    match = _WITH_TEXT.fullmatch(text)
    at = letters.find(match[1].lower()) if match else -1
    return at if match and at >= 0 and _normal(match[2]) == _normal(options[at]) else None


def _by_text(text: str, options: Sequence[str]) -> int | None:
    line = one_line(text)
    if line in options:
        return options.index(line)
    place = _place(_normal(text), [_normal(option) for option in options])
    if place is None and (number := number_of(text)) is not None:
        # Tables turn 5 into 5.0.
        numbers = [number_of(option) for option in options]
        return numbers.index(number) if numbers.count(number) == 1 else None
    return place


def _written_labels(options: Sequence[str]) -> list[str] | None:
    """The letters that options begin with (`B) 5`, `A) 4`), where these are not the letters of their places."""
    written = [match[1].upper() for option in options if (match := _WITH_TEXT.fullmatch(option))]
    in_order = list(LETTERS[: len(options)])
    return written if written != in_order and sorted(written) == in_order else None


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", one_line(text)).casefold().split())


def number_of(value: Any) -> int | None:
    """The whole number that an answer is or spells, None for any other."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float | Decimal):
        return int(value) if math.isfinite(value) and value == int(value) else None
    if isinstance(value, int):
        return value
    text = value.strip() if isinstance(value, str) else ""
    return int(float(text)) if _INTEGER.fullmatch(text) else None

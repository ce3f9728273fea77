"""The records file: one line a question, appended as it is answered, so that a killed run loses at most a torn line.

A later line of the same id replaces an earlier one (a failed cloud call that was asked again). `compact` writes the
final file in the order of the data; it has its name only when it is complete. Code that computes with records reads
them through `load_records`, which checks every line.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from app.core.buckets import BUCKET_LABELS, BUCKETS
from app.core.errors import ConfigError
from app.core.question import MIN_OPTIONS, letters_of
from app.data.readers.rows import shown

Record = dict[str, Any]

_REQUIRED = (
    "id",
    "domain",
    "gold",
    "edge_answer",
    "confidence",
    "expected_confidence",
    "answer_probabilities",
    "confidence_probabilities",
    "cloud_answer",
    "edge_model",
    "prompt_version",
)
# Missing, null, or a number.
_NUMBERS = (
    "edge_ms",
    "edge_batch",
    "edge_parameters",
    "cloud_ms",
    "cloud_tokens",
    "cloud_prompt_tokens",
    "cloud_completion_tokens",
    "generated_ms",
)
# A step of a bucket's path: a branching and a child.
_STEP = 2
# What makes two records those of one edge model.
_IDENTITY = ("edge_model", "edge_fingerprint", "prompt_version", "prompt_fingerprint")


def read_records(path: Path, *, missing_ok: bool = False) -> dict[str, Record]:
    """The newest record of each id; an incomplete last line is ignored. A missing file counts as empty if `missing_ok`.

    Raises:
        ConfigError: the file cannot be read, or a line before the last is damaged.
    """
    if missing_ok and not path.exists():
        return {}
    return {record["id"]: record for _, record in _lines(path, unended=False)}


def load_records(path: Path) -> list[Record]:
    """Records to compute with: complete keys, one edge model, each question once, letters that were offered, probabilities, no NaN.

    Raises:
        ConfigError: file and line of the first record that breaks one of these rules.
    """
    found: dict[str, tuple[int, Record]] = {}
    first: Record | None = None
    for number, record in _lines(path, unended=True):
        place = f"{path}, line {number}"
        _check(record, place)
        first = first or record
        for key in _IDENTITY:
            # Earlier versions did not write the fingerprint of the rendered prompt.
            if record.get(key) != first.get(key) and (key != "prompt_fingerprint" or None not in {record.get(key), first.get(key)}):
                raise ConfigError(f"{place}: records of two models are mixed ({key} {record.get(key)}, before {first.get(key)})")
        before = found.get(record["id"])
        if before is not None and not _continues(before[1], record):
            raise ConfigError(f"{place}: the id '{record['id']}' was used before (line {before[0]})")
        found[record["id"]] = (number, record)
    if not found:
        raise ConfigError(f"{path} holds no records")
    return [record for _, record in found.values()]


def open_for_append(path: Path) -> IO[str]:
    """Open the file after its last complete line; an incomplete line that a kill left is removed first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
    return path.open("a", encoding="utf-8")


def append(file: IO[str], record: Mapping[str, Any]) -> None:
    """Write one line and flush it at once."""
    file.write(json.dumps(record, ensure_ascii=False) + "\n")
    file.flush()


def compact(path: Path, ids: Iterable[str]) -> None:
    """Rewrite the file with one line for each id, in this order; records of other ids follow."""
    records = read_records(path)
    ordered = [records.pop(name) for name in ids if name in records] + list(records.values())
    scratch = path.with_name(path.name + ".partial")
    with scratch.open("w", encoding="utf-8") as file:
        for record in ordered:
            append(file, record)
    scratch.replace(path)


def _lines(path: Path, *, unended: bool) -> Iterator[tuple[int, Record]]:
    """Complete lines with their numbers.

    A last line without a line end may be incomplete. A resumed run removes it, so it does not count there; for a reader
    (`unended`) it counts if it is complete JSON.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})") from None
    for number, line in enumerate(lines, start=1):
        is_last = number == len(lines)
        if is_last and not (unended and line.strip()):
            return
        record = _parsed(line)
        if record is not None:
            yield number, record
        elif not is_last:
            raise ConfigError(f"{path}, line {number}: not a record")


def _parsed(line: bytes) -> Record | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("id"), str) else None


def _continues(before: Record, after: Record) -> bool:
    """Whether a later line is the record of the same question with more answers, as a run writes it step by step."""
    same = all(before.get(key) == after.get(key) for key in ("fingerprint", "gold", "domain"))
    keys = ("edge_answer", "cloud_answer", "generated_text", "reversed_answer")
    kept = all(before.get(key) is None or before.get(key) == after.get(key) for key in keys)
    grown = any(before.get(key) is None and after.get(key) is not None for key in keys)
    # The orders of options may be asked for again in another number.
    failed = any(before.get(key) != after.get(key) for key in ("permuted", "edge_error", "cloud_error", "reversed_error", "permuted_error"))
    return same and kept and (grown or failed)


def _check(record: Record, place: str) -> None:  # a list of refusals, one after the other
    for key in _REQUIRED:
        if key not in record:
            raise ConfigError(f"{place}: '{key}' is missing")
    if not isinstance(record["domain"], str) or not record["domain"].strip():
        raise ConfigError(f"{place}: 'domain' is empty")
    if record["edge_answer"] is None:
        return
    answers, buckets = record["answer_probabilities"], record["confidence_probabilities"]
    # An edge that gives a distribution over the options only has no confidence, and one that gives a letter only has nothing.
    bare = record["confidence"] is record["expected_confidence"] is buckets is None
    if bare and answers is None:
        raise ConfigError(
            f"{place}: the edge model gave an answer without any probability, so there is no signal to report, to compare or to calibrate"
        )
    if not isinstance(answers, dict) or list(answers) != list(letters_of(len(answers))) or len(answers) < MIN_OPTIONS:
        raise ConfigError(f"{place}: 'answer_probabilities' must hold the offered letters {', '.join(letters_of(2))}, … in order")
    if not bare:
        _check_confidence(record, place)
    _check_permuted(record.get("permuted"), answers, bare=bare, place=f"{place}: 'permuted'")
    for key in ("gold", "edge_answer", "cloud_answer", "generated_answer", "reversed_answer", "reversed_expected_answer"):
        letter = record.get(key)
        if letter not in answers and (letter is not None or key in {"gold", "edge_answer"}):
            raise ConfigError(f"{place}: '{key}' is {letter!r}, offered were {', '.join(answers)}")
    _check_shares(answers, place)
    _check_measured(record, place)


def _check_permuted(mean: Any, answers: Mapping[str, Any], *, bare: bool, place: str) -> None:
    """The mean over several orders of the options: it is about the same letters, and has a confidence where the record has one."""
    if mean is None:
        return
    if not isinstance(mean, dict) or not isinstance(mean.get("reads"), int) or mean["reads"] < MIN_OPTIONS:
        raise ConfigError(f"{place} is {shown(mean)}, and must say how many orders were read")
    probabilities = mean.get("answer_probabilities")
    if not isinstance(probabilities, dict) or list(probabilities) != list(answers) or mean.get("edge_answer") not in answers:
        raise ConfigError(f"{place} must hold 'answer_probabilities' and 'edge_answer' of the letters {', '.join(answers)}")
    _check_shares(probabilities, place)
    # Earlier versions did not write the distribution of each order.
    if (each := mean.get("orders")) is not None and not _are_orders(each, min(mean["reads"], len(answers)), len(answers)):
        raise ConfigError(f"{place}: 'orders' must hold the probabilities of {len(answers)} letters for each order of the options")
    if not bare:
        missing = [key for key in ("confidence", "expected_confidence", "confidence_probabilities") if mean.get(key) is None]
        if missing:
            raise ConfigError(f"{place} lacks '{missing[0]}'")
        _check_confidence(mean, place)


def _check_confidence(record: Record, place: str) -> None:
    buckets = record["confidence_probabilities"]
    if not isinstance(buckets, dict) or set(buckets) != set(BUCKET_LABELS):
        raise ConfigError(f"{place}: 'confidence_probabilities' must hold {', '.join(BUCKET_LABELS)}")
    if record["confidence"] not in BUCKETS:
        raise ConfigError(f"{place}: 'confidence' is {record['confidence']!r}, none of {', '.join(BUCKET_LABELS)}")
    _check_shares({"expected_confidence": record["expected_confidence"], **buckets}, place)


def _check_shares(values: Mapping[str, Any], place: str) -> None:
    for key, value in values.items():
        if not _is_share(value):
            raise ConfigError(f"{place}: '{key}' is {value!r}, not a number from 0 to 1")


def _check_measured(record: Record, place: str) -> None:
    for key in _NUMBERS:
        if not isinstance(record.get(key), int | float | None):
            raise ConfigError(f"{place}: '{key}' is {shown(record[key])}, not a number")
    if record.get("bucket_paths") is not None and not _are_paths(record["bucket_paths"]):
        raise ConfigError(f"{place}: 'bucket_paths' is {shown(record['bucket_paths'])}, not a list of steps for each of five buckets")


def _are_orders(value: Any, orders: int, options: int) -> bool:
    """One list of shares for each order, as many as there are letters."""
    return (
        isinstance(value, list)
        and len(value) == orders
        and all(isinstance(shares, list) and len(shares) == options and all(map(_is_share, shares)) for shares in value)
    )


def _are_paths(value: Any) -> bool:
    """Five lists of steps, each a branching and a child."""
    return (
        isinstance(value, list)
        and len(value) == len(BUCKET_LABELS)
        and all(isinstance(path, list) and all(isinstance(step, list) and len(step) == _STEP for step in path) for path in value)
    )


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 1

"""JSON of untrusted senders, and JSON for any receiver: in UTF-8, bounded so that no text is slow to decode; only valid JSON is written.

Python's decoder holds the interpreter's lock for as long as it works, in any thread. A megabyte of text costs it a few
milliseconds, a megabyte of `[],[],[]` a second; so the number of values is bounded before it begins.
"""

import json
import math
from collections import Counter
from typing import Any

# Longer integers are read as infinite: Python needs time that grows with the square of their length, and refuses them
# altogether from 4301 digits on. Every field that takes a number refuses an infinite one.
_MAX_DIGITS = 100


class NotJson(ValueError):
    """The bytes are not JSON in UTF-8, or nested more deeply than can be read."""


class TooManyValues(ValueError):
    """The bytes hold more values than the receiver can use."""


class RepeatedName(ValueError):
    """A name stands twice in one object; the message is the name."""


def loads(content: bytes, *, max_values: int, distinct_names: bool = False) -> Any:
    """The value that UTF-8 bytes hold.

    Args:
        content: JSON in UTF-8; it may begin with a byte order mark.
        max_values: commas and opening brackets outside of strings, of which every value but the first needs one.
        distinct_names: whether a name that stands twice in one object is an error; otherwise its last value counts. It makes decoding slower.

    Raises:
        NotJson: not UTF-8, not JSON, or nested too deeply. `NaN` and `Infinity` are read, as everywhere in Python, so that
            one of them spoils one question of a batch and not the whole batch; later validation accepts finite numbers only.
        TooManyValues: more values than `max_values` allows.
        RepeatedName: a name stands twice in one object, where that is an error.
    """
    _bound(content, max_values)
    try:
        return json.loads(content.decode("utf-8-sig"), parse_int=_int, object_pairs_hook=_distinct if distinct_names else None)
    except RepeatedName:
        raise
    except (ValueError, RecursionError):
        raise NotJson("not JSON in UTF-8") from None


def dumps(value: Any) -> bytes:
    """A value as one line of JSON in UTF-8.

    Raises:
        ValueError: a number that is not finite, or a lone surrogate (UnicodeEncodeError is one).
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        counted = Counter(name for name, _ in pairs)
        raise RepeatedName(next(name for name, count in counted.items() if count > 1))
    return made


def _bound(content: bytes, most: int) -> None:
    """Refuse more than `most` separators outside of strings, in time linear in the length. Raises TooManyValues or NotJson."""
    # Most bodies end here: a megabyte is counted in a fraction of a millisecond.
    if _separators(content) <= most:
        return
    unescaped = content.replace(rb"\\", b"").replace(rb"\"", b"")
    # Behind each separator stand two strings at most, a key and its value.
    if unescaped.count(b'"') <= 4 * (most + 1):
        outside = b"".join(unescaped.split(b'"')[::2])
        if _separators(outside) <= most:
            return
        if outside.count(b"[") + outside.count(b"{") != outside.count(b"]") + outside.count(b"}"):
            raise NotJson("not JSON")
    raise TooManyValues(f"more than {most} values")


def _separators(content: bytes) -> int:
    return content.count(b",") + content.count(b"[") + content.count(b"{")


def _int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else -math.inf if digits.startswith("-") else math.inf

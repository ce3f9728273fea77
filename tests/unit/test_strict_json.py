import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.strict_json import NotJson, TooManyValues, dumps, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**90), 10**90) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_what_is_json_is_read_and_written_as_it_is(value):
    assert loads(json.dumps(value).encode(), max_values=10**6) == value
    assert loads(dumps(value), max_values=10**6) == value


def values_in(value):
    """Values but for the outermost: what stands in lists and objects, and each list and object that holds something."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else max(1, len(inner)) + sum(map(values_in, inner))


@given(VALUES, st.booleans())
def test_the_bound_counts_values_and_no_sign_inside_a_text(value, escaped):
    content = json.dumps(value, ensure_ascii=escaped).encode()
    count = values_in(value)
    assert loads(content, max_values=count) == value
    if count:
        with pytest.raises(TooManyValues):
            loads(content, max_values=count - 1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        '"é"'.encode("latin-1"),
        '{"question": "q"}'.encode("utf-16"),
        '{"question": "q"}'.encode("utf-32"),
        b'"\x00"',
        b"[1,]",
        b"{'a': 1}",
        b"1 2",
        b"01",
        b"[" * 200_000,
        b'{"a":' * 5_000,
        b"[" * 5_000 + b"]" * 5_000,
    ],
)
def test_what_is_not_json_in_utf8_is_refused(content):
    with pytest.raises(NotJson):
        loads(content, max_values=20_000)


def test_a_byte_order_mark_is_passed_over():
    assert loads(b"\xef\xbb\xbf[1]", max_values=1) == [1]


@pytest.mark.parametrize("digits", [101, 400, 4_300, 4_301, 100_000])
def test_a_number_too_long_to_be_meant_is_infinite(digits):
    assert loads(b"[" + b"9" * digits + b",-" + b"9" * digits + b"]", max_values=2) == [math.inf, -math.inf]


@pytest.mark.parametrize("value", [math.nan, [math.inf], {"a": -math.inf}, "\ud800", {"\udfff": 1}])
def test_what_would_not_be_json_is_never_written(value):
    with pytest.raises(ValueError):
        dumps(value)

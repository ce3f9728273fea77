"""Compressed bodies: what is one, what is none, and that neither its size nor its shape costs more than a bounded time."""

import contextlib
import functools
import gzip
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.encoding import NotDecodable, TooLarge, UnsupportedEncoding, coding_of, decoded

TEXT = b'{"question": "Which?", "options": ["a", "b"]}'
MOST = 1_048_576


def raw_deflate(data):
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


@pytest.mark.parametrize(
    ("headers", "coding"),
    [
        ([], None),
        ([""], None),
        (["identity"], None),
        (["Identity, identity"], None),
        ([" , ,"], None),
        (["gzip"], "gzip"),
        (["GZip "], "gzip"),
        (["x-gzip"], "x-gzip"),
        (["deflate"], "deflate"),
        (["identity, gzip"], "gzip"),
        (["identity", "deflate"], "deflate"),
        (["gzip,"], "gzip"),
    ],
)
def test_which_coding_a_body_has(headers, coding):
    assert coding_of(headers) == coding


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        (["br"], "not supported"),
        (["zstd"], "not supported"),
        (["compress"], "not supported"),
        (["gzip;q=1"], "not supported"),
        (["utf-8"], "not supported"),
        (["\xff"], "not supported"),
        (["gzip, gzip"], "more than one"),
        (["deflate, gzip"], "more than one"),
        (["gzip", "gzip"], "more than one"),
        (["br, gzip"], "more than one"),
    ],
)
def test_which_codings_are_not_taken(headers, says):
    with pytest.raises(UnsupportedEncoding, match=says):
        coding_of(headers)


@given(st.binary(max_size=2_000), st.sampled_from(["gzip", "x-gzip", "zlib", "raw"]), st.integers(0, 9))
def test_what_was_compressed_comes_back(data, how, level):
    if how == "zlib":
        assert decoded(zlib.compress(data, level), "deflate", MOST) == data
    elif how == "raw":
        assert decoded(raw_deflate(data), "deflate", MOST) == data
    else:
        assert decoded(gzip.compress(data, level), how, MOST) == data


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate"]))
def test_other_bytes_are_refused_and_raise_nothing_else(data, coding):
    with contextlib.suppress(NotDecodable, TooLarge):
        assert isinstance(decoded(data, coding, MOST), bytes)


def test_several_members_are_one_body_but_not_any_number():
    assert decoded(gzip.compress(TEXT[:10]) + gzip.compress(b"") + gzip.compress(TEXT[10:]), "gzip", MOST) == TEXT
    with pytest.raises(NotDecodable):
        decoded(gzip.compress(b"") * 17, "gzip", MOST)


WRONG = {
    "plain": TEXT,
    "cut in the head": gzip.compress(TEXT)[:5],
    "cut in the text": gzip.compress(TEXT)[:-12],
    "cut in the checksum": gzip.compress(TEXT)[:-4],
    "wrong checksum": gzip.compress(TEXT)[:-8] + b"\0" * 8,
    "garbage behind": gzip.compress(TEXT) + b"garbage",
    "zeros behind": gzip.compress(TEXT) + b"\0" * 20,
    "zlib in gzip's name": zlib.compress(TEXT),
    "raw in gzip's name": raw_deflate(TEXT),
}


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_what_is_no_gzip_is_refused(body):
    with pytest.raises(NotDecodable):
        decoded(body, "gzip", MOST)


@pytest.mark.parametrize(
    "body",
    [
        TEXT,
        gzip.compress(TEXT),
        zlib.compress(TEXT)[:-5],
        zlib.compress(TEXT) + b"x",
        raw_deflate(TEXT)[:-3],
        raw_deflate(TEXT) + b"x",
        zlib.compress(TEXT) * 2,
        b"\x78",
        b"\x78\x9c",
    ],
    ids=range(9),
)
def test_what_is_no_deflate_is_refused(body):
    with pytest.raises(NotDecodable):
        decoded(body, "deflate", MOST)


def test_the_limit_is_that_of_the_decompressed_body():
    for pack, coding in ((gzip.compress, "gzip"), (zlib.compress, "deflate"), (raw_deflate, "deflate")):
        assert len(decoded(pack(b"x" * MOST), coding, MOST)) == MOST
        with pytest.raises(TooLarge):
            decoded(pack(b"x" * (MOST + 1)), coding, MOST)
    with pytest.raises(TooLarge):
        decoded(gzip.compress(b"x" * (MOST - 10)) + gzip.compress(b"x" * 11), "gzip", MOST)
    assert decoded(gzip.compress(b""), "gzip", MOST) == b""


@functools.cache
def bomb():
    return gzip.compress(b"\0" * 200_000_000, 9)


STORED = b"\x00\x00\x00\xff\xff"  # an empty block
# Made when they are sent: the bomb takes a second.
HEAVY = {
    "bomb": ("gzip", bomb),
    "bomb of bombs": ("gzip", lambda: gzip.compress(bomb()) * 4),
    "empty members": ("gzip", lambda: gzip.compress(b"") * (MOST // 20)),
    "one byte members": ("gzip", lambda: gzip.compress(b"x") * (MOST // 21)),
    "empty blocks": ("deflate", lambda: STORED * (MOST // 5)),
    "noise": ("deflate", lambda: bytes(range(256)) * (MOST // 256)),
    "garbage behind": ("gzip", lambda: gzip.compress(TEXT) + b"\0" * MOST),
}


@pytest.mark.parametrize(("coding", "make"), HEAVY.values(), ids=HEAVY)
def test_no_body_takes_long(coding, make):
    """CPU time of this thread, which no other process adds to."""
    body = make()
    started = time.thread_time()
    with contextlib.suppress(NotDecodable, TooLarge):
        assert len(decoded(body[:MOST], coding, MOST)) <= MOST
    assert time.thread_time() - started < 0.25

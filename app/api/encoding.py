"""Compressed request bodies: gzip and deflate, bounded after decompression."""

import zlib
from collections.abc import Sequence

ACCEPTED = "gzip, deflate"
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_WBITS = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (_ZLIB, _RAW)}
# A gzip file may consist of several members. Each costs a copy of the bytes behind it.
_MAX_MEMBERS = 16
_BEHIND = "there are bytes behind the end of the compressed body"


class UnsupportedEncoding(ValueError):
    """The body is encoded in a way that is not supported. The message is for the caller."""


class NotDecodable(ValueError):
    """The body is not what its encoding says. The message is for the caller."""


class TooLarge(ValueError):
    """The decompressed body is over the limit."""


def coding_of(headers: Sequence[str]) -> str | None:
    """The one coding of a body, or None where it has none.

    Args:
        headers: the values of all `Content-Encoding` headers.

    Raises:
        UnsupportedEncoding: not gzip or deflate, or more than one coding.
    """
    codings = [name for value in headers for part in value.split(",") if (name := part.strip().lower()) not in {"", "identity"}]
    if not codings:
        return None
    if len(codings) > 1:
        raise UnsupportedEncoding("the body has more than one content-encoding: send it with gzip, with deflate, or with none")
    if codings[0] not in _WBITS:
        raise UnsupportedEncoding("the body's content-encoding is not supported: send it with gzip, with deflate, or with none")
    return codings[0]


def decoded(body: bytes, coding: str, most: int) -> bytes:
    """The decompressed body, in time linear in the body and in `most`, whatever the body holds.

    Args:
        body: the body as it was sent.
        coding: the result of `coding_of`.
        most: bytes that the result may have.

    Raises:
        NotDecodable: the body is not in this coding, is incomplete, or has bytes behind its end.
        TooLarge: the result has more than `most` bytes.
    """
    # HTTP's deflate is zlib's format, but many send the bare stream.
    first, *others = _WBITS[coding]
    try:
        return _inflated(body, first, most)
    except NotDecodable:
        for wbits in others:
            return _inflated(body, wbits, most)
        raise


def _inflated(body: bytes, wbits: int, most: int) -> bytes:
    rest, result = memoryview(body), bytearray()
    for member in range(_MAX_MEMBERS):
        stream = zlib.decompressobj(wbits)
        try:
            # One byte more than allowed: the output is bounded before it is made.
            result += stream.decompress(rest, most + 1 - len(result))
        except zlib.error:
            raise NotDecodable(_BEHIND if member else "the body is not what its content-encoding says") from None
        if len(result) > most:
            raise TooLarge
        if not stream.eof:
            raise NotDecodable(_BEHIND if member else "the compressed body is cut short")
        if not stream.unused_data:
            return bytes(result)
        if wbits != _GZIP:
            break
        rest = rest[len(rest) - len(stream.unused_data) :]
    raise NotDecodable(_BEHIND)

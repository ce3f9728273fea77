"""API keys and headers that the gateway sends: cleaned, or refused with a sentence that never shows the value."""

import re
from collections.abc import Mapping

# RFC 9110, 5.6.2.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PLACEHOLDER = re.compile(r"\$\{[^{}]*\}|\{\{[^{}]*\}\}|<[^<>]*>")
_QUOTES = "\"'“”‘’`"
# They describe the body and the connection; a value from the configuration would break every request.
_RESERVED = frozenset(
    {"connection", "content-encoding", "content-length", "content-type", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)


def clean_key(key: str) -> str:
    """The key without blanks and line breaks around it.

    Raises:
        ValueError: it holds a character that no header can carry or that is not part of a key; the sentence does not show the key.
    """
    key = key.strip()
    if _PLACEHOLDER.fullmatch(key):
        raise ValueError("the key is a placeholder, as in ${NAME} or <key>, and was not replaced by a key")
    for at, sign in enumerate(key, start=1):
        where = f"character {at} of {len(key)}"
        if sign.isspace() and key.split(maxsplit=1)[0].lower() == "bearer":
            raise ValueError("the key begins with the word Bearer, which is sent in any case: give the key alone")
        if sign.isspace():
            raise ValueError(f"the key holds a blank or a line break ({where})")
        if not "!" <= sign <= "~":
            what = "a control character" if sign < "!" or sign == "\x7f" else "not an ASCII character"
            raise ValueError(
                f"the key cannot be sent in a header: {where} is {what}. Is it a placeholder from a text, or damaged by copying?"
            )
    if len(key) > 1 and key[0] == key[-1] and key[0] in _QUOTES:
        raise ValueError("the key is in quotes, which would be sent as a part of it")
    return key


def clean_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with blanks around names and values taken off.

    Raises:
        ValueError: a name or a value that no request can carry, or a header that the connection sets itself; the sentence does not show
            the value.
    """
    clean: dict[str, str] = {}
    for given, text in headers.items():
        name, value = given.strip(), text.strip()
        if not _NAME.fullmatch(name):
            raise ValueError(f"{given[:64]!r} is not a valid header name")
        if name.lower() in _RESERVED:
            raise ValueError(f"the header {name} is set by the gateway itself")
        if name.lower() in {known.lower() for known in clean}:
            raise ValueError(f"the header {name} is given twice")
        bad = next((at for at, sign in enumerate(value, start=1) if not " " <= sign <= "~" and sign != "\t"), None)
        if bad is not None:
            raise ValueError(
                f"the value of the header {name} cannot be sent: character {bad} of {len(value)} is not a printable ASCII character"
            )
        clean[name] = value
    return clean


def merged(*headers: Mapping[str, str]) -> dict[str, str]:
    """All headers by their names in lower case; of two with the same name the later one wins."""
    return {name.lower(): value for part in headers for name, value in part.items()}

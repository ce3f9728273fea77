"""Origins of web pages as browsers send them: `https://example.org`, `http://localhost:3000`."""

import re
from urllib.parse import SplitResult, urlsplit

ANY = "*"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\]")


def checked_origin(given: str) -> str:
    """The origin unchanged, if a browser can send it: origins are compared character by character.

    Raises:
        ValueError: a browser never sends it in this form; the message shows the form that it sends.
    """
    if given == ANY:
        return given
    if given in {"null", ""}:
        raise ValueError(f"'{given}' names no web page: files and sandboxed pages from anywhere send it" if given else "an origin is empty")
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError:
        raise ValueError(f"{given!r} is not an origin such as https://example.org or http://localhost:3000") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"{given!r} is not an origin such as https://example.org or http://localhost:3000")
    if ANY in given:
        raise ValueError(f"{given!r}: origins are compared as a whole, so list each one")
    if (sent := _as_sent(parts, port)) is None:
        raise ValueError(
            f"{given!r}: a browser sends another name for this host; write that one (names of other alphabets in punycode: xn--…)"
        )
    if sent != given:
        raise ValueError(f"{given!r} is never sent by a browser in this form: write {sent}")
    return given


def _as_sent(parts: SplitResult, port: int | None) -> str | None:
    """Scheme, host and port as a browser writes them; None for a host that no browser sends."""
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    if not _HOST.fullmatch(host):
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            return None
        if not _HOST.fullmatch(host):
            return None
    shown = "" if port is None or port == _DEFAULT_PORTS[parts.scheme] else f":{port}"
    return f"{parts.scheme}://{host}{shown}"

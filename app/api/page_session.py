"""A browser's login: the key stands in a cookie that no script can read, and only requests of the gateway's own page may use it.

A cookie is sent by the browser with every request to its host, whichever page caused it. So the cookie counts only where the request
carries a header that a page of another origin cannot send (its preflight request is refused, see `app.api.cors`), and where the
browser, if it says so at all, says that the request comes from the same origin. `SameSite=Strict` is the third lock of that door.
"""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

# The header that the page puts on its requests, and its value.
HEADER, PAGE = "x-requested-with", "foggate-page"
# Where a request's state holds the key of its cookie.
STATE = "cookie_key"
_NAME = "foggate_key"
# Browsers accept this name only with `Secure`, `Path=/` and no `Domain`, so that no neighbour under the same domain can set it.
_SECURE_NAME = f"__Host-{_NAME}"
# Every part has a bounded length, so that the search takes time linear in the length of the header.
_COOKIE = re.compile(rb"(?:^|[; ])(__Host-|)foggate_key=(fg_[0-9a-f]{12}_[A-Za-z0-9_-]{43})(?=;|$)")


def key_in_cookies(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The key in the cookies of a request; empty without one. Nothing says yet that it is a valid one.

    Args:
        headers: names and values of the request's headers.
    """
    found = {match[1]: match[2] for name, value in headers if name.lower() == b"cookie" for match in _COOKIE.finditer(value)}
    return (found.get(b"__Host-") or found.get(b"") or b"").decode()


def from_page(headers: Headers) -> bool:
    """Whether a request comes from the gateway's own page and not from that of another origin."""
    if headers.get(HEADER) != PAGE:
        return False
    # Browsers send it over HTTPS and to loopback; a page cannot change it.
    if (site := headers.get("sec-fetch-site")) is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


def key_of(scope: Scope) -> str:
    """The key that a request presents, in its header or, if it comes from the page, in its cookie; empty without one."""
    headers = Headers(scope=scope)
    if (given := headers.get("authorization")) is not None:
        scheme, _, token = given.partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""
    return str(scope["state"].get(STATE, "")) if from_page(headers) else ""


def set_key(response: Response, key: str, *, https: bool) -> None:
    """Keep a key in the browser until it is closed."""
    response.set_cookie(_SECURE_NAME if https else _NAME, key, path="/", secure=https, httponly=True, samesite="strict")


def forget_key(response: Response) -> None:
    """Remove the key from the browser."""
    for name, secure in ((_NAME, False), (_SECURE_NAME, True)):
        response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="strict")


def is_https(scope: Scope) -> bool:
    """Whether the browser speaks HTTPS: to this gateway, or to a proxy in front of it that may not be among the trusted ones."""
    return bool(scope["scheme"] == "https" or Headers(scope=scope).get("origin", "").lower().startswith("https://"))

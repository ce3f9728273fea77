"""The URL of an endpoint's chat completions, from a base URL as people write it."""

import ipaddress
from urllib.parse import unquote, urlsplit, urlunsplit

_PATH = "/chat/completions"


def completions_url(base_url: str) -> str:
    """The URL of the chat completions: the path completed, the query kept, without fragment and user name.

    `https://host/v1`, `https://host/v1/` and `https://host/v1/chat/completions` are the same; so are Azure's
    `https://host/openai/deployments/d?api-version=2024-10-21` and the one with `/chat/completions` before the query.
    """
    parts = urlsplit(base_url)
    path = parts.path.rstrip("/")
    if not path.lower().endswith(_PATH):
        path += _PATH
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, parts.query, ""))


def user_of(base_url: str) -> tuple[str, str] | None:
    """User name and password of the URL, percent-decoded; None without them."""
    parts = urlsplit(base_url)
    if not parts.username and not parts.password:
        return None
    return unquote(parts.username or ""), unquote(parts.password or "")


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine, by its name or its address; nothing is resolved."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)

"""Proxies of the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`): never for this machine itself."""

import contextlib
import ipaddress
import ssl
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx2

from app.cloud.address import is_loopback
from app.cloud.transport import DirectTransport
from app.core.errors import ConfigError


def connection_options(urls: Sequence[str], limits: httpx2.Limits) -> dict[str, Any]:
    """Arguments for a client of httpx2 that asks these URLs: those on this machine directly, the others as the environment says.

    A proxy that none of them needs is not examined, and certificates are read only where one of them begins with https: that takes
    50 ms, and some MB.

    Args:
        urls: all URLs that the client will ask.
        limits: limits of the client's connections.

    Raises:
        ConfigError: certificates that are needed cannot be read; or a proxy that is needed cannot be used: the sentence names its variable
            and never a password.
    """
    context = _trusted(any(urlsplit(url).scheme == "https" for url in urls))
    environment = getproxies()
    mounts = {}
    for url in urls:
        if (name := proxy_variable(url, environment)) is not None:
            parts = urlsplit(url)
            mounts[f"{parts.scheme}://{parts.netloc}"] = _through(environment[name], f"{name.upper()}_PROXY", context, limits)
    return {"trust_env": False, "transport": DirectTransport(context, limits), "mounts": mounts}


def _trusted(needed: bool) -> ssl.SSLContext:
    """The certificates that are trusted; none where nothing speaks TLS. Raises ConfigError: they cannot be read."""
    if not needed:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return httpx2.create_ssl_context()
    except (OSError, ssl.SSLError) as error:
        said = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigError(f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read ({said})") from None


def proxy_variable(url: str, environment: Mapping[str, str]) -> str | None:
    """Which of `http`, `https` and `all` names the proxy for a URL; None where it is asked directly.

    Args:
        url: URL that is asked.
        environment: result of `getproxies`: proxies by scheme, and under `no` the hosts that are asked directly.
    """
    if is_loopback(url) or _is_exempt(url, environment.get("no", "")):
        return None
    return next((name for name in (urlsplit(url).scheme, "all") if environment.get(name)), None)


def _is_exempt(url: str, hosts: str) -> bool:
    """Whether `NO_PROXY` names the URL's host: by itself, by a domain above it, by a network, or by `*`; with a port or without."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    port = str(parts.port or {"http": 80, "https": 443}.get(parts.scheme))
    for entry in hosts.lower().split(","):
        name = entry.strip()
        if name == "*" or _is_in_network(host, name.strip("[]")):
            return True
        if name.endswith(f":{port}") and (name.startswith("[") or name.count(":") == 1):
            name = name.removesuffix(f":{port}")
        name = name.strip("[]").rstrip(".")
        domain = name.removeprefix("*").removeprefix(".")
        if domain and ((host == domain and name == domain) or host.endswith(f".{domain}")):
            return True
    return False


def _is_in_network(host: str, network: str) -> bool:
    """Whether both are addresses, the second perhaps of a whole network (`10.0.0.0/8`)."""
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _through(proxy: str, variable: str, context: ssl.SSLContext, limits: httpx2.Limits) -> httpx2.AsyncHTTPTransport:
    """Connections through a proxy. Raises ConfigError, with the name of the variable."""
    url = proxy if "://" in proxy else f"http://{proxy}"
    with contextlib.suppress(ValueError, httpx2.InvalidURL, TypeError):
        parts = urlsplit(url)
        # A port that is too large is a ValueError here; at the first connection it would be something that no client expects.
        if parts.hostname and parts.port != 0:
            try:
                return httpx2.AsyncHTTPTransport(proxy=httpx2.Proxy(url), verify=context, limits=limits)
            except ImportError:
                raise ConfigError(f"{variable} names a SOCKS proxy, which needs a package: pip install 'httpx2[socks]'") from None
    raise ConfigError(f"{variable} is not the address of a proxy, as in http://proxy.example.org:3128 (or socks5://…)")

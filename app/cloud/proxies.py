"""Proxies of the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`): never for this machine itself."""

import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx2

from app.cloud.address import is_loopback
from app.errors import ConfigError


def connection_options(urls: Sequence[str]) -> dict[str, Any]:
    """Arguments for a client of httpx2 that asks these URLs: those on this machine directly, the others as the environment says.

    Raises:
        ConfigError: a proxy that is needed cannot be used; the sentence names its variable and never a password.
    """
    try:
        context = httpx2.create_ssl_context()
    except (OSError, ssl.SSLError) as error:
        said = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigError(f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read ({said})") from None
    if all(is_loopback(url) for url in urls):
        return {"trust_env": False, "verify": context}
    _check()
    hosts = {urlsplit(url).hostname or "" for url in urls if is_loopback(url)}
    return {"verify": context, "mounts": {f"all://{f'[{host}]' if ':' in host else host}": None for host in hosts}}


def _check() -> None:
    """Whether a client can be made of the environment's proxies. Raises ConfigError."""
    for scheme, url in getproxies().items():
        if scheme not in {"http", "https", "all"} or not url:
            continue
        name = f"{scheme.upper()}_PROXY"
        try:
            httpx2.AsyncHTTPTransport(proxy=httpx2.Proxy(url if "://" in url else f"http://{url}"), verify=False)
        except ImportError:
            raise ConfigError(f"{name} names a SOCKS proxy, which needs a package: pip install 'httpx2[socks]'") from None
        except (ValueError, httpx2.InvalidURL, TypeError):
            raise ConfigError(f"{name} is not the address of a proxy, as in http://proxy.example.org:3128 (or socks5://…)") from None

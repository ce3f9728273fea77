"""Who can reach the listener: configurations that are refused at start, and the host names that a request may name."""

import ipaddress

from app.config.origins import ANY
from app.config.settings import Settings
from app.core.errors import ConfigError

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def allowed_hosts(settings: Settings) -> list[str] | None:
    """The host names that requests may name; None for all.

    Without keys everyone who reaches the listener may do everything. So, unless host names or `security.insecure` are set, only
    loopback names and the listener's own name are accepted then.
    """
    security = settings.security
    if security.allowed_hosts is not None:
        return [name.lower() for name in security.allowed_hosts]
    return None if security.keys or security.insecure else [*LOOPBACK_NAMES, settings.server.host.lower()]


def passes_on_without_keys(settings: Settings) -> bool:
    """Whether callers without keys may have chats passed on to the cloud: by default only those on this machine."""
    wanted = settings.cloud.pass_through.without_keys
    return is_loopback(settings.server.host) and settings.security.allowed_hosts is None if wanted is None else wanted


def is_loopback(host: str) -> bool:
    """Whether a listener at this address can be reached from this machine only."""
    try:
        return host in LOOPBACK_NAMES or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_bind_safety(settings: Settings) -> None:
    """Refuse a configuration with which everyone could use the gateway, unless `security.insecure` allows it.

    Raises:
        ConfigError: there are no keys, and the listener can be reached from other machines without `security.insecure`, or every web
            page may send questions.
    """
    host = settings.server.host
    if not is_loopback(host) and settings.security.keys is None and not settings.security.insecure:
        raise ConfigError(
            f"{host} can be reached from other machines and no keys are configured: create keys (foggate keys create) and "
            "set security.keys, or allow it with --insecure"
        )
    if ANY in settings.server.cors_origins and settings.security.keys is None:
        raise ConfigError(
            "server.cors_origins is '*' and no keys are configured: any web page that a person opens could use this gateway; list the "
            "origins of the pages, or create keys (foggate keys create) and set security.keys"
        )

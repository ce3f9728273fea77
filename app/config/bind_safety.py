"""Who can reach the listener: what is refused at start, and which host names a request may use."""

import ipaddress

from app.config.origins import ANY
from app.config.settings import Settings
from app.core.errors import ConfigError

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def allowed_hosts(settings: Settings) -> list[str] | None:
    """The host names that requests may name; None for all.

    Without keys, whoever reaches the listener may do everything, so only loopback names are taken unless others are
    configured or exposure is meant.
    """
    security = settings.security
    if security.allowed_hosts is not None:
        return [name.lower() for name in security.allowed_hosts]
    return None if security.keys or security.insecure else [*LOOPBACK_NAMES, settings.server.host.lower()]


def check_bind_safety(settings: Settings) -> None:
    """Refuse to serve everybody everything by accident.

    Raises:
        ConfigError: the listener is reachable from other machines, there are no keys, and `--insecure` was not said; or every web
            page may ask without a key.
    """
    host = settings.server.host
    try:
        loopback = host in LOOPBACK_NAMES or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback and settings.security.keys is None and not settings.security.insecure:
        raise ConfigError(
            f"{host} can be reached from other machines and no keys are configured: make some (foggate keys create) and set "
            "security.keys, or say --insecure"
        )
    if ANY in settings.server.cors_origins and settings.security.keys is None:
        raise ConfigError(
            "server.cors_origins is '*' and no keys are configured: any web page that a person opens could use this gateway; list the "
            "origins of the pages, or make keys (foggate keys create) and set security.keys"
        )

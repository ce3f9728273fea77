"""Addresses and networks of proxies: `10.0.0.7`, `10.0.0.0/8`."""

import ipaddress


def checked_network(given: str) -> str:
    """An address or a network of proxies, in its usual spelling; `*` stands for every address.

    Raises:
        ValueError: it cannot be read. The server would take it for a name that no client has, and silently trust no proxy.
    """
    if given == "*":
        return given
    try:
        return str(ipaddress.ip_network(given)) if "/" in given else str(ipaddress.ip_address(given))
    except ValueError:
        pass
    try:
        meant = f"; did you mean {ipaddress.ip_network(given, strict=False)}?"
    except ValueError:
        meant = ", as in 10.0.0.7 or 10.0.0.0/8"
    raise ValueError(f"'{given}' is neither an address nor a network{meant}")

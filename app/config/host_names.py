"""Hosts to listen on as people write them, each in one spelling."""

import ipaddress


def host_name(given: str) -> str:
    """A host to listen on: an address or a name, without brackets and without a port. Raises ValueError."""
    name = given.strip()
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    if not name or name == "*":
        raise ValueError("name a host: an address, a name, :: for every address, or localhost")
    if "/" in name or any(character.isspace() or not character.isprintable() for character in name):
        raise ValueError(f"'{given}' is not a host: an address or a name stands there, without a scheme or a path")
    if name.count(":") == 1 or "]" in name:
        raise ValueError(f"'{given}' holds a port: set it as server.port (--port)")
    # Names of hosts are the same in upper and lower case, those of the interface behind a % are not.
    host, percent, interface = name.partition("%")
    host = host.lower()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host + percent + interface
    # One spelling of each address: `::0` is `::`, and an IPv4 address stays one when it is written as IPv6.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address) + percent + interface

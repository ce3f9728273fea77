"""Hosts to listen on: the ways in which people write one are read into a single spelling."""

import ipaddress


def host_name(given: str) -> str:
    """A host to listen on: an address or a name, without brackets and without a port.

    Raises:
        ValueError: it is not a host.
    """
    name = given.strip()
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    if not name or name == "*":
        raise ValueError("name a host: an address, a name, :: for every address, or localhost")
    if "/" in name or any(character.isspace() or not character.isprintable() for character in name):
        raise ValueError(f"'{given}' is not a host: write an address or a name, without a scheme or a path")
    if name.count(":") == 1 or "]" in name:
        raise ValueError(f"'{given}' holds a port: set it as server.port (--port)")
    # Upper and lower case make no difference in a host's name; in the name of a network interface behind a % they do.
    host, percent, interface = name.partition("%")
    host = host.lower()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host + percent + interface
    # One spelling for each address: `::0` is `::`, and an IPv4 address that is written as IPv6 stays IPv4.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address) + percent + interface

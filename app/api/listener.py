"""Where the gateway listens: a host name or address and a port → sockets; and where a caller on this machine reaches it.

`::` is every address of both families and `localhost` both loopback addresses, each with a socket for each family: on one
socket for both, IPv4 callers would have addresses that no list of proxies names (`::ffff:10.0.0.1`).
"""

import ctypes
import errno
import ipaddress
import logging
import socket
import struct
import sys

from app.core.errors import ConfigError

logger = logging.getLogger("foggate")

_BACKLOG = 2048
# The socket module of Python 3.11 does not name it.
_SO_ATTACH_FILTER = 26
# A free port of one family may be taken in the other.
_TRIES = 20
_BOTH = {
    "::": ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")),  # noqa: S104  # what `::` asks for
    "localhost": ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")),
}
# The family is not there, switched off, or has no such address.
_ABSENT = {errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EADDRNOTAVAIL, errno.ENETUNREACH}

_Place = tuple[socket.AddressFamily, str]


def listen_on(host: str, port: int) -> list[socket.socket]:
    """Listen on every address that the host means, all on one port, before anything slow is done.

    Args:
        host: an address, or a name that resolves to addresses of this machine.
        port: 0 takes a free one.

    Raises:
        ConfigError: the name does not resolve, the address is not of this machine, or the port is taken or not allowed.
    """
    places = _BOTH.get(host) or _resolved(host, port)
    for left in reversed(range(_TRIES)):
        try:
            return _listen(places, port)
        except OSError as error:
            if port == 0 and left and error.errno == errno.EADDRINUSE:
                continue
            raise ConfigError(_sentence(host, port, error)) from None
    raise AssertionError  # the last turn returns or raises


def reachable_at(host: str) -> tuple[str, ...]:
    """Where a caller on this machine reaches a gateway that listens on the host: loopback for every address."""
    return {"::": ("::1", "127.0.0.1"), "0.0.0.0": ("127.0.0.1",), "localhost": ("127.0.0.1", "::1")}.get(host, (host,))  # noqa: S104


def url_of(listener: socket.socket) -> str:
    """The address of a listening socket as a URL that works on this machine."""
    host, port, *rest = listener.getsockname()
    # A link-local IPv6 address means something together with its interface only.
    interface = f"%25{socket.if_indextoname(rest[1])}" if rest and rest[1] else ""
    return url(reachable_at(host)[0] + interface, port)


def url(host: str, port: int) -> str:
    """With brackets around an IPv6 address."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(places: tuple[_Place, ...], port: int) -> list[socket.socket]:
    made: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for family, address in places:
            try:
                made.append(_socket(family, address, made[0].getsockname()[1] if made else port))
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error
    except OSError:
        for one in made:
            one.close()
        raise
    if not made and absent is not None:
        raise absent
    if absent is not None:
        logger.info("listening on %s only: this machine has no other address of that name", made[0].getsockname()[0])
    return made


def _socket(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    made = socket.create_server(_sockaddr(address, port), family=family, backlog=_BACKLOG)
    # `create_server` leaves the protocol at 0, and asyncio sets TCP_NODELAY only on sockets that say they are TCP, as those do that a
    # TCP listener accepts. Without it a reply's body waits 40 ms for the acknowledgement of its head.
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=made.detach())


def _sockaddr(address: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """As `bind` wants it: the interface behind a % is a separate number there, and without it a link-local address is refused."""
    name, _, interface = address.partition("%")
    return (name, port, 0, int(interface)) if interface else (name, port)


def _resolved(host: str, port: int) -> tuple[_Place, ...]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ConfigError(f"cannot listen on {host}: the name does not resolve to an address") from None
    # Each address once, in the order of the resolver. A scope ("fe80::1%eth0") belongs to the address.
    return tuple(dict.fromkeys((family, _scoped(address)) for family, _, _, _, address in found))


def _scoped(address: tuple[object, ...]) -> str:
    name = str(address[0]).partition("%")[0]
    scope = address[3] if len(address) > 3 else 0  # noqa: PLR2004  # (host, port, flow, scope) of IPv6
    return f"{name}%{scope}" if scope else name


def _sentence(host: str, port: int, error: OSError) -> str:
    where = f"cannot listen on {_bracketed(host)}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"{where}: another process listens there already; choose another port (--port, server.port; 0 takes a free one)"
    if error.errno == errno.EACCES:
        return f"{where}: this user may not listen on that port; choose one from 1024 on"
    if error.errno == errno.EINVAL and ":" in host and "%" not in host:
        return f"{where}: that address is valid on one network only; say on which interface, as in {host}%eth0"
    if error.errno in _ABSENT:
        return f"{where}: that is no address of this machine (:: means every address, localhost only this machine)"
    return f"{where} ({error.strerror or error})"


def _bracketed(host: str) -> str:
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host  # noqa: PLR2004
    except ValueError:
        return host


def begin_no_connection(listener: socket.socket) -> bool:
    """Let no new connection to a listener begin, while those that have begun are completed. Returns False where the kernel cannot do that.

    A socket filter drops the first packet (SYN) of a connection (Linux, socket(7), SO_ATTACH_FILTER). The caller's kernel sends it again
    after a second; it is refused then, because the listener is closed.
    """
    if sys.platform != "linux":
        return False
    # The flags are the 14th byte of the TCP header: load it; where SYN is set drop the packet, otherwise keep the whole of it.
    steps = [(0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(steps), ctypes.addressof(program)))
    except OSError:
        return False
    return True

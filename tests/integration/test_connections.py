"""Kept connections: a reply leaves in one piece, whoever listens."""

import asyncio
import socket
import sys
import time

import pytest

from app.api.app import create_app
from app.api.listener import begin_no_connection
from app.api.server import listen, server_of
from app.config.settings import Settings
from app.demo.bank import Bank
from app.demo.server import create_demo
from app.edge.build import with_engine
from tests.integration.test_api import ASK
from tests.support.fakes import FakeEngine
from tests.support.loopback import loopback_client
from tests.support.servers import serving


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_what_a_listener_accepts_says_that_it_is_tcp(host):
    """asyncio sets TCP_NODELAY on sockets that do, and on no others."""
    try:
        listener = listen(host, 0)
    except Exception:
        if host == "::1" and not socket.has_ipv6:
            pytest.skip("this machine has no IPv6")
        raise
    with listener:
        # A socket that was bound before keeps what it was bound with.
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
        with socket.create_connection(listener.getsockname()[:2]), listener.accept()[0] as accepted:
            assert (accepted.type, accepted.proto) == (socket.SOCK_STREAM, socket.IPPROTO_TCP)


async def _shortest_s(http, method, path, **kwargs):
    """What waits, waits every time; what a busy machine adds differs. The kernel acknowledges the first pieces of a connection at once."""
    took = []
    for _ in range(60):
        started = time.perf_counter()
        assert (await http.request(method, path, **kwargs)).status_code == 200
        took.append(time.perf_counter() - started)
    return min(took[20:])


async def test_a_request_on_a_kept_connection_does_not_wait_for_an_acknowledgement():
    """The delayed acknowledgement takes 40 ms; without it a reply takes 1 to 3 ms. The mock cloud's replies too."""
    async with (
        serving(create_app(Settings(policy={"tau": 0.5}), edge=with_engine(lambda _: FakeEngine()))) as url,
        serving(create_demo(Bank([], guess=True))) as cloud,
        loopback_client() as http,
    ):
        while (await http.get(url + "/health/ready")).status_code != 200:
            pass
        assert await _shortest_s(http, "POST", url + "/v1/answer", json=ASK) < 0.03
        chat = {"model": "m", "messages": [{"role": "user", "content": "Which?\n\nA. x\nB. y"}]}
        assert await _shortest_s(http, "POST", cloud + "/v1/chat/completions", json=chat) < 0.03


async def test_who_connected_before_the_listener_is_closed_is_answered():
    """The loop has not yet turned since, as on a busy machine: the kernel holds the connection, and would reset it."""
    settings = Settings()
    app = create_app(settings, edge=with_engine(lambda _: FakeEngine()))
    listener = listen("127.0.0.1", 0)
    server = server_of(app, settings)
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[listener])
    place = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with loopback_client(base_url=place) as http:
        while (await http.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.01)
    with socket.create_connection(listener.getsockname()) as late:
        late.sendall(b"GET /health/live HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        await server.shutdown([listener])
        assert late.recv(12) == b"HTTP/1.1 200"


@pytest.mark.skipif(sys.platform != "linux", reason="socket filters are Linux's")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_listener_that_begins_no_connection_completes_those_that_have_begun(host):
    try:
        listener = listen(host, 0)
    except Exception:
        if host == "::1":
            pytest.skip("this machine has no IPv6")
        raise
    place = listener.getsockname()[:2]
    with listener, socket.create_connection(place) as before:
        before.sendall(b"asked before")
        assert begin_no_connection(listener)
        with pytest.raises(TimeoutError):
            socket.create_connection(place, timeout=0.3)
        with listener.accept()[0] as accepted:
            assert accepted.recv(100) == b"asked before"
            accepted.sendall(b"answered")
            before.sendall(b", and later")
            assert (before.recv(100), accepted.recv(100)) == (b"answered", b", and later")
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()

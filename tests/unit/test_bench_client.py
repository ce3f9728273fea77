"""The client of the benches: replies end where HTTP says, and a run counts what really came back."""

import pytest

from app.bench.ceiling import ceiling, least_server
from app.bench.client import drive
from app.bench.connection import prepare
from app.bench.reply import MalformedReply, Reply
from tests.support.small_server import OK, Server

FORMS = {
    "length": (OK, b"hi", True),
    "chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=1\r\nhi\r\n8\r\n\r\n0\r\n\r\n!\r\n0\r\n\r\n",
        b"hi\r\n0\r\n\r\n!",
        True,
    ),
    "trailers": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: 1\r\n\r\n", b"hi", True),
    "interim": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"hi", True),
    "empty": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "closing": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", b"hi", False),
    "old": (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi", b"hi", False),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_reply_is_complete_with_its_last_byte_and_not_before(form):
    data, body, keep_alive = FORMS[form]
    for size in (1, 7, len(data)):
        reply = Reply()
        for start in range(0, len(data), size):
            assert not reply.complete
            reply.feed(data[start : start + size])
        assert (reply.complete, reply.body, reply.keep_alive) == (True, body, keep_alive)


def test_without_a_length_the_end_of_the_connection_ends_a_reply():
    reply = Reply()
    reply.feed(b"HTTP/1.1 200 OK\r\n\r\nhi")
    assert not reply.complete
    reply.end()
    assert (reply.complete, reply.body, reply.keep_alive) == (True, b"hi", False)


@pytest.mark.parametrize("data", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"])
def test_what_is_no_reply_is_said(data):
    with pytest.raises(MalformedReply):
        Reply().feed(data)


async def test_clients_share_the_requests_and_keep_their_connections():
    async with Server(OK) as server:
        requests = [prepare(server.url, str(number).encode()) for number in range(3)]
        replies = []
        load = await drive(requests, clients=2, count=8, on_reply=lambda *reply: replies.append(reply))
    assert sorted(int(body) for body in server.seen) == [0, 0, 0, 1, 1, 1, 2, 2]
    assert sorted(replies) == [(index, 200, b"hi") for index in (0, 0, 0, 1, 1, 1, 2, 2)]
    assert server.connections == 2
    assert len(load.latencies) == 8
    assert load.failures == 0
    assert load.rate == 8 / load.seconds


async def test_failures_are_counted_and_not_taken_for_latencies():
    refused = b"HTTP/1.1 429 Too Many\r\nContent-Length: 4\r\n\r\nfull"
    async with Server(OK, refused, None, b"nonsense\r\n\r\n") as server:
        load = await drive([prepare(server.url)], clients=1, count=8)
    assert load.statuses == {200: 2, 429: 2}
    assert load.errors == {"ConnectionResetError": 2, "MalformedReply": 2}
    assert (len(load.latencies), load.failures) == (2, 6)
    assert load.first_failure == "429: full"


async def test_a_reply_with_another_answer_than_was_asked_for_is_a_failure():
    async with Server(OK, b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\ndegraded") as server:
        load = await drive([prepare(server.url)], clients=1, count=4, accepts=lambda body: body == b"hi")
    assert (len(load.latencies), load.failures, load.statuses) == (2, 2, {200: 4})
    assert load.first_failure == "200, and not the answer that was asked for: degraded"


async def test_a_reply_that_comes_too_late_is_not_taken_for_the_next_one():
    async with Server(0.5, OK) as server:
        load = await drive([prepare(server.url)], clients=1, count=2, timeout=0.1)
    assert load.errors == {"TimeoutError": 1}
    assert len(load.latencies) == 1
    assert server.connections == 2


async def test_a_server_that_is_down_is_an_error_and_no_exception():
    async with Server(OK) as server:
        pass
    load = await drive([prepare(server.url)], clients=2, count=4)
    assert (load.rate, load.failures) == (0, 4)
    assert load.first_failure


async def test_the_client_is_measured_against_the_least_server():
    with least_server() as server:
        load = await ceiling(server, clients=4, seconds=0.2)
    assert load.failures == 0
    assert load.rate > 100
    assert load.client_cpu_s > 0


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "127.0.0.1:80", "http://"])
def test_only_plain_http_is_measured(url):
    with pytest.raises(ValueError, match="only http://"):
        prepare(url)

"""What came on a connection and was not looked at yet when the server stops."""

import asyncio

import uvicorn
from uvicorn.server import ServerState

from app.api.connections import OnePiece, guarded_protocol


class Transport(asyncio.Transport):
    def __init__(self):
        super().__init__()
        self.written, self.closed, self.paused = b"", False, False

    def get_extra_info(self, name, default=None):
        return ("127.0.0.1", 1) if name in {"peername", "sockname"} else default

    def write(self, data):
        assert not self.closed, "written to after it was closed"
        self.written += data

    def close(self):
        self.closed = True

    abort = close

    def is_closing(self):
        return self.closed

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False


async def echo_length(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
    await send({"type": "http.response.body", "body": b"%06d" % len(body)})


async def test_a_request_that_has_come_whole_is_answered_although_the_server_stops_before_looking_at_it():
    config = uvicorn.Config(echo_length, http=guarded_protocol(max_per_client=2, header_timeout_s=60), lifespan="off", log_config=None)
    config.load()
    protocol, transport = config.http_protocol_class(config, ServerState(), {}), Transport()
    protocol.connection_made(transport)
    body = b"x" * 50_000
    protocol.data_received(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 50000\r\n\r\n" + body)
    assert transport.paused, "the client waits while its request is taken in pieces"
    protocol.shutdown()
    assert not transport.closed
    while not transport.closed:
        await asyncio.sleep(0)
    assert transport.written.startswith(b"HTTP/1.1 200")
    assert transport.written.endswith(b"050000")
    protocol.connection_lost(None)


async def test_an_idle_connection_is_closed_at_once():
    config = uvicorn.Config(echo_length, http=guarded_protocol(max_per_client=2, header_timeout_s=60), lifespan="off", log_config=None)
    config.load()
    protocol, transport = config.http_protocol_class(config, ServerState(), {}), Transport()
    protocol.connection_made(transport)
    protocol.shutdown()
    assert transport.closed
    protocol.connection_lost(None)


class Written(Transport):
    """Notes each write, which is a system call."""

    def __init__(self):
        super().__init__()
        self.writes = []

    def write(self, data):
        self.writes.append(data)


async def test_head_and_body_of_a_reply_are_one_write():
    transport = Written()
    piece = OnePiece(transport, asyncio.get_running_loop())
    piece.write(b"HTTP/1.1 200 \r\n\r\n")
    piece.write(b"body")
    piece.write(b"more")
    await asyncio.sleep(0)
    assert transport.writes == [b"HTTP/1.1 200 \r\n\r\nbody", b"more"]


async def test_a_head_whose_body_comes_later_does_not_wait_for_it():
    transport = Written()
    piece = OnePiece(transport, asyncio.get_running_loop())
    piece.write(b"HTTP/1.1 200 \r\n\r\n")
    await asyncio.sleep(0)
    assert transport.writes == [b"HTTP/1.1 200 \r\n\r\n"]
    piece.write(b"HTTP/1.1 100 \r\n\r\n")
    assert transport.writes[1:] == [b"HTTP/1.1 100 \r\n\r\n"], "a client waits for it before it sends its body"


async def test_a_head_is_sent_before_its_connection_is_closed():
    transport = Written()
    piece = OnePiece(transport, asyncio.get_running_loop())
    piece.write(b"HTTP/1.1 204 \r\n\r\n")
    piece.close()
    assert transport.writes == [b"HTTP/1.1 204 \r\n\r\n"]
    assert transport.closed

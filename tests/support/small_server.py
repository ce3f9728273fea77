"""An HTTP server in the loop of a test that gives the replies that it was made with, sound or not."""

import asyncio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class Server:
    """Answers the n-th request with the n-th of some replies, again from the first; None closes the connection, a number waits."""

    def __init__(self, *replies):
        self.replies, self.seen, self.connections = replies, [], 0

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
                self.seen.append(await reader.readexactly(length))
                reply = self.replies[(len(self.seen) - 1) % len(self.replies)]
                if reply is None:
                    break
                if not isinstance(reply, bytes):
                    await asyncio.sleep(reply)
                    reply = OK
                writer.write(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

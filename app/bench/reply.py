"""One HTTP reply, read as it arrives: enough of HTTP/1.1 to know where a reply ends, and nothing that costs the client time."""

_HEAD_END = b"\r\n\r\n"


class MalformedReply(Exception):  # a name from the domain
    """What a server sent is no HTTP/1.x reply."""


class Reply:
    """A reply while it arrives, and when it is complete.

    Attributes:
        status: HTTP status; 0 until the head has arrived.
        body: body as far as it has arrived, without the framing of chunks.
        complete: whether the whole reply has arrived.
        keep_alive: whether the server lets the connection be used again.
    """

    __slots__ = ("_buffer", "_chunked", "_in_body", "_wanted", "body", "complete", "keep_alive", "status")

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.complete = False
        self.keep_alive = True
        self._buffer = b""
        self._in_body = False
        self._chunked = False
        # Bytes of the body; None where the end of the connection ends it.
        self._wanted: int | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes as they arrive. Raises MalformedReply."""
        self._buffer = self._buffer + data if self._buffer else data
        if not self._in_body and not self._head():
            return
        if self._chunked:
            self._chunks()
        elif self._wanted is not None and len(self._buffer) >= self._wanted:
            self.body, self._buffer, self.complete = self._buffer[: self._wanted], b"", True

    def end(self) -> None:
        """Take the end of the connection, which completes a reply without a length."""
        if self._in_body and not self._chunked and self._wanted is None:
            self.body, self._buffer, self.complete, self.keep_alive = self._buffer, b"", True, False

    def _head(self) -> bool:
        head, separator, rest = self._buffer.partition(_HEAD_END)
        if not separator:
            return False
        first, _, lines = head.lower().partition(b"\r\n")
        version, _, after = first.partition(b" ")
        status = after[:3]
        if not version.startswith(b"http/1.") or not status.isdigit():
            raise MalformedReply(repr(first[:80]))
        if status.startswith(b"1") and status != b"101":
            # An interim reply, as 100 Continue; the real one follows.
            self._buffer = rest
            return self._head()
        self.status = int(status)
        self.keep_alive = version != b"http/1.0"
        for line in lines.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name == b"content-length":
                self._wanted = int(value)
            elif name == b"transfer-encoding":
                self._chunked = b"chunked" in value
            elif name == b"connection":
                self.keep_alive = b"close" not in value
        if self.status in {204, 304}:
            self._wanted = 0
        self._buffer, self._in_body = rest, True
        return True

    def _chunks(self) -> None:
        while not self.complete:
            size, separator, rest = self._buffer.partition(b"\r\n")
            if not separator:
                return
            try:
                length = int(size.partition(b";")[0], 16)
            except ValueError:
                raise MalformedReply(f"a chunk of size {size[:20]!r}") from None
            if not length:
                # The last chunk, perhaps with trailers, ends with an empty line.
                if rest.startswith(b"\r\n") or _HEAD_END in rest:
                    self._buffer, self.complete = b"", True
                return
            if len(rest) < length + 2:
                return
            self.body += rest[:length]
            self._buffer = rest[length + 2 :]

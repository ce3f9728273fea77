"""Reads along in a stream of server-sent events, for what the gateway must know about it: has it begun, did it fail, what did it cost.

It changes nothing in the stream and refuses nothing: a line that is malformed or too long is only not read.
"""

import re
from collections.abc import Mapping
from typing import Any

from app.core.strict_json import loads

# The event of a token is some 300 bytes, with log-probabilities a few thousand.
MAX_LINE_BYTES = 16_384
_MAX_VALUES = 2_000
# In JSON, these stand in no text of the model: a quote within a string has a backslash in front.
_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_ERROR = re.compile(rb'"error"\s*:\s*["{]')


class Events:
    """What has been read in a stream so far.

    Attributes:
        begun: whether an event with data is complete.
        empty: whether the first event is the end of the stream (`[DONE]`).
        error: the last event that is an error in place of an answer; None without one.
        usage: the last event that reports usage; None without one. Some endpoints report the usage so far in each event.
    """

    def __init__(self) -> None:
        self.begun = False
        self.empty = False
        self.error: Mapping[str, Any] | None = None
        self.usage: Mapping[str, Any] | None = None
        self._line = bytearray()
        self._skipping = False

    def feed(self, piece: bytes) -> None:
        """Read the next bytes of the stream: at most some kilobytes at once, or it takes long."""
        first, newline, behind = piece.partition(b"\n")
        self._add(first)
        if not newline:
            return
        self._end_line()
        lines, _, last = behind.rpartition(b"\n")
        # Most pieces hold nothing more to be read.
        if not self.begun or b'"usage"' in lines or b'"error"' in lines:
            for line in lines.split(b"\n"):
                self._add(line)
                self._end_line()
        self._add(last)

    def _end_line(self) -> None:
        self._read(bytes(self._line).rstrip(b"\r"))
        self._line.clear()
        self._skipping = False

    def _add(self, part: bytes) -> None:
        if self._skipping:
            return
        self._line += part[: MAX_LINE_BYTES + 1]
        if len(self._line) > MAX_LINE_BYTES:
            # Enough to see which field of an event it is.
            self._skipping = True
            del self._line[len(b"data:") :]

    def _read(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            return
        data = line.removeprefix(b"data:").strip()
        self.empty = self.empty or (not self.begun and data == b"[DONE]")
        self.begun = True
        if not _USAGE.search(data) and not _ERROR.search(data):
            return
        try:
            payload = loads(data, max_values=_MAX_VALUES)
        except ValueError:
            return
        if not isinstance(payload, Mapping):
            return
        if isinstance(payload.get("usage"), Mapping):
            self.usage = payload
        if payload.get("error"):
            self.error = payload

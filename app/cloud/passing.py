"""A chat that goes to the cloud as it came: its bytes with another model's name, and its streamed reply an event at a time.

Nothing else of the body is changed or decoded again, so that numbers, order and spelling are those of the caller. A streamed request also
asks for its usage, which is charged; a caller who did not ask for it does not see it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.cloud.call import Request
from app.cloud.endpoint import Endpoint
from app.core.strict_json import dumps, loads

_SPACE = re.compile(r"[ \t\n\r]*")
# What stands in a body is not looked at, so neither is the length of its numbers.
_VALUES = json.JSONDecoder(parse_int=len, parse_float=len)
# An event that is longer is handed on in parts: pictures and sounds are.
MAX_HELD_BYTES = 1_048_576
_MAX_VALUES = 2_000
_MODEL = "model"
_BLANK_LINES = (b"\n\n", b"\n\r\n")
_EVENTS = re.compile(rb"(?<=\n\n)|(?<=\n\r\n)")
# What says that a reply is at its end: a reason, an error, or the mark of the end. In a text of the model, a quote has a backslash in front.
_ENDS = re.compile(rb'"finish_reason"\s*+:\s*+"[^"]|"error"\s*+:\s*+["{]|^data: ?\[DONE\]', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RawChat:
    """A chat of a caller.

    Attributes:
        pieces: its body in UTF-8, cut where the name of a model belongs.
        streamed: whether the reply comes in events.
        hides_usage: whether the event that reports the usage is the gateway's own business.
    """

    pieces: tuple[bytes, ...]
    streamed: bool
    hides_usage: bool

    @classmethod
    def of(cls, content: bytes, fields: Mapping[str, Any]) -> "RawChat":
        """The chat in a body. Long bodies take milliseconds.

        Args:
            content: a JSON object in UTF-8.
            fields: the same, decoded.
        """
        streamed = bool(fields.get("stream"))
        options = fields.get("stream_options")
        given = options if isinstance(options, dict) else {}
        asks = bool(given.get("include_usage"))
        changed = {"stream_options": {**given, "include_usage": True}} if streamed and not asks else {}
        return cls(_cut(content, changed), streamed, hides_usage=streamed and not asks)

    def request_for(self, endpoint: Endpoint) -> Request:
        """What an endpoint is sent."""
        content = json.dumps(endpoint.model).encode().join(self.pieces)
        return Request({}, (), label="passed on", content=content, fault=fault_of_chat, quiet=True, max_values=100_000)


def fault_of_chat(payload: Any) -> str | None:
    """What keeps the JSON of a 200 from being a reply to a chat; None where nothing does. It may be empty: the caller judges it."""
    if not isinstance(payload, Mapping):
        return "it is no JSON object"
    if payload.get("error"):
        return "it is an error in place of an answer"
    return None if isinstance(payload.get("choices"), list) else "it is no chat completion"


class WholeEvents:
    """Hands on the events of a stream whole, so that one that breaks off is not half sent; leaves out the one with the usage.

    Args:
        hides_usage: whether an event that reports the usage and holds no choice is left out.

    Attributes:
        ended: whether one of the events says that the reply is at its end. A connection that is closed before breaks the reply off,
            even if it is closed in order: some servers and proxies end a failure like that.
    """

    def __init__(self, *, hides_usage: bool) -> None:
        self.ended = False
        self._hides_usage = hides_usage
        self._held = bytearray()
        self._is_part = False

    @property
    def in_the_middle(self) -> bool:
        """Whether a part of an event has been handed on, and not its end."""
        return self._is_part

    def feed(self, piece: bytes) -> bytes:
        """The events that are whole with this piece."""
        whole = self._whole(piece)
        self.ended = self.ended or _ENDS.search(whole) is not None
        return whole

    def _whole(self, piece: bytes) -> bytes:
        # The end of an event may have been cut in two.
        since = max(0, len(self._held) - 3)
        self._held += piece
        end = max(self._behind(blank, since) for blank in _BLANK_LINES)
        if not end:
            if len(self._held) <= MAX_HELD_BYTES:
                return b""
            self._is_part = True
            return self.rest()
        whole, was_part = bytes(self._held[:end]), self._is_part
        del self._held[:end]
        self._is_part = False
        if not self._hides_usage or b'"usage"' not in whole:
            return whole
        events = _EVENTS.split(whole)
        return b"".join(event for number, event in enumerate(events) if (was_part and not number) or not _is_usage(event))

    def _behind(self, blank: bytes, since: int) -> int:
        found = self._held.rfind(blank, since)
        return found + len(blank) if found >= 0 else 0

    def rest(self) -> bytes:
        """What is left when the stream has come to its end; nothing where that is only the beginning of an event."""
        left = bytes(self._held)
        self._held.clear()
        if not self._is_part and not _is_whole(left):
            return b""
        self.ended = self.ended or _ENDS.search(left) is not None
        return left


def _is_whole(event: bytes) -> bool:
    """Whether an event without the blank line at its end lacks nothing else."""
    for line in event.splitlines():
        data = line.removeprefix(b"data:").strip()
        if line.startswith(b"data:") and data != b"[DONE]":
            try:
                loads(data, max_values=_MAX_VALUES)
            except ValueError:
                return False
    return True


def _is_usage(event: bytes) -> bool:
    for line in event.splitlines():
        if line.startswith(b"data:") and b'"usage"' in line:
            try:
                payload = loads(line.removeprefix(b"data:").strip(), max_values=_MAX_VALUES)
            except ValueError:
                return False
            return isinstance(payload, dict) and payload.get("choices") == [] and isinstance(payload.get("usage"), dict)
    return False


def _cut(content: bytes, changed: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The body cut at the values of its model, with other fields set to these values. It must be a JSON object that names a model."""
    text = content.decode("utf-8-sig")
    pieces: list[bytes] = []
    current: list[str] = []
    missing = dict(changed)
    kept, at = 0, _behind_space(text, _behind_space(text, 0) + 1)
    while text[at] != "}":
        name, at = _VALUES.raw_decode(text, at)
        begin = _behind_space(text, _behind_space(text, at) + 1)
        _, end = _VALUES.raw_decode(text, begin)
        if name == _MODEL or name in changed:
            current.append(text[kept:begin])
            kept = end
            if name == _MODEL:
                pieces.append("".join(current).encode())
                current = []
            else:
                current.append(dumps(changed[name]).decode())
                missing.pop(name, None)
        at = _behind_space(text, end)
        if text[at] == ",":
            at = _behind_space(text, at + 1)
    current.append(text[kept:at])
    current += [f",{json.dumps(name)}:{dumps(value).decode()}" for name, value in missing.items()]
    current.append(text[at:])
    return (*pieces, "".join(current).encode())


def _behind_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at

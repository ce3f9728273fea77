"""A chat completion, whole or in chunks, as the items of a response: messages, and calls of functions.

Whatever a chunk lacks is taken for absent, never looked up unguarded.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.core.errors import CloudUnavailable, CloudUnparsable
from app.core.strict_json import loads

_MAX_VALUES = 20_000
_DONE = b"[DONE]"
_ERROR = "the cloud's reply ended with an error"


@dataclass(slots=True)
class Said:
    """A message of one part.

    Attributes:
        pieces: its text.
        refuses: whether the text says that the model refuses to answer.
    """

    pieces: list[str] = field(default_factory=list)
    refuses: bool = False

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.pieces)


@dataclass(slots=True)
class Called:
    """A call of a function.

    Attributes:
        id: id of the call by the endpoint; empty where it gives none.
        name: name of the function; empty until it is known.
        pieces: the arguments, as JSON.
    """

    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The whole arguments."""
        return "".join(self.pieces)


# An item, its place in the output, and what is new of its text.
Change = tuple[int, str]


@dataclass(slots=True)
class Written:
    """What has been written of a reply so far.

    Attributes:
        items: its messages and calls in the order in which they began.
        finish_reason: why the model stopped, in the words of chat completions; empty until it says so.
        usage: tokens, by the names of chat completions.
    """

    items: list[Said | Called] = field(default_factory=list)
    finish_reason: str = ""
    usage: Mapping[str, Any] = field(default_factory=dict)
    _calls: dict[Any, Called] = field(default_factory=dict)
    _slot: Any = None

    def say(self, text: str, *, refuses: bool = False) -> list[Change]:
        """Add text to the last message, or begin one; returns what is new."""
        if not text:
            return []
        last = self.items[-1] if self.items else None
        if not isinstance(last, Said) or last.refuses is not refuses:
            last = Said(refuses=refuses)
            self.items.append(last)
        last.pieces.append(text)
        return [(len(self.items) - 1, text)]

    def take(self, payload: Any, *, part: str) -> list[Change]:
        """Take up a chat completion (`part` is `message`) or a chunk of one (`delta`); returns what is new.

        Raises:
            CloudUnavailable: it is an error in place of an answer.
        """
        if not isinstance(payload, Mapping):
            return []
        if payload.get("error"):
            raise CloudUnavailable(_ERROR)
        if isinstance(payload.get("usage"), Mapping):
            self.usage = payload["usage"]
        choices = payload.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else {}
        if isinstance(reason := choice.get("finish_reason"), str) and reason:
            self.finish_reason = reason
        if self.finish_reason == "error":
            raise CloudUnavailable(_ERROR)
        message = choice.get(part)
        if not isinstance(message, Mapping):
            return []
        changes = self.say(_text(message.get("content"))) + self.say(_text(message.get("refusal")), refuses=True)
        calls = message.get("tool_calls")
        for number, call in enumerate(calls if isinstance(calls, list) else []):
            if isinstance(call, Mapping):
                changes += self._call(call, number if part == "message" else None)
        return changes

    def _call(self, told: Mapping[str, Any], number: int | None) -> list[Change]:
        """Take up a call, or a piece of one."""
        function = told.get("function")
        function = function if isinstance(function, Mapping) else {}
        call = self._called(told, _text(function.get("name")), number)
        call.id = call.id or _text(told.get("id"))
        arguments = _text(function.get("arguments"))
        was_known = bool(call.name)
        call.name = call.name or _text(function.get("name"))
        if arguments:
            call.pieces.append(arguments)
        if not call.name:
            # Nobody can be told of a call before it has a name.
            return []
        if not was_known:
            self.items.append(call)
            return [(len(self.items) - 1, call.text)]
        return [(next(at for at, item in enumerate(self.items) if item is call), arguments)] if arguments else []

    def _called(self, told: Mapping[str, Any], name: str, number: int | None) -> Called:
        """The call that a piece belongs to: by its index; else by its id; else the last one.

        Some endpoints send no index, or the same one for every call: another id with a name is another call.
        """
        given, index = _text(told.get("id")), told.get("index")
        slot: Any = number if number is not None else index if type(index) is int else given or self._slot
        known = self._calls.get(slot)
        if known is not None and given and known.id and given != known.id and name:
            slot = given
        self._slot = slot
        return self._calls.setdefault(slot, Called())


def payloads_of(events: bytes) -> Iterator[Any]:
    """The JSON of the events of a stream.

    Raises:
        CloudUnparsable: an event that is not JSON; what it said is missing in the reply.
    """
    for line in events.splitlines():
        if not line.startswith(b"data:"):
            continue
        data = line.removeprefix(b"data:").strip()
        if data and data != _DONE:
            try:
                yield loads(data, max_values=_MAX_VALUES)
            except ValueError:
                raise CloudUnparsable("an event of the cloud's reply is not JSON") from None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

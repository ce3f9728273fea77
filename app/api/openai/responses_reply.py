"""Responses as OpenAI's clients read them: whole, and as a stream of typed events.

A streamed reply of the cloud is read chunk by chunk; whatever a chunk lacks is taken for absent, never looked up unguarded.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.core.strict_json import dumps, loads

_MAX_VALUES = 20_000


@dataclass(slots=True)
class Written:
    """What has been written of a reply so far.

    Attributes:
        text: its text.
        finish_reason: why the model stopped, in the words of chat completions; empty until it says so.
        usage: tokens, by the names of chat completions.
    """

    text: str = ""
    finish_reason: str = ""
    usage: Mapping[str, Any] = field(default_factory=dict)

    def take(self, payload: Any, *, part: str) -> str:
        """Take up a chat completion (`part` is `message`) or a chunk of one (`delta`); returns the text that is new."""
        if not isinstance(payload, Mapping):
            return ""
        if isinstance(payload.get("usage"), Mapping):
            self.usage = payload["usage"]
        choices = payload.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else {}
        if isinstance(choice.get("finish_reason"), str):
            self.finish_reason = choice["finish_reason"]
        message = choice.get(part)
        said = message.get("content") or message.get("refusal") if isinstance(message, Mapping) else None
        new = said if isinstance(said, str) else ""
        self.text += new
        return new


def payloads_of(events: bytes) -> Iterator[Any]:
    """The JSON of the events of a stream; what is not JSON is left out."""
    for line in events.splitlines():
        if line.startswith(b"data:"):
            try:
                yield loads(line.removeprefix(b"data:").strip(), max_values=_MAX_VALUES)
            except ValueError:
                continue


@dataclass(slots=True)
class Responder:
    """Makes the bodies and events of one response.

    Attributes:
        id: id of the response, without its prefix.
        created: when it was made, in seconds since 1970.
        model: name of the model, as the request sent it.
        instructions: the system message of the request.
        foggate: the routing; None where the cloud replied to a chat that is no multiple-choice question.
    """

    id: str
    created: int
    model: str
    instructions: str | None = None
    foggate: Mapping[str, Any] | None = None
    _number: int = 0

    def whole(self, written: Written) -> dict[str, Any]:
        """The finished response."""
        cut = written.finish_reason == "length"
        status = "incomplete" if cut else "completed"
        details = {"reason": "max_output_tokens"} if cut else None
        return self._body(status, [self._item(written.text, status)], usage=_usage(written.usage), incomplete_details=details)

    def beginning(self) -> bytes:
        """The events in front of the text."""
        empty = self._body("in_progress", [])
        return self._events(
            [
                ("response.created", {"response": empty}),
                ("response.in_progress", {"response": empty}),
                ("response.output_item.added", {"output_index": 0, "item": {**self._item("", "in_progress"), "content": []}}),
                ("response.content_part.added", {**self._place, "part": _text_part("")}),
            ]
        )

    def delta(self, text: str) -> bytes:
        """The event of a piece of text."""
        return self._events([("response.output_text.delta", {**self._place, "delta": text, "logprobs": []})])

    def end(self, written: Written) -> bytes:
        """The events behind the text."""
        whole = self.whole(written)
        return self._events(
            [
                ("response.output_text.done", {**self._place, "text": written.text, "logprobs": []}),
                ("response.content_part.done", {**self._place, "part": _text_part(written.text)}),
                ("response.output_item.done", {"output_index": 0, "item": self._item(written.text, whole["status"])}),
                (f"response.{whole['status']}", {"response": whole}),
            ]
        )

    def failed(self, error: Mapping[str, Any]) -> bytes:
        """The last event of a reply that broke off; OpenAI's clients raise it.

        Args:
            error: the error in OpenAI's form.
        """
        said = error["error"]
        return self._events([("error", {"code": said["code"], "message": said["message"], "param": said["param"], "error": said})])

    @property
    def _place(self) -> dict[str, Any]:
        return {"item_id": f"msg_{self.id}", "output_index": 0, "content_index": 0}

    def _item(self, text: str, status: str) -> dict[str, Any]:
        return {"type": "message", "id": f"msg_{self.id}", "role": "assistant", "status": status, "content": [_text_part(text)]}

    def _body(self, status: str, output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        facts = {} if self.foggate is None else {"foggate": self.foggate}
        return {
            "id": f"resp_{self.id}",
            "object": "response",
            "created_at": self.created,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": self.instructions,
            "metadata": {},
            "model": self.model,
            "output": output,
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "store": False,
            "temperature": None,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": None,
            "truncation": "disabled",
            "usage": None,
            **more,
            **facts,
        }

    def _events(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> bytes:
        lines = []
        for kind, content in events:
            payload = dumps({"type": kind, "sequence_number": self._number, **content})
            lines.append(b"event: " + kind.encode() + b"\ndata: " + payload + b"\n\n")
            self._number += 1
        return b"".join(lines)


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _usage(counted: Mapping[str, Any]) -> dict[str, Any]:
    read, written = (_count(counted.get(name)) for name in ("prompt_tokens", "completion_tokens"))
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": _detail(counted, "prompt_tokens_details", "cached_tokens")},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": _detail(counted, "completion_tokens_details", "reasoning_tokens")},
        "total_tokens": read + written,
    }


def _detail(counted: Mapping[str, Any], part: str, name: str) -> int:
    details = counted.get(part)
    return _count(details.get(name)) if isinstance(details, Mapping) else 0


def _count(value: Any) -> int:
    return value if type(value) is int and value >= 0 else 0

"""Responses as OpenAI's clients read them: whole, and as a stream of typed events."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.api.openai.responses_tools import Tools
from app.api.openai.responses_written import Called, Change, Said, Written
from app.core.strict_json import dumps

# Why a reply is not complete, by the reason for which a chat completion ended.
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_IN_PROGRESS, _COMPLETED, _UNFINISHED, _FAILED = "in_progress", "completed", "incomplete", "failed"


@dataclass(slots=True)
class Responder:
    """Makes the bodies and events of one response.

    Attributes:
        id: id of the response, without its prefix.
        created: when it was made, in seconds since 1970.
        model: name of the model, as the request sent it.
        repeated: fields of the request that the reply repeats.
        tools: the tools of the request.
        foggate: the routing; None where the cloud replied to a chat that is no multiple-choice question.
    """

    id: str
    created: int
    model: str
    repeated: Mapping[str, Any] = field(default_factory=dict)
    tools: Tools = field(default_factory=Tools)
    foggate: Mapping[str, Any] | None = None
    _number: int = 0
    _begun: int = 0
    _open: int | None = None

    def whole(self, written: Written) -> dict[str, Any]:
        """The finished response."""
        reason = _INCOMPLETE.get(written.finish_reason)
        status = _COMPLETED if reason is None else _UNFINISHED
        items = written.items or [Said()]
        output = [self._item(items, at, status if at == len(items) - 1 else _COMPLETED) for at in range(len(items))]
        return self._body(status, output, usage=_usage(written.usage), incomplete_details=None if reason is None else {"reason": reason})

    def content(self, written: Written) -> bytes:
        """The finished response as JSON."""
        return _encoded(self.whole(written))

    def beginning(self) -> bytes:
        """The events in front of everything else."""
        empty = self._body(_IN_PROGRESS, [])
        return self._events([("response.created", {"response": empty}), ("response.in_progress", {"response": empty})])

    def changed(self, written: Written, changes: Iterable[Change]) -> bytes:
        """The events of what is new in a reply."""
        return b"".join(self._begin(written, at) + self._delta(written, at, new) for at, new in changes)

    def end(self, written: Written) -> bytes:
        """The events behind a reply that came to its end."""
        if not written.items:
            # Clients look for the text of a reply, be it empty.
            written.items.append(Said())
        begun = self._begin(written, len(written.items) - 1) + self._close(written)
        whole = self.whole(written)
        calls = [at for at, item in enumerate(written.items) if isinstance(item, Called)]
        done: list[tuple[str, Mapping[str, Any]]] = []
        for at in calls:
            place = {"item_id": self._id(written.items, at), "output_index": at}
            said = {"name": whole["output"][at]["name"], "arguments": written.items[at].text}
            done.append(("response.function_call_arguments.done", {**place, **said}))
            done.append(("response.output_item.done", {"output_index": at, "item": whole["output"][at]}))
        return begun + self._events([*done, (f"response.{whole['status']}", {"response": whole})])

    def failed(self, written: Written, error: Mapping[str, Any]) -> bytes:
        """The last events of a reply that broke off: OpenAI's clients raise the first one, Codex reads the second one.

        Args:
            written: what came until then.
            error: the error in OpenAI's form.
        """
        said = error["error"]
        output = [self._item(written.items, at, _UNFINISHED) for at in range(len(written.items))]
        body = self._body(_FAILED, output, usage=_usage(written.usage), error={"code": "server_error", "message": said["message"]})
        return self._events(
            [
                ("error", {"code": said["code"], "message": said["message"], "param": said["param"], "error": said}),
                ("response.failed", {"response": body}),
            ]
        )

    def _begin(self, written: Written, last: int) -> bytes:
        """The events with which the items up to this one begin; a message in front of them is at its end then."""
        events = b""
        while self._begun <= last:
            events += self._close(written)
            at, self._begun = self._begun, self._begun + 1
            item = self._item(written.items, at, _IN_PROGRESS, begins=True)
            events += self._events([("response.output_item.added", {"output_index": at, "item": item})])
            said = written.items[at]
            if isinstance(said, Said):
                self._open = at
                place = self._place(written, at)
                events += self._events([("response.content_part.added", {**place, "part": _part(said, "")})])
        return events

    def _delta(self, written: Written, at: int, new: str) -> bytes:
        item = written.items[at]
        if not new:
            return b""
        if isinstance(item, Called):
            place = {"item_id": self._id(written.items, at), "output_index": at}
            return self._events([("response.function_call_arguments.delta", {**place, "delta": new})])
        kind = "refusal" if item.refuses else "output_text"
        more: dict[str, Any] = {} if item.refuses else {"logprobs": []}
        return self._events([(f"response.{kind}.delta", {**self._place(written, at), "delta": new, **more})])

    def _close(self, written: Written) -> bytes:
        """The events with which a message ends. Calls end with the reply, because the pieces of several may come by turns."""
        at, self._open = self._open, None
        item = written.items[at] if at is not None else None
        if at is None or not isinstance(item, Said):
            return b""
        place, text = self._place(written, at), item.text
        kind, said = ("refusal", {"refusal": text}) if item.refuses else ("output_text", {"text": text, "logprobs": []})
        is_last = at == len(written.items) - 1
        status = _UNFINISHED if is_last and written.finish_reason in _INCOMPLETE else _COMPLETED
        return self._events(
            [
                (f"response.{kind}.done", {**place, **said}),
                ("response.content_part.done", {**place, "part": _part(item, text)}),
                ("response.output_item.done", {"output_index": at, "item": self._item(written.items, at, status)}),
            ]
        )

    def _place(self, written: Written, at: int) -> dict[str, Any]:
        return {"item_id": self._id(written.items, at), "output_index": at, "content_index": 0}

    def _id(self, items: list[Said | Called], at: int) -> str:
        return f"{'fc' if isinstance(items[at], Called) else 'msg'}_{self.id}" + (f"_{at}" if at else "")

    def _item(self, items: list[Said | Called], at: int, status: str, *, begins: bool = False) -> dict[str, Any]:
        item, own = items[at], self._id(items, at)
        if isinstance(item, Called):
            called = {"call_id": item.id or f"call_{self.id}_{at}", **self.tools.called(item.name)}
            return {"type": "function_call", "id": own, "status": status, **called, "arguments": "" if begins else item.text}
        content = [] if begins else [_part(item, item.text)]
        return {"type": "message", "id": own, "role": "assistant", "status": status, "content": content}

    def _body(self, status: str, output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        facts = {} if self.foggate is None else {"foggate": self.foggate}
        return {
            "id": f"resp_{self.id}",
            "object": "response",
            "created_at": self.created,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "model": self.model,
            "output": output,
            "parallel_tool_calls": self.tools.parallel,
            "previous_response_id": None,
            "store": False,
            "temperature": None,
            "text": {"format": {"type": "text"}},
            "tool_choice": self.tools.choice,
            "tools": self.tools.shown,
            "top_p": None,
            "truncation": "disabled",
            "usage": None,
            **self.repeated,
            **more,
            **facts,
        }

    def _events(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> bytes:
        lines = []
        for kind, content in events:
            payload = _encoded({"type": kind, "sequence_number": self._number, **content})
            lines.append(b"event: " + kind.encode() + b"\ndata: " + payload + b"\n\n")
            self._number += 1
        return b"".join(lines)


def _encoded(value: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8; half of a character, which some endpoints send at the end of a chunk, is written as they write it."""
    try:
        return dumps(value)
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False).encode()


def _part(item: Said, text: str) -> dict[str, Any]:
    if item.refuses:
        return {"type": "refusal", "refusal": text}
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

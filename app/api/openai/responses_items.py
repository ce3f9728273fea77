"""The input of a response request as the messages of a chat: messages, calls of functions, and their results."""

from collections.abc import Mapping
from typing import Any

from app.api.openai.chat_request import ROLES
from app.api.openai.responses_tools import chat_name
from app.core.errors import InvalidQuestion, Unsupported

_TEXTS = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal"}
_NOT_STORED = (
    "nothing is stored here that could be referred to, so send the items themselves (in the AI SDK: "
    "providerOptions: { openai: { store: false } })"
)


def messages_of_items(items: list[Any]) -> list[dict[str, Any]]:
    """The messages of a chat.

    A call belongs to the assistant's message in front of it, as in the chat completion that made both. Reasoning is left out: it comes
    from another provider, and a chat completion has no place for it.

    Raises:
        InvalidQuestion: an item is not what its type says.
        Unsupported: an item of a type that a chat does not have.
    """
    messages: list[dict[str, Any]] = []
    for number, item in enumerate(items):
        place = f"input.{number}"
        if not isinstance(item, dict):
            raise InvalidQuestion(f"{place} must be an object", param=place)
        kind = item.get("type", "message")
        if kind == "message":
            messages.append(_message(item, place))
        elif kind == "function_call":
            if not messages or messages[-1]["role"] != "assistant":
                messages.append({"role": "assistant", "content": None})
            messages[-1].setdefault("tool_calls", []).append(_call(item, place))
        elif kind == "function_call_output":
            messages.append({"role": "tool", "tool_call_id": _text(item, "call_id", place), "content": _output(item, place)})
        elif kind == "item_reference":
            raise Unsupported(f"{place}: {_NOT_STORED}", param=f"{place}.type")
        elif kind != "reasoning":
            name = kind[:64] if isinstance(kind, str) else "unnamed"
            raise Unsupported(
                f"{place}: items of the type {name} are not supported here, only messages, calls of functions and their results",
                param=f"{place}.type",
            )
    return messages


def _message(item: Mapping[str, Any], place: str) -> dict[str, Any]:
    role, content = item.get("role"), item.get("content")
    if not isinstance(role, str) or role not in ROLES:
        raise InvalidQuestion(f"{place}.role must be system, developer, user or assistant", param=f"{place}.role")
    if isinstance(content, str):
        return {"role": ROLES[role], "content": content}
    if not isinstance(content, list):
        raise InvalidQuestion(f"{place}.content must be a text or a list of parts", param=f"{place}.content")
    return {"role": ROLES[role], "content": [_part(part, f"{place}.content.{number}") for number, part in enumerate(content)]}


def _part(part: Any, place: str) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, dict) else None
    name = _TEXTS.get(kind) if isinstance(kind, str) else None
    if name is not None and isinstance(part.get(name), str):
        return {"type": "text", "text": part[name]}
    if kind == "input_image" and isinstance(part.get("image_url"), str):
        # The default of a chat completion is `auto` too, and not every endpoint knows the field.
        detail = part.get("detail") or "auto"
        return {"type": "image_url", "image_url": {"url": part["image_url"], **({} if detail == "auto" else {"detail": detail})}}
    raise Unsupported(f"{place}: only texts and pictures with an image_url are supported", param=f"{place}.type")


def _call(item: Mapping[str, Any], place: str) -> dict[str, Any]:
    name = chat_name(item.get("namespace"), _text(item, "name", place))
    called = {"name": name, "arguments": _text(item, "arguments", place)}
    return {"id": _text(item, "call_id", place), "type": "function", "function": called}


def _output(item: Mapping[str, Any], place: str) -> str | list[dict[str, Any]]:
    """What a function returned: a text where it is nothing else, because not every endpoint takes parts in such a message."""
    output = item.get("output")
    if isinstance(output, str):
        return output
    if not isinstance(output, list):
        raise InvalidQuestion(f"{place}.output must be a text or a list of parts", param=f"{place}.output")
    parts = [_part(part, f"{place}.output.{number}") for number, part in enumerate(output)]
    return parts if any(part["type"] != "text" for part in parts) else "\n".join(part["text"] for part in parts)


def _text(item: Mapping[str, Any], name: str, place: str) -> str:
    value = item.get(name)
    if not isinstance(value, str):
        raise InvalidQuestion(f"{place}.{name} must be a text", param=f"{place}.{name}")
    return value

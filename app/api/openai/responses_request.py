"""The body of `/v1/responses` as it is sent, and the same as a chat: the part of OpenAI's Responses API that needs no memory and no tools.

What is not supported is refused by its name, whoever asks: nothing is stored here, so there is no earlier response to go on from.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.api.openai.chat_request import ROLES, text_of
from app.core.errors import InvalidQuestion, Unsupported
from app.core.question import is_unicode

EXAMPLE: dict[str, Any] = {
    "model": "foggate",
    "input": "Which gas do green plants take in for photosynthesis?\n\nA. Oxygen\nB. Carbon dioxide\nC. Nitrogen\nD. Helium",
    "instructions": "Answer with the letter only.",
}
_MAX_ITEMS = 1_000
# They say how a response is stored, billed or scheduled. None is stored here, whatever `store` says.
_WITHOUT_EFFECT = frozenset(
    {
        "max_tool_calls",
        "metadata",
        "parallel_tool_calls",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "stream_options",
        "truncation",
        "user",
    }
)
_SAME = ("temperature", "top_p")
_NOTHING: tuple[Any, ...] = (None, [], {}, "")
# Codex and others ask for it in every request; a model that shows no reasoning has none.
_INCLUDED = "reasoning.encrypted_content"


class ResponsesRequest(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, json_schema_extra={"examples": [EXAMPLE]})

    model: str = Field(max_length=256, description="`foggate`, `foggate-<tau>`, `edge` or `cloud` (docs/openai.md).")
    input: str | list[dict[str, Any]] = Field(description="A text, or a list of messages.")
    instructions: str | None = Field(None, description="A system message in front of the input.")
    stream: bool | None = Field(None, description="Whether the reply comes in server-sent events.")

    @property
    def fields(self) -> dict[str, Any]:
        """Every other field, by its name."""
        return self.model_extra or {}


def messages_of(asked: ResponsesRequest) -> list[dict[str, Any]]:
    """The messages of the chat. Raises InvalidQuestion or Unsupported."""
    if asked.instructions is not None and not is_unicode(asked.instructions):
        # They are repeated in the reply.
        raise InvalidQuestion("instructions are not valid Unicode", param="instructions")
    first: list[dict[str, Any]] = [{"role": "system", "content": asked.instructions}] if asked.instructions else []
    if isinstance(asked.input, str):
        return [*first, {"role": "user", "content": asked.input}]
    if not 0 < len(asked.input) <= _MAX_ITEMS:
        raise InvalidQuestion(f"input must be a text or 1 to {_MAX_ITEMS} messages", param="input")
    return [*first, *(_message(item, f"input.{number}") for number, item in enumerate(asked.input))]


def turns_of(messages: list[dict[str, Any]]) -> list[tuple[str, str]] | None:
    """Pairs of role and text; None where a message is more than text."""
    turns = [(message["role"], text_of(message["content"])) for message in messages]
    found = [(role, text) for role, text in turns if text is not None]
    return found if len(found) == len(turns) else None


def fields_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The other fields, by the names that a chat completion has for them.

    Raises:
        InvalidQuestion: a field has another type.
        Unsupported: a field asks for something that is not supported.
    """
    found: dict[str, Any] = {}
    for name, value in fields.items():
        # Not compared with False, which 0 is equal to: a temperature of 0 says something.
        if value is False or value in _NOTHING or name in _WITHOUT_EFFECT:
            continue
        if name in _SAME:
            found[name] = value
        elif name == "max_output_tokens":
            found["max_completion_tokens"] = value
        elif name == "text":
            found |= _text(value)
        elif name == "reasoning":
            found |= {"reasoning_effort": value["effort"]} if isinstance(value, dict) and isinstance(value.get("effort"), str) else {}
        elif not (
            (name == "include" and value == [_INCLUDED])
            or (name == "tools" and fields.get("tool_choice") == "none")
            or (name == "tool_choice" and value in ("auto", "none"))
        ):
            raise Unsupported(f"{name[:64]} is not supported: this is a stateless part of the Responses API", param=name[:64])
    return found


def _text(value: Any) -> dict[str, Any]:
    form = value.get("format") if isinstance(value, dict) else None
    if not isinstance(form, dict) or form.get("type") == "text":
        return {}
    if form.get("type") != "json_schema":
        return {"response_format": form}
    return {"response_format": {"type": "json_schema", "json_schema": {key: part for key, part in form.items() if key != "type"}}}


def _message(item: Mapping[str, Any], place: str) -> dict[str, Any]:
    if item.get("type", "message") != "message":
        raise Unsupported(f"{place}: only messages are supported in the input", param=f"{place}.type")
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
    if kind in ("input_text", "output_text", "text") and isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    if kind == "input_image" and isinstance(part.get("image_url"), str):
        return {"type": "image_url", "image_url": {"url": part["image_url"]}}
    raise Unsupported(f"{place}: only texts and pictures with an image_url are supported", param=f"{place}.type")

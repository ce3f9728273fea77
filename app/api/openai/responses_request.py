"""The body of `/v1/responses` as it is sent, and the same as a chat: the part of OpenAI's Responses API that needs no memory.

What is not supported is refused by its name, whoever asks: nothing is stored here, so there is no earlier response to go on from.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from app.api.openai.chat_request import text_of
from app.api.openai.responses_items import messages_of_items
from app.api.openai.responses_tools import Tools
from app.core.errors import InvalidQuestion, Unsupported
from app.core.question import is_unicode
from app.core.strict_json import dumps

EXAMPLE: dict[str, Any] = {
    "model": "foggate",
    "input": "Which gas do green plants take in for photosynthesis?\n\nA. Oxygen\nB. Carbon dioxide\nC. Nitrogen\nD. Helium",
    "instructions": "Answer with the letter only.",
}
_MAX_ITEMS = 10_000
# They say how a response is stored, billed, counted or scheduled. None is stored here, whatever `store` says.
_WITHOUT_EFFECT = frozenset(
    {
        "client_metadata",
        "max_tool_calls",
        "metadata",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "stream_options",
        "truncation",
        "user",
    }
)
_OF_TOOLS = frozenset({"tools", "tool_choice", "parallel_tool_calls"})
_SAME = ("temperature", "top_p")
# What the reply repeats, with the type that it has.
_REPEATED: dict[str, type | tuple[type, ...]] = {
    "max_output_tokens": int,
    "metadata": dict,
    "reasoning": dict,
    "temperature": (int, float),
    "text": dict,
    "top_p": (int, float),
}
_INPUT = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object", "additionalProperties": True}}]}
# An empty value asks for nothing, except in a field that is honoured: there it is of a wrong type.
_EMPTY: tuple[Any, ...] = ([], {}, "")
# The parts of two fields that are known; another one might ask for something.
_PARTS = {
    "reasoning": frozenset({"context", "effort", "generate_summary", "mode", "summary"}),
    "text": frozenset({"format", "verbosity"}),
}
# Codex and others ask for it in every request; a model that shows no reasoning has none.
_INCLUDED = "reasoning.encrypted_content"


class ResponsesRequest(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, json_schema_extra={"examples": [EXAMPLE]})

    model: str = Field(max_length=256, description="`foggate`, `foggate-<tau>`, `edge` or `cloud` (docs/openai.md).")
    # Its type is looked at by `messages_of`, whose errors name the field or the item and nothing else.
    input: Annotated[Any, WithJsonSchema(_INPUT)] = Field(
        description="A text, or a list of messages, calls of functions and their results."
    )
    instructions: str | None = Field(None, description="A system message in front of the input.")
    stream: bool | None = Field(None, description="Whether the reply comes in server-sent events.")

    @property
    def fields(self) -> dict[str, Any]:
        """Every other field, by its name."""
        return self.model_extra or {}


def messages_of(asked: ResponsesRequest) -> list[dict[str, Any]]:
    """The messages of the chat. Raises InvalidQuestion or Unsupported."""
    first: list[dict[str, Any]] = [{"role": "system", "content": asked.instructions}] if asked.instructions else []
    if isinstance(asked.input, str):
        return [*first, {"role": "user", "content": asked.input}]
    if not isinstance(asked.input, list) or not 0 < len(asked.input) <= _MAX_ITEMS:
        raise InvalidQuestion(f"input must be a text or 1 to {_MAX_ITEMS} items", param="input")
    return [*first, *messages_of_items(asked.input)]


def turns_of(messages: list[dict[str, Any]]) -> list[tuple[str, str]] | None:
    """Pairs of role and text; None where a message is more than text."""
    turns = [
        (message["role"], None if message["role"] == "tool" or "tool_calls" in message else text_of(message["content"]))
        for message in messages
    ]
    found = [(role, text) for role, text in turns if text is not None]
    return found if len(found) == len(turns) else None


def repeated(asked: ResponsesRequest, tools: Tools) -> dict[str, Any]:
    """The fields of the request that the reply repeats. Raises InvalidQuestion where one of them cannot be written as JSON."""
    if asked.instructions is not None and not is_unicode(asked.instructions):
        raise InvalidQuestion("instructions are not valid Unicode", param="instructions")
    found = {name: asked.fields[name] for name, kind in _REPEATED.items() if isinstance(asked.fields.get(name), kind)}
    for name, value in (*found.items(), ("tools", tools.shown), ("tool_choice", tools.choice)):
        try:
            dumps(value)
        except ValueError:
            raise InvalidQuestion(f"{name} holds text that is not valid Unicode, or a number that is not finite", param=name) from None
    return {"instructions": asked.instructions, **found}


def fields_of(fields: Mapping[str, Any], tools: Tools) -> dict[str, Any]:
    """The other fields, by the names that a chat completion has for them.

    Raises:
        InvalidQuestion: a field has another type.
        Unsupported: a field asks for something that is not supported.
    """
    found: dict[str, Any] = {}
    for name, value in fields.items():
        # Not compared with False, which 0 is equal to: a temperature of 0 says something.
        if value is None or name in _WITHOUT_EFFECT or name in _OF_TOOLS:
            continue
        if name in _SAME:
            found[name] = value
        elif name == "max_output_tokens":
            found["max_completion_tokens"] = value
        elif name == "text":
            found |= _text(value)
        elif name == "reasoning":
            found |= _reasoning(value)
        elif value is not False and value not in _EMPTY and (name != "include" or value != [_INCLUDED]):
            raise Unsupported(f"{name[:64]} is not supported: this is a stateless part of the Responses API", param=name[:64])
    return {**found, **tools.fields}


def _reasoning(value: Any) -> dict[str, Any]:
    _check_parts("reasoning", value)
    effort = value.get("effort") if isinstance(value, dict) else 0
    if effort is not None and not isinstance(effort, str):
        raise InvalidQuestion("reasoning must be an object, and its effort a text", param="reasoning")
    return {"reasoning_effort": effort} if effort else {}


def _check_parts(name: str, value: Any) -> None:
    """Raise Unsupported for a part of an object that is not known."""
    if isinstance(value, dict) and (unknown := sorted(value.keys() - _PARTS[name])):
        place = f"{name}.{unknown[0][:64]}"
        raise Unsupported(f"{place} is not supported", param=place)


def _text(value: Any) -> dict[str, Any]:
    _check_parts("text", value)
    form = value.get("format", {}) if isinstance(value, dict) else None
    form = {} if form is None and isinstance(value, dict) else form
    if not isinstance(form, dict):
        raise InvalidQuestion("text must be an object, and its format too", param="text")
    found = {"verbosity": value["verbosity"]} if value.get("verbosity") is not None else {}
    if form.get("type", "text") == "text":
        return found
    if form["type"] != "json_schema":
        return {**found, "response_format": form}
    return {**found, "response_format": {"type": "json_schema", "json_schema": {key: part for key, part in form.items() if key != "type"}}}

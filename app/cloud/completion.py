"""Whether a 200 holds a chat completion at all. `app/cloud/reply.py` reads which letter it names."""

from collections.abc import Mapping
from typing import Any

# A reply that ends otherwise (cut, filtered) may be empty because of the question, which shows nothing about the endpoint.
_ENDED = frozenset({"", "stop", "end_turn", "stop_sequence", "eos", "eos_token", "completed", "complete"})


def fault_of(payload: Any) -> str | None:
    """What keeps the JSON of a 200 from being a chat completion, in a few words; None where nothing does.

    An empty reply is a fault, unless the model refused, was stopped by a filter or ran out of tokens: then the question may be
    to blame. A caller must not be able to make an endpoint look broken.
    """
    if not isinstance(payload, Mapping):
        return "it is no JSON object"
    choices = payload.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if isinstance(choice, Mapping) and (choice.get("error") or choice.get("finish_reason") == "error"):
        return "it is an error in place of an answer"
    # A text beside an error is only the beginning of the reply.
    if payload.get("error") or (isinstance(message, Mapping) and message.get("error")):
        return "it is an error in place of an answer"
    if not isinstance(message, Mapping):
        return "its list of choices is empty" if choices == [] else "it is no chat completion"
    content, reason = message.get("content"), (choice or {}).get("finish_reason")
    empty = not content.strip() if isinstance(content, str) else not content
    excused = any(message.get(name) for name in ("refusal", "tool_calls", "function_call"))
    if empty and not excused and (reason is None or (isinstance(reason, str) and reason.lower() in _ENDED)):
        return "it has no text"
    return None

"""Which fields of one's own a request to the cloud may have."""

import json
from collections.abc import Mapping
from typing import Any

# The fields that say what an answer looks like. Where `extra_body` holds one, the user has chosen it.
FORMAT_FIELDS = frozenset({"response_format", "structured_outputs", "guided_choice", "guided_json", "guided_regex", "guided_grammar"})


def fault_of_body(body: Mapping[str, Any]) -> str | None:
    """What keeps the fields from being sent, as a sentence; None where nothing does."""
    if "messages" in body:
        return "extra_body.messages would take the place of the question"
    if body.get("stream") or body.get("stream_options"):
        return "extra_body.stream cannot be true: the gateway reads whole replies"
    if body.get("n") not in {None, 1}:
        return "extra_body.n cannot be more than 1: the gateway reads one reply"
    try:
        json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        return "extra_body holds what JSON has no form for (a date, a number that is not finite, half a character)"
    return None

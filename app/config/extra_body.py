"""Which fields a user may add to requests to the cloud."""

import json
from collections.abc import Mapping
from typing import Any

# Fields that set the form of an answer. Where `extra_body` holds one, the user has chosen the form.
FORMAT_FIELDS = frozenset({"response_format", "structured_outputs", "guided_choice", "guided_json", "guided_regex", "guided_grammar"})


def fault_of_body(body: Mapping[str, Any]) -> str | None:
    """A sentence that says why the fields cannot be sent; None where they can."""
    if "messages" in body:
        return "extra_body.messages would replace the question"
    if body.get("stream") or body.get("stream_options"):
        return "extra_body.stream cannot be true: the gateway reads whole replies"
    if body.get("n") not in {None, 1}:
        return "extra_body.n cannot be more than 1: the gateway reads one reply"
    try:
        json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        return "extra_body holds a value that JSON cannot represent (a date, a number that is not finite, half a character)"
    return None

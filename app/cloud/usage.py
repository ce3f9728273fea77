"""What a reply, or an event of a streamed reply, says about its cost and its model: one bounded reader, for charging and for showing.

It is read before anything else in the reply: a reply without a letter is paid for, too. Every function takes any JSON value
and raises nothing.
"""

import math
from typing import Any

from app.core.question import is_unicode

# More tokens than any model reads or writes in one call: nonsense from an endpoint must not overflow a counter.
MAX_TOKENS = 10_000_000
_MAX_NAME_CHARS, _MAX_COUNTS = 200, 16


def charged_usage(payload: Any) -> dict[str, int]:
    """`prompt_tokens` and `completion_tokens` to charge for, each from 0 to `MAX_TOKENS`; 0 for what the reply does not say.

    A count beyond the bound is charged as the bound. What `total_tokens` counts beyond the two (some endpoints leave a
    model's thinking out of them) was written by the model.
    """
    usage = _usage(payload)
    read, written, total = (_charge(usage.get(name)) for name in ("prompt_tokens", "completion_tokens", "total_tokens"))
    return {"prompt_tokens": read, "completion_tokens": max(written, total - read)}


def shown_usage(payload: Any) -> dict[str, int]:
    """The endpoint's own counts by its own names, for the caller: whole numbers from 0 to `MAX_TOKENS`, sixteen at most.

    Everything else, and a count whose name is no identifier of up to 200 ASCII characters, is left out.
    """
    shown: dict[str, int] = {}
    for name, count in _usage(payload).items():
        if type(count) is int and 0 <= count <= MAX_TOKENS and len(name) <= _MAX_NAME_CHARS and name.isascii() and name.isidentifier():
            shown[name] = count
            if len(shown) == _MAX_COUNTS:
                break
    return shown


def read_model(payload: Any, asked: str) -> str:
    """The name of the model that answers, up to 200 characters; the one that was asked for where the reply has no such name."""
    model = payload.get("model") if isinstance(payload, dict) else None
    return model if isinstance(model, str) and model and len(model) <= _MAX_NAME_CHARS and is_unicode(model) else asked


def _usage(payload: Any) -> dict[str, Any]:
    usage = payload.get("usage") if isinstance(payload, dict) else None
    return usage if isinstance(usage, dict) else {}


def _charge(value: Any) -> int:
    # NaN is not greater than 0 either; a bool is an int to isinstance.
    return math.ceil(min(value, MAX_TOKENS)) if type(value) in {int, float} and value > 0 else 0

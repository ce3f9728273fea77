"""What a reply says of its cost, read before anything else in it is: a reply without a letter is paid for, too."""

import math
from typing import Any

# More tokens than any model reads or writes in one call: an endpoint's nonsense must not overflow a counter.
_MOST = 10_000_000


def usage_of(payload: Any) -> dict[str, int]:
    """`prompt_tokens` and `completion_tokens` of a chat completion, each from 0 to ten million; 0 for what it does not say.

    What `total_tokens` counts beyond the two (some endpoints leave a model's thinking out of them) was written by the model.
    Takes any JSON value and raises nothing.
    """
    usage = payload.get("usage") if isinstance(payload, dict) else None
    if not isinstance(usage, dict):
        usage = {}
    read, written, total = (_count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens", "total_tokens"))
    return {"prompt_tokens": read, "completion_tokens": max(written, total - read)}


def model_of(payload: Any, asked: str) -> str:
    """The name of the model that answers, or of the one that was asked where the reply does not say."""
    named = payload.get("model") if isinstance(payload, dict) else None
    return named if isinstance(named, str) and named else asked


def _count(value: Any) -> int:
    # NaN is not greater than 0 either; a bool is an int to isinstance.
    return math.ceil(min(value, _MOST)) if type(value) in {int, float} and value > 0 else 0

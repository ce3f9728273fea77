"""Whether a model thinks before it answers, by what the request asks for and by its name: such a model needs many more tokens."""

import re
from collections.abc import Mapping
from typing import Any

# By the last part of the name, lower case. Hybrid models stand here if they think unless they are told not to.
_THINK = re.compile(
    r"(?:^|[-_:])o[1-9](?:[-_:.]|$)|gpt-5(?!.*chat)|gpt-oss|thinking|reason|(?:^|[-_])r1(?:[-_:.]|$)|qwq|magistral|deepthink"
    r"|^qwen-?3(?!.*(?:instruct|coder|embed|rerank|max(?!.*thinking)))|^glm-(?:4\.[5-9]|[5-9]|z1)|minimax-m[1-9]|^gemini-(?:2\.5(?!.*lite)|[3-9])"
    r"|^grok-(?:3-mini|[4-9])|smollm3|exaone-deep|seed-oss|hunyuan-a13b|skywork-o1|marco-o1"
)
_NOT = re.compile(r"non-?(?:reasoning|thinking)|no-?think")
_OFF = frozenset({"none", "off", "disabled", "minimal", "false"})


def thinks(model: str, extra_body: Mapping[str, Any]) -> bool:
    """Whether a model thinks, guessed from what is known before the first reply.

    Args:
        model: name of the model at the endpoint.
        extra_body: fields of the request; one that turns thinking on or off decides.
    """
    template = extra_body.get("chat_template_kwargs")
    for fields in (extra_body, template if isinstance(template, Mapping) else {}):
        for name in ("enable_thinking", "thinking", "think", "reasoning", "reasoning_effort"):
            if (value := fields.get(name)) is not None:
                return _is_on(value)
    name = model.rstrip("/").rpartition("/")[2].lower()
    return _THINK.search(name) is not None and _NOT.search(name) is None


def _is_on(value: Any) -> bool:
    if isinstance(value, Mapping):
        told = [value[name] for name in ("type", "effort", "enabled") if name in value]
        return all(_is_on(one) for one in told)
    return value.lower() not in _OFF if isinstance(value, str) else bool(value)

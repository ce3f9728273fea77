"""What the mock cloud reads in a request: the question, and the call of a function that the user asks for in so many words.

The mock cloud holds no language model, so it calls a function only where the last user message says which and how, as in
`Call weather with {"city": "Almaty"}`, and the request offers a function of that name.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.strict_json import loads
from app.demo.bank import AskedQuestion, read_prompt

# A chat completion request has a few dozen, that of an agent some hundreds.
_MAX_VALUES = 20_000
_DIRECTIVE = re.compile(r"\bCall ([\w-]{1,64}) with (?=\{)")
_MAX_RESULT_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function.

    Attributes:
        name: name of the function.
        arguments: its arguments as JSON.
    """

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Chat:
    """What a request asks for.

    Attributes:
        prompt: text of the last user message.
        asked: question in it, if there is one.
        call: call of a function that it asks for, if it does.
        result: what a function returned, where the last message says that.
        streamed: whether the reply comes in events.
        with_usage: whether an event with the usage is wanted.
    """

    prompt: str
    asked: AskedQuestion | None
    call: Call | None
    result: str | None
    streamed: bool
    with_usage: bool


def chat_of(content: bytes) -> Chat:
    """The request in a body. Raises ValueError, KeyError, TypeError, AttributeError or StopIteration."""
    body = loads(content, max_values=_MAX_VALUES)
    prompt = _text(next(m["content"] for m in reversed(body["messages"]) if m["role"] == "user"))
    # A lone surrogate is no text; the letter is drawn from the text's bytes.
    prompt.encode()
    last = body["messages"][-1]
    result = _text(last["content"])[:_MAX_RESULT_CHARS] if last["role"] == "tool" else None
    options = body.get("stream_options")
    with_usage = isinstance(options, dict) and bool(options.get("include_usage"))
    call = _call(prompt, body) if result is None else None
    return Chat(prompt, read_prompt(prompt), call, result, bool(body.get("stream")), with_usage)


def _text(content: Any) -> str:
    """The text of a message; pictures are not looked at."""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("type") == "text")


def _call(prompt: str, body: Mapping[str, Any]) -> Call | None:
    found = _DIRECTIVE.search(prompt)
    if found is None or not body.get("tools") or body.get("tool_choice") == "none":
        return None
    names = [tool["function"]["name"] for tool in body["tools"]]
    # The gateway puts the name of a namespace in front.
    name = next((one for one in names if one == found[1] or one.endswith(f"__{found[1]}")), None)
    _, length = json.JSONDecoder().raw_decode(prompt[found.end() :])
    return None if name is None else Call(name, prompt[found.end() : found.end() + length])

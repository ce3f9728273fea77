"""Bodies for the faces of other clients, and the same with something changed at random: a value, a name, an item too many or too few."""

import copy
import json
import math

from app.api.decision import openai_form, sglang_form, systemone

_ASKED = "I am sure of this. Which colour comes first?\n\nA. red\nB. green\nC. blue"
_CHAT = [
    {"role": "system", "content": "Answer with the letter only."},
    {"role": "user", "content": [{"type": "text", "text": "Which colour does nobody know?\n\n1) red\n2) green"}]},
    {"role": "assistant", "content": "2"},
    {"role": "user", "content": _ASKED},
]
_SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string", "enum": ["A", "B", "C"]}, "confidence": {"anyOf": [{"type": "number"}, {"type": "null"}]}},
    "required": ["answer", "confidence"],
}
_FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"x": {"type": "string"}}}}
_FORM = {"type": "json_schema", "json_schema": {"name": "n", "schema": _SCHEMA, "strict": True}}
GOOD = {
    "/v1/chat/completions": [
        {
            "model": "foggate",
            "messages": _CHAT,
            "n": 1,
            "stop": ["\n\n"],
            "max_tokens": 50,
            "temperature": 0.5,
            "logprobs": True,
            "top_logprobs": 3,
        },
        {
            "model": "foggate-0.7",
            "messages": _CHAT[3:],
            "stream": True,
            "stream_options": {"include_usage": True},
            "response_format": _FORM,
        },
        {
            "model": "cloud",
            "messages": [*_CHAT, {"role": "tool", "tool_call_id": "1", "content": "x"}],
            "tools": [{"type": "function", "function": _FUNCTION}],
            "tool_choice": "auto",
        },
        {"model": "foggate", "messages": [{"role": "user", "content": "Write a poem."}], "stream": True, "seed": 1},
    ],
    "/v1/responses": [
        {
            "model": "foggate",
            "input": _ASKED,
            "instructions": "Be brief.",
            "max_output_tokens": 50,
            "temperature": 0,
            "reasoning": {"effort": "low"},
        },
        {
            "model": "edge",
            "input": [{"role": "user", "content": [{"type": "input_text", "text": _ASKED}]}],
            "stream": True,
            "text": {"format": {"type": "json_schema", "name": "n", "schema": _SCHEMA}},
        },
        {
            "model": "foggate",
            "input": [
                {"type": "message", "role": "user", "content": "Call f"},
                {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "1", "output": "x"},
            ],
            "tools": [
                {"type": "function", **_FUNCTION, "strict": False},
                {"type": "namespace", "name": "n", "tools": [{"type": "function", **_FUNCTION}]},
            ],
            "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
            "stream": True,
        },
    ],
    "/v1/systemone": [systemone.EXAMPLE, {**systemone.EXAMPLE, "state": {"sure": [1, 2.5, None]}, "model": "foggate-0.3"}],
    "/v1/decisions": [
        openai_form.EXAMPLE,
        sglang_form.EXAMPLE,
        {**openai_form.EXAMPLE, "input": [{"role": "user", "content": [{"type": "input_json", "data": {"a": [1]}}]}]},
    ],
}
VALUES = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        0.5,
        10**400,
        -(10**30),
        math.nan,
        math.inf,
        "",
        " ",
        "x",
        "auto",
        "none",
        "\ud800",
        "\u2028",
        "A. x\nB. y",
        "x" * 3_000,
    ),
    *(
        [],
        {},
        [[]],
        [None],
        ["x"],
        {"": None},
        {"type": "text", "text": "x"},
        {"type": []},
        [{}],
        {"\ud800": 1},
        "sure",
        "long",
        "poison",
        _ASKED,
    ),
)


def mutant(draw, path):
    """One of the bodies of a path with up to four changes; as JSON, in which `NaN` may stand."""
    body = copy.deepcopy(draw.choice(GOOD[path]))
    for _ in range(draw.choice((0, 1, 1, 1, 2, 4))):
        _change(draw, body)
    return json.dumps(body).encode()


def _change(draw, body):
    holder = draw.choice(_holders(body))
    if isinstance(holder, dict):
        name = draw.choice([*holder, "unheard_of"])
        if draw.random() < 0.2:
            holder.pop(name, None)
        elif draw.random() < 0.2:
            holder[draw.choice(("type", "role", "content", "name", "\ud800", "x" * 500))] = draw.choice(VALUES)
        else:
            holder[name] = copy.deepcopy(draw.choice(VALUES))
    elif draw.random() < 0.3 and holder:
        holder.append(copy.deepcopy(draw.choice(holder)))
    elif draw.random() < 0.3 and holder:
        holder.pop()
    else:
        holder[:1] = [copy.deepcopy(draw.choice(VALUES))]


def _holders(value):
    """Every object and list of a body."""
    found = [value]
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, (dict, list)):
            found += _holders(inner)
    return found

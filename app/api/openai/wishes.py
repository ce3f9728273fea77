"""The parameters of a request that a multiple-choice question can honour, and those that it cannot.

Nothing that could change an answer is ignored without a word. A parameter is honoured; or it has no effect on the one most probable
answer, and the reply names it as ignored; or the cascade cannot do what it asks for, and the request is passed on to the cloud or
refused with the parameter's name.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.errors import InvalidQuestion

MAX_TOP_LOGPROBS = 20
_MAX_STOPS, _MAX_STOP_CHARS = 16, 1_000
_HONOURED = frozenset(
    {"stop", "max_tokens", "max_completion_tokens", "logprobs", "top_logprobs", "response_format", "n", "tools", "functions"}
)
# They say how a reply is stored, billed, scheduled or worded, or what is shown of it; the letter stays the same.
_WITHOUT_EFFECT = frozenset(
    {
        "metadata",
        "parallel_tool_calls",
        "prompt_cache_key",
        "prompt_cache_retention",
        "reasoning_effort",
        "safety_identifier",
        "seed",
        "service_tier",
        "store",
        "user",
        "verbosity",
    }
)
# How a model draws its tokens, each with the values that change nothing. The cascade draws nothing: it gives the most probable answer.
_SAMPLING: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "min_p": (0,),
    "presence_penalty": (0,),
    "repetition_penalty": (1,),
    "temperature": (0,),
    "top_k": (-1, 0, 1),
    "top_p": (1,),
    "typical_p": (1,),
}
# What a field asks for by an empty value is nothing, except for these: an empty object asks for a search in the web, and a field that is
# honoured has a type.
_EMPTY: tuple[Any, ...] = ([], {}, "")
_NEVER_EMPTY = frozenset({"web_search_options", "logprobs", "max_completion_tokens", "max_tokens", "n", "response_format", "top_logprobs"})


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a request asks for beside its question.

    Attributes:
        stop: texts at the first of which the reply ends.
        most_tokens: the largest number of tokens of the reply; None for no bound.
        most_tokens_name: name of the parameter that set it.
        top_logprobs: how many alternatives are wanted at each token; None where no log-probabilities are.
        response_format: the format that the reply must have; None for any.
        ignored: names of parameters that have no effect on the answer.
        beyond: name of a parameter that asks for something that the cascade cannot do; None where there is none.
    """

    stop: tuple[str, ...] = ()
    most_tokens: int | None = None
    most_tokens_name: str = "max_tokens"
    top_logprobs: int | None = None
    response_format: Mapping[str, Any] | None = None
    ignored: tuple[str, ...] = ()
    beyond: str | None = None


def wishes_of(fields: Mapping[str, Any]) -> Wishes:
    """What the fields of a request ask for.

    Args:
        fields: every field but the model, the messages and those of the stream.

    Raises:
        InvalidQuestion: a field that is honoured has another type, or a value out of its range.
    """
    fields = {name: value for name, value in fields.items() if _asks(name, value)}
    bounds = {name: most for name in ("max_completion_tokens", "max_tokens") if (most := _whole(fields, name, 1)) is not None}
    # A request that sets both says more than OpenAI takes; a reply within the smaller one is within both.
    most_name = min(bounds, key=bounds.__getitem__, default="max_tokens")
    return Wishes(
        stop=_stop(fields),
        most_tokens=bounds.get(most_name),
        most_tokens_name=most_name,
        top_logprobs=_top_logprobs(fields),
        response_format=_response_format(fields),
        ignored=_ignored(fields),
        beyond=_beyond(fields),
    )


def _asks(name: str, value: Any) -> bool:
    """Whether a field asks for anything at all."""
    return value is not None and (name in _NEVER_EMPTY or name in _SAMPLING or value not in _EMPTY)


def _ignored(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """The parameters of sampling that ask for something. Raises InvalidQuestion for one that is no number."""
    for name in _SAMPLING:
        value = fields.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise InvalidQuestion(f"{name} must be a finite number", param=name)
    return tuple(name for name, neutral in _SAMPLING.items() if name in fields and fields[name] not in neutral)


def _beyond(fields: Mapping[str, Any]) -> str | None:
    """The first parameter that asks for what a letter cannot give."""
    if (_whole(fields, "n", 1) or 1) > 1:
        # The same letter several times would look like several models that agree.
        return "n"
    uses_tools = fields.get("tool_choice") != "none" and fields.get("function_call") != "none"
    for name, value in fields.items():
        if name in {"tools", "functions"}:
            if uses_tools:
                return name
        elif name in {"tool_choice", "function_call"}:
            if value not in {"none", "auto"} if isinstance(value, str) else True:
                return name
        elif name == "modalities":
            if value != ["text"]:
                return name
        elif name not in _HONOURED and name not in _WITHOUT_EFFECT and name not in _SAMPLING:
            return name
    return None


def _stop(fields: Mapping[str, Any]) -> tuple[str, ...]:
    given = fields.get("stop", [])
    stops = [given] if isinstance(given, str) else given
    if not isinstance(stops, list) or len(stops) > _MAX_STOPS or not all(_is_stop(one) for one in stops):
        raise InvalidQuestion(f"stop must be a text or a list of up to {_MAX_STOPS} texts, none of them empty", param="stop")
    return tuple(stops)


def _is_stop(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_STOP_CHARS


def _top_logprobs(fields: Mapping[str, Any]) -> int | None:
    wanted = fields.get("logprobs", False)
    if not isinstance(wanted, bool):
        raise InvalidQuestion("logprobs must be true or false", param="logprobs")
    number = _whole(fields, "top_logprobs", 0, MAX_TOP_LOGPROBS)
    if not wanted:
        if number:
            raise InvalidQuestion("top_logprobs needs logprobs: true", param="top_logprobs")
        return None
    return number or 0


def _response_format(fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    given = fields.get("response_format")
    if given is None:
        return None
    kinds: dict[str, Callable[[Mapping[str, Any]], bool]] = {
        "text": lambda _: True,
        "json_object": lambda _: True,
        "json_schema": lambda form: isinstance(form.get("json_schema"), dict) and isinstance(form["json_schema"].get("schema"), dict),
    }
    kind = given.get("type") if isinstance(given, dict) else None
    if not isinstance(kind, str) or kind not in kinds or not kinds[kind](given):
        raise InvalidQuestion(
            "response_format must be {'type': 'text'}, {'type': 'json_object'}, or {'type': 'json_schema', 'json_schema': {'schema': …}}",
            param="response_format",
        )
    return None if kind == "text" else given


def _whole(fields: Mapping[str, Any], name: str, least: int, most: int | None = None) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if type(value) is not int or value < least or (most is not None and value > most):
        bounds = f"at least {least}" if most is None else f"from {least} to {most}"
        raise InvalidQuestion(f"{name} must be a whole number, {bounds}", param=name)
    return value

"""The tools of a response request as those of a chat completion, and the calls of a chat completion as those of a response.

Only functions of the caller's own can be called: nothing is searched, executed or stored here. Agents group functions in namespaces,
which a chat completion does not know: the name of the namespace becomes a part of the function's name, and is taken off again.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.core.errors import InvalidQuestion, Unsupported

_MAX_TOOLS = 1_000
# The longest name that OpenAI's chat completions take for a function.
_MAX_NAME_CHARS = 64
_DIGEST_CHARS = 8
_MODES = ("none", "auto", "required")


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of one request.

    Attributes:
        fields: `tools`, `tool_choice` and `parallel_tool_calls` of the chat completion.
        shown: the tools that are in force, as the request describes them; the reply repeats them.
        choice: the choice of a tool as the request has it; the reply repeats it.
        places: namespace and name of each function, by its name in the chat completion; the namespace is None where it has none.
        ignored: what of the request has no effect.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    shown: Sequence[Mapping[str, Any]] = ()
    choice: Any = "auto"
    places: Mapping[str, tuple[str | None, str]] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()

    @property
    def parallel(self) -> bool:
        """Whether several functions may be called at once."""
        return bool(self.fields.get("parallel_tool_calls", True))

    def called(self, name: str) -> dict[str, str]:
        """Name, and namespace where there is one, of the function that a chat completion calls by this name."""
        namespace, own = self.places.get(name, (None, name))
        return {"name": own} if namespace is None else {"name": own, "namespace": namespace}


def chat_name(namespace: Any, name: str) -> str:
    """The name in a chat completion of a function in a namespace; the same for the same two names in every request."""
    if not isinstance(namespace, str) or not namespace:
        return name
    joined = f"{namespace}__{name}"
    if len(joined) <= _MAX_NAME_CHARS:
        return joined
    digest = hashlib.sha256(joined.encode("utf-8", "replace")).hexdigest()[:_DIGEST_CHARS]
    return f"{joined[: _MAX_NAME_CHARS - _DIGEST_CHARS - 1]}_{digest}"


def tools_of(fields: Mapping[str, Any]) -> Tools:
    """The tools that a request offers.

    Args:
        fields: the fields of the request by their names.

    Raises:
        InvalidQuestion: a tool, or the choice of one, is not described as the interface has it.
        Unsupported: a tool that is no function, or a choice of one.
    """
    given, choice, parallel = (fields.get(name) for name in ("tools", "tool_choice", "parallel_tool_calls"))
    given = [] if given is None else given
    if not isinstance(given, list) or len(given) > _MAX_TOOLS:
        raise InvalidQuestion(f"tools must be a list of up to {_MAX_TOOLS} tools", param="tools")
    if parallel is not None and not isinstance(parallel, bool):
        raise InvalidQuestion("parallel_tool_calls must be true or false", param="parallel_tool_calls")
    found = _Found()
    for number, tool in enumerate(given):
        found.take(tool, f"tools.{number}", unused=choice == "none")
    if not found.functions:
        if found.ignored:
            raise _no_function("tools.0", given[0]["type"])
        if choice not in (None, "none", "auto"):
            raise InvalidQuestion("tool_choice needs tools", param="tool_choice")
        return Tools()
    functions, wanted = _chosen(choice, found.functions)
    said: dict[str, Any] = {"tools": functions}
    said |= {} if wanted is None else {"tool_choice": wanted}
    said |= {} if parallel is None else {"parallel_tool_calls": parallel}
    return Tools(said, found.shown, choice or "auto", found.places, tuple(found.ignored))


@dataclass(slots=True)
class _Found:
    """What has been found in the list of tools so far: functions in the form of a chat completion, and the rest as in `Tools`."""

    functions: list[dict[str, Any]] = field(default_factory=list)
    shown: list[Mapping[str, Any]] = field(default_factory=list)
    places: dict[str, tuple[str | None, str]] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)

    def take(self, tool: Any, place: str, *, unused: bool) -> None:
        """Take up a tool; one that is no function is left out where none may be called. Raises InvalidQuestion or Unsupported."""
        kind = tool.get("type") if isinstance(tool, dict) else None
        if not isinstance(kind, str):
            raise InvalidQuestion(f"{place} must be an object with a type", param=place)
        if kind == "function":
            self._add(tool, None, place)
        elif kind == "namespace":
            inner = tool.get("tools")
            if not isinstance(tool.get("name"), str) or not isinstance(inner, list) or len(inner) > _MAX_TOOLS:
                raise InvalidQuestion(f"{place} must have a name and a list of tools", param=place)
            for number, one in enumerate(inner):
                if not isinstance(one, dict) or one.get("type") != "function":
                    raise _no_function(f"{place}.tools.{number}", one.get("type") if isinstance(one, dict) else None)
                self._add(one, tool["name"], f"{place}.tools.{number}")
        elif unused or (kind == "web_search" and tool.get("external_web_access") is False):
            # Codex declares this search in every request. It is one in the provider's own index, without access to the web.
            self.ignored += [] if unused else [f"tools.{kind}"]
            return
        else:
            raise _no_function(place, kind)
        self.shown.append(tool)

    def _add(self, tool: Mapping[str, Any], namespace: str | None, place: str) -> None:
        own = tool.get("name")
        if not isinstance(own, str) or not own:
            raise InvalidQuestion(f"{place}.name must be a text", param=f"{place}.name")
        name = chat_name(namespace, own)
        if name in self.places:
            raise InvalidQuestion(f"{place}: two functions have the name '{name[:64]}'", param=f"{place}.name")
        self.places[name] = (namespace, own)
        described = {key: tool[key] for key in ("description", "parameters") if tool.get(key) is not None}
        strict = {"strict": True} if tool.get("strict") is True else {}
        self.functions.append({"type": "function", "function": {"name": name, **described, **strict}})


def _no_function(place: str, kind: Any) -> Unsupported:
    """The refusal of a tool that this gateway does not have."""
    name = kind[:64] if isinstance(kind, str) else "unnamed"
    how = '; in Codex, set web_search = "disabled"' if name.startswith("web_search") else ""
    return Unsupported(f"{place}: tools of the type {name} are not supported here, only functions{how}", param=place)


def _chosen(choice: Any, functions: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], Any]:
    """The functions that may be called, and `tool_choice` of the chat completion. Raises InvalidQuestion or Unsupported."""
    if choice is None or (isinstance(choice, str) and choice in _MODES):
        return functions, choice
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind == "function":
        return functions, _named(choice, functions, "tool_choice")
    if kind == "allowed_tools" and choice.get("mode") in _MODES and isinstance(choice.get("tools"), list) and choice["tools"]:
        wanted = [_named(one, functions, "tool_choice.tools")["function"]["name"] for one in choice["tools"]]
        return [one for one in functions if one["function"]["name"] in wanted], choice["mode"]
    if isinstance(kind, str) and kind != "allowed_tools":
        raise _no_function("tool_choice", kind)
    raise InvalidQuestion("tool_choice must be none, auto, required, a function, or a list of allowed tools", param="tool_choice")


def _named(choice: Any, functions: list[dict[str, Any]], place: str) -> dict[str, Any]:
    """The choice of one function in the form of a chat completion. Raises InvalidQuestion or Unsupported."""
    if not isinstance(choice, dict) or choice.get("type") != "function":
        raise _no_function(place, choice.get("type") if isinstance(choice, dict) else None)
    name = choice.get("name")
    name = chat_name(choice.get("namespace"), name) if isinstance(name, str) else None
    if name not in {one["function"]["name"] for one in functions}:
        raise InvalidQuestion(f"{place} names a function that is not among the tools", param=place)
    return {"type": "function", "function": {"name": name}}

"""An answer as a JSON object of a caller's schema (`response_format`): its letter, its option's text, and nothing invented.

A schema is filled where each property that it requires is one of these, or may be null. A property that asks for something else (a
reasoning, a summary) cannot be filled by a model that writes one letter, so such a schema is refused before anybody is asked.
"""

from collections.abc import Mapping
from typing import Any

from app.core.errors import Unsupported
from app.core.outcome import Outcome
from app.recognise import Recognised

_LETTER = frozenset(
    {
        "answer",
        "answer_letter",
        "choice",
        "correct_answer",
        "correct_option",
        "final_answer",
        "label",
        "letter",
        "option",
        "selected_option",
    }
)
_TEXT = frozenset({"answer_text", "choice_text", "option_text", "text"})
_CONFIDENCE = "confidence"
_MAX_PROPERTIES = 32
# An enum with more values than this is none of options, and would take long to look through.
_MAX_CHOICES = 256
# Keywords that say something to people and narrow nothing. Any keyword that is not known here may narrow what a schema takes.
_NOTES = frozenset(
    {"$comment", "$id", "$schema", "default", "deprecated", "description", "example", "examples", "readOnly", "title", "writeOnly"}
)
_OF_OBJECT = _NOTES | {"$defs", "additionalProperties", "definitions", "properties", "required", "type"}
_OF_VALUE = _NOTES | {"const", "enum", "type"}
_OF_CONFIDENCE = _NOTES | {"maximum", "minimum", "type"}
_NONE = object()


def filled(schema: Mapping[str, Any], found: Recognised, outcome: Outcome | None = None, *, letter: str = "A") -> dict[str, Any]:
    """The object of a schema for an answer; without an outcome, one for an option, to see whether the schema can be filled.

    Args:
        schema: a JSON schema of an object.
        found: the question as the chat asked it.
        outcome: its answer.
        letter: letter of the option, where there is no outcome.

    Raises:
        Unsupported: a required property asks for something that an answer does not have, or no property for the answer itself.
    """
    properties, required = _described(schema)
    definitions = schema.get("$defs", schema.get("definitions", {}))
    letter = outcome.answer if outcome else letter
    made: dict[str, Any] = {}
    has_answer = False
    for name, described in properties.items():
        kinds = _kinds(described, definitions)
        value = _value(name.lower(), kinds, found, letter)
        if value is _NONE and name.lower() == _CONFIDENCE and outcome is not None:
            value = _confidence(kinds, outcome)
        elif value is not _NONE:
            has_answer = True
        if value is _NONE:
            if any(_takes_null(kind) for kind in kinds):
                value = None
            elif name in required:
                raise _refusal(f"an answer has nothing to put into '{name[:64]}'" + _why(name))
            else:
                continue
        made[name] = value
    if missing := [name for name in required if name not in made]:
        raise _refusal(f"'{missing[0][:64]}' is required and not described")
    if not has_answer:
        raise _refusal("none of its properties can hold the answer: call one of them 'answer'")
    return made


def _described(schema: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The properties of a schema, and the names of those that are required. Raises Unsupported."""
    properties, required = schema.get("properties"), schema.get("required", [])
    if (
        schema.get("type") != "object"
        or not isinstance(properties, dict)
        or not isinstance(required, list)
        or not all(isinstance(name, str) for name in required)
        or len(properties) > _MAX_PROPERTIES
    ):
        raise _refusal("its schema is not that of an object with properties")
    if unknown := sorted(schema.keys() - _OF_OBJECT):
        raise _refusal(f"'{unknown[0][:64]}' of its schema is not understood here")
    return properties, required


def _kinds(described: Any, definitions: Any) -> list[Mapping[str, Any]]:
    """The schemas of which a value may be one."""
    if not isinstance(described, dict):
        return []
    if isinstance(reference := described.get("$ref"), str):
        named = definitions.get(reference.rpartition("/")[2]) if isinstance(definitions, dict) else None
        # One step is enough for what libraries write, and a reference to itself ends here.
        return [named] if isinstance(named, dict) and "$ref" not in named and not described.keys() - _NOTES - {"$ref"} else []
    if isinstance(several := described.get("anyOf"), list):
        if described.keys() - _NOTES - {"anyOf"}:
            return []
        return [kind for one in several if isinstance(one, dict) and "anyOf" not in one for kind in _kinds(one, definitions)]
    if isinstance(types := described.get("type"), list):
        return [{**described, "type": one} for one in types]
    return [described]


def _value(name: str, kinds: list[Mapping[str, Any]], found: Recognised, letter: str) -> Any:
    """The label or the option's text, where one of the schemas takes any that could be the answer; else `_NONE`."""
    label, text = found.label(letter), found.question.text_of(letter)
    for kind in kinds:
        if kind.keys() - _OF_VALUE or kind.get("type", "string") != "string":
            continue
        choices = [kind["const"]] if "const" in kind else kind.get("enum")
        if isinstance(choices, list):
            if len(choices) > _MAX_CHOICES:
                continue
            # Whichever option is the answer, the schema must have a place for it.
            if all(one in choices for one in found.labels):
                return label
            if all(one in choices for one in found.question.options):
                return text
        elif "type" in kind and name in _LETTER:
            return label
        elif "type" in kind and name in _TEXT:
            return text
    return _NONE


def _takes_null(kind: Mapping[str, Any]) -> bool:
    choices = [kind["const"]] if "const" in kind else kind.get("enum", [None])
    return kind.get("type") == "null" and isinstance(choices, list) and None in choices


def _confidence(kinds: list[Mapping[str, Any]], outcome: Outcome) -> Any:
    """The confidence that the edge model states of its own answer, where a number is asked for; else `_NONE`."""
    stated = outcome.edge.verdict.confidence if outcome.edge and outcome.cloud is None else None
    bounded = {"minimum": (0, None), "maximum": (1, None)}
    for kind in kinds:
        fits = all(kind.get(keyword) in allowed for keyword, allowed in bounded.items())
        if stated is not None and kind.get("type") == "number" and fits and not kind.keys() - _OF_CONFIDENCE:
            return stated
    return _NONE


def _why(name: str) -> str:
    if name.lower() != _CONFIDENCE:
        return ""
    return ": an answer of the cloud has no confidence, so let the property be null"


def _refusal(reason: str) -> Unsupported:
    return Unsupported(f"response_format cannot be filled with the answer to a multiple-choice question: {reason}", param="response_format")

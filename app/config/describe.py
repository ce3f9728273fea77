"""The settings described for people, from the declarations in `app/config/sections/`: a YAML file, tables for the documentation, a list.

`make docs` writes the first two into `config/gateway.yaml` and `docs/configuration.md`; `foggate config show --help-all` prints the list.
"""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from pydantic import BaseModel

from app.config.settings import Settings
from app.config.tree import ANY_NAME, Kind, Node, env_name, nodes

_YAML_HEAD = """\
# Every setting with its default; a comment describes the setting below it. Run: foggate serve --config config/gateway.yaml
# Each setting can be set in the environment too, as FOGGATE_ and the path with __ for each dot: FOGGATE_POLICY__TAU=0.75. Secrets are
# read from the environment only. More: docs/configuration.md.
# This file is generated: change a description or a default in app/config/sections/, then run make docs.
"""
_TABLE_HEAD = "| setting | values | default | reload | meaning |\n|---|---|---|---|---|\n"
_WIDTH = 120
_TYPES = {"integer": "integer", "number": "number", "boolean": "`true`, `false`"}
_FORMATS = {"uri": "URL", "path": "path", "password": "secret text"}


@dataclass(frozen=True, slots=True)
class Described:
    """A setting for people; texts may hold Markdown.

    Attributes:
        path: path in a YAML file; `<name>` stands for a name that the user chooses.
        values: type or the possible values.
        default: default value as YAML; empty where one must be given.
        description: meaning, unit, and what 0 or null means.
        variable: environment variable.
        reload: whether a reload puts a new value in force.
    """

    path: str
    values: str
    default: str
    description: str
    variable: str
    reload: bool


def described() -> list[Described]:
    """Every setting, in the order of their declarations."""
    return [_described(node) for node in nodes(Settings) if node.is_setting]


def yaml_file() -> str:
    """A commented configuration file with all defaults. Secrets and what stands under names of the user's choice are comments."""
    lines = []
    for node in nodes(Settings):
        if ANY_NAME in node.path:
            continue
        indent = "  " * node.path.count(".")
        if not indent:
            lines.append("")
        lines += _wrapped(_comment(node), f"{indent}# ", _WIDTH)
        lines += [f"{indent}# Example: {_as_yaml({node.name: example})[1:-1]}" for example in node.field.examples or ()]
        if node.kind is Kind.SECTION:
            lines.append(f"{indent}{node.name}:")
        elif node.secret:
            lines.append(f"{indent}# {node.name}: set {env_name(node.path)}")
        else:
            lines.append(f"{indent}{node.name}: {_as_yaml(_default(node))}")
    return _YAML_HEAD + "\n".join(lines) + "\n"


def markdown_tables() -> str:
    """A table of settings for each section, with the section's description above it; settings outside of sections come last."""
    texts, rows = dict[str, str](), dict[str, list[str]]()
    for node in nodes(Settings):
        if node.is_setting:
            rows.setdefault(node.parent, []).append(_row(_described(node)))
        else:
            texts[node.path + (f".{ANY_NAME}" if node.kind is Kind.ENTRIES else "")] = _with_example(node)
    parts = [f"### `{path}`\n\n{text}\n\n{_TABLE_HEAD}{''.join(rows[path])}" for path, text in texts.items()]
    return "\n".join([*parts, f"### Outside of sections\n\n{_TABLE_HEAD}{''.join(rows[''])}"])


def list_for_terminal(width: int = 100) -> Iterator[str]:
    """Every setting as lines of text: path, then type, default, variable and whether a reload changes it, then the description.

    Args:
        width: characters of a line at most.
    """
    for one in described():
        facts = [
            _plain(one.values),
            f"default {one.default}" if one.default else "required",
            one.variable,
            "changed by a reload" if one.reload else "needs a restart",
        ]
        yield one.path
        for text in ("; ".join(facts), _plain(one.description)):
            yield from _wrapped(text, "    ", width)
        yield ""


def _described(node: Node) -> Described:
    return Described(
        node.path,
        _values(_schema(node)),
        "" if node.field.is_required() else _as_yaml(_default(node)),
        _with_example(node) + (f" Environment only: `{env_name(node.path)}`." if node.secret else ""),
        env_name(node.path),
        node.reload,
    )


def _row(one: Described) -> str:
    cells = (f"`{one.path}`", one.values, f"`{one.default}`" if one.default else "required", "yes" if one.reload else "no", one.description)
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |\n"


def _schema(node: Node) -> dict[str, Any]:
    schema: dict[str, Any] = _properties(node.model)[node.name]
    return schema


@cache
def _properties(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    enums = {f"#/$defs/{name}": part for name, part in schema.get("$defs", {}).items() if "enum" in part}
    return {name: _with_enums(part, enums) for name, part in schema["properties"].items()}


def _with_enums(schema: dict[str, Any], enums: dict[str, Any]) -> dict[str, Any]:
    """The schema of a setting with the values of an enumeration in place of the reference to it."""
    if "anyOf" in schema:
        return {**schema, "anyOf": [_with_enums(option, enums) for option in schema["anyOf"]]}
    reference = schema.get("$ref")
    return {**schema, **enums[reference]} if reference in enums else schema


def _default(node: Node) -> Any:
    return _schema(node).get("default")


def _values(schema: dict[str, Any]) -> str:
    """The type of a setting, or its possible values, from its JSON schema."""
    if "anyOf" in schema:
        return ", ".join("`null`" if option.get("type") == "null" else _values(option) for option in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "")
    if kind == "array":
        return f"list of {_values(schema['items'])}s"
    if kind == "object":
        return "names with texts" if schema.get("additionalProperties") == {"type": "string"} else "names with any values"
    if kind == "string":
        return _FORMATS.get(schema.get("format", ""), "text")
    return _TYPES[kind] + _bounds(schema)


def _bounds(schema: dict[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above = schema.get("exclusiveMinimum")
    if above is not None:
        return f" above {above:g}" + (f", at most {high:g}" if high is not None else "")
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    return f" ≥ {low:g}" if low is not None else ""


def _comment(node: Node) -> str:
    """The description for a comment in YAML, with the possible values where they are few and the description does not name them all."""
    text = node.field.description or ""
    schema = _schema(node)
    if node.kind is Kind.VALUE and _has_choices(schema) and any(choice not in text for choice in _values(schema).split(", ")):
        return f"{text} One of {_values(schema)}."
    return text


def _has_choices(schema: dict[str, Any]) -> bool:
    return "enum" in schema or any(_has_choices(option) for option in schema.get("anyOf", ()))


def _with_example(node: Node) -> str:
    text = node.field.description or ""
    return text + "".join(f" Example: `{_as_yaml(example)}`." for example in node.field.examples or ())


def _as_yaml(value: Any) -> str:
    """A value on one line of YAML."""
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")


def _wrapped(text: str, before: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=before, subsequent_indent=before, break_on_hyphens=False, break_long_words=False)


def _plain(text: str) -> str:
    return text.replace("`", "")

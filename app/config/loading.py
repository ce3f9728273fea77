"""Reading the configuration: defaults < YAML file < environment (`FOGGATE_A__B`), with a sentence for each error.

Secrets come from the environment only. This module validates; it never reads a model, a socket or a calibration.
"""

import difflib
import os
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from app.config.masking import mask_model, mask_text
from app.config.settings import Settings
from app.config.tree import ANY_NAME, Kind, env_name, kind_of, nodes
from app.config.variables import unknown_variables
from app.core.errors import ConfigError
from app.data.files import NotText, read_text

_SECTION = "a section of settings belongs there, as in '{path}: {{{setting}: …}}'"
# In place of pydantic's own words, where those are about Python.
_PLAIN = {
    "dict_type": "a mapping belongs there, as in '{name: …}'",
    "list_type": "a list belongs there, as in '[a, b]'",
    "path_type": "the path of a file or a folder belongs there",
    "url_parsing": "an address belongs there that begins with http:// or https://",
    "url_scheme": "an address belongs there that begins with http:// or https://",
}


def load_settings(path: Path | None = None, *, refuse_empty: bool = False) -> Settings:
    """Read the YAML file, if one is named, and the environment.

    Args:
        path: the YAML file.
        refuse_empty: whether an empty file is an error. At a reload it is: the file is probably being written at this moment, and its
            defaults would replace a whole configuration. `{}` means all defaults in any case.

    Raises:
        ConfigError: one sentence a line: what is wrong and, for an unknown key, the closest valid one.
    """
    from_file = read_yaml(path, refuse_empty=refuse_empty) if path else {}
    try:
        secrets = _secrets_in(from_file, {node.name for node in nodes(Settings) if node.secret})
    except RecursionError:
        raise ConfigError(f"the configuration file {path} is nested too deeply, or an anchor in it stands for itself") from None
    for secret in secrets:
        raise ConfigError(f"{secret} is a secret and is read from the environment only ({env_name(secret)})")
    unknown_variables(os.environ)
    # pydantic-settings takes names with an underscore as its own arguments, and other types of keys are no arguments.
    for key in from_file:
        if not isinstance(key, str) or key.startswith("_"):
            raise ConfigError(mask_text(f"unknown setting '{key}'"))
    try:
        return Settings(**_without_null(from_file, Settings))
    except ValidationError as error:
        raise ConfigError(sentences(error, Settings)) from None
    except ValueError as error:  # a nested environment value that is not JSON
        raise ConfigError(mask_text(str(error.__cause__ or error))) from None


def _without_null(content: dict[str, Any], model: type[BaseModel], path: str = "") -> dict[str, Any]:
    """What a file sets: `cloud:` with nothing but comments beneath it sets no section, and `port:` alone sets no port.

    Raises:
        ConfigError: a value stands where a section belongs; without this check the environment would replace it silently.
    """
    found = {}
    for key, value in content.items():
        field = model.model_fields.get(key)
        kind, part = kind_of(field) if field is not None else (Kind.VALUE, None)
        if part is not None and kind is Kind.SECTION and value is not None:
            if not isinstance(value, dict):
                raise ConfigError(f"{path}{key}: {_SECTION.format(path=key, setting=next(iter(part.model_fields)))}")
            found[key] = _without_null(value, part, f"{path}{key}.")
        elif value is not None or field is None:
            found[key] = value
    return found


def _secrets_in(content: Any, names: AbstractSet[str], path: str = "") -> list[str]:
    """Paths of secrets in a file, at any depth.

    Args:
        content: content of the file, or of a part of it.
        names: names of the settings that are secrets.
        path: path of that part, with a dot at its end.
    """
    if not isinstance(content, dict):
        return []
    found = [f"{path}{key}" for key in content if key in names]
    return found + [secret for key, value in content.items() for secret in _secrets_in(value, names, f"{path}{key}.")]


def setting_paths(model: type[BaseModel] = Settings) -> list[str]:
    """The path of every setting in a YAML file; `<name>` stands for a name that the user chooses."""
    return [node.path for node in nodes(model) if node.is_setting]


def masked(settings: Settings) -> dict[str, Any]:
    """The settings as plain data for people, secrets masked (`app/config/masking.py`)."""
    return mask_model(settings)


class _Loader(yaml.SafeLoader):
    """The safe loader, which refuses a key that stands twice: of two sections `policy` the first would be lost silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node. Raises ConstructorError for a key that stands twice."""
        seen = set[str]()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge" and isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"the key '{key.value}' stands twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, *, refuse_empty: bool = False) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Args:
        path: the file.
        refuse_empty: whether a file without any text is an error; otherwise it is an empty mapping.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or holds no mapping.
    """
    try:
        text = read_text(path)
        content = yaml.load(text, _Loader)  # noqa: S506  # a safe loader
    except (OSError, NotText) as error:
        raise ConfigError(f"the configuration file {path} cannot be read ({error})") from None
    except RecursionError:
        raise ConfigError(f"the configuration file {path} is nested too deeply") from None
    except yaml.YAMLError as error:
        # The error's own text quotes the file, which may hold a password in a URL.
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"the configuration file {path} is not YAML ({getattr(error, 'problem', None) or 'unreadable'}{where})") from None
    if refuse_empty and not text.strip():
        raise ConfigError(f"the configuration file {path} is empty: is it being written? To set every default, write {{}} into it")
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"the configuration file {path} must hold a mapping of settings")
    return content


def sentences(error: ValidationError, model: type[BaseModel]) -> str:
    """What is wrong, one sentence a line, and for an unknown key the closest valid one of that model."""
    found = _of_alternatives([dict(item) for item in error.errors(include_input=False)])
    return "\n".join(mask_text(_sentence(item, setting_paths(model))) for item in found)


def _of_alternatives(errors: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Errors of which those of a setting that takes a number or a word are one: pydantic has one for each, under a name of its own."""
    words = {item["loc"][:-1]: item["ctx"]["expected"] for item in errors if str(item["loc"][-1]).startswith("literal[")}
    merged = []
    for item in errors:
        at = item["loc"][:-1]
        if at not in words:
            merged.append(item)
        elif not str(item["loc"][-1]).startswith("literal["):
            merged.append(item | {"loc": at, "msg": f"{_PLAIN.get(item['type'], item['msg'])}, or {words[at]}", "type": "alternatives"})
    return merged


def _sentence(error: dict[str, Any], paths: list[str]) -> str:
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] == "model_type":
        return f"{path}: {_SECTION.format(path=error['loc'][-1], setting=_first_setting(error['loc'], paths))}"
    if error["type"] != "extra_forbidden":
        return f"{path}: {_PLAIN.get(error['type'], str(error['msg']).removeprefix('Value error, '))}"
    # The closest name among its siblings, then anywhere: `tau: 0.3` at the top was meant as policy.tau.
    parent, _, key = path.rpartition(".")
    siblings = [p for p in {".".join(full.split(".")[: path.count(".") + 1]) for full in paths} if p.rpartition(".")[0] == parent]
    if "." in str(error["loc"][-1]) and path in paths:
        return f"unknown setting '{path}': a key has no dots; write '{key}' beneath '{parent}:'"
    close = (
        difflib.get_close_matches(path, siblings, 1)
        or [full for full in paths if full.endswith("." + key)]
        or difflib.get_close_matches(path, paths, 1)
    )
    return f"unknown setting '{path}'" + (f"; did you mean '{close[0]}'?" if close else "")


def _first_setting(at: Sequence[object], paths: list[str]) -> str:
    """The first setting of the section that stands there; `paths` are those of all settings."""
    for full in paths:
        *section, name = full.split(".")
        if len(section) == len(at) and all(part in {ANY_NAME, one} for part, one in zip(section, at, strict=True)):
            return name
    return "name"

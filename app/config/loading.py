"""Reading the configuration: defaults < YAML file < environment (`FOGGATE_A__B`), with a sentence for whatever is wrong.

Secrets come from the environment only. This module validates; it never reads a model, a socket or a calibration.
"""

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from app.config.environment import CALLER_KEY, CONFIG_FILE, PREFIX, given, is_of_orchestrator
from app.config.masking import mask_model, mask_text
from app.config.settings import DomainSettings, EndpointSettings, PriceSettings, Settings
from app.core.errors import ConfigError
from app.data.files import NotText, read_text

# Wherever they stand.
SECRETS = ("api_key",)

# How `setting_paths` shows a key that the user names, as it stands in a variable; what free-form settings are called there.
_ANY_NAME, _FREE = "<NAME>", ("EXTRA_HEADERS", "EXTRA_BODY")
# Similar enough for a misspelling.
_NEARLY = 0.8
# What people write for FOGGATE_CONFIG, beside what resembles it.
_CONFIG_FILE = re.compile(CONFIG_FILE.removesuffix("IG") + r"(IG(URATION)?)?(_?(FILE|PATH|YAML|YML))?")

# Sections whose keys the user names.
_BY_NAME: dict[Any, type[BaseModel]] = {
    dict[str, DomainSettings]: DomainSettings,
    dict[str, PriceSettings]: PriceSettings,
    dict[str, EndpointSettings]: EndpointSettings,
}


def load_settings(path: Path | None = None) -> Settings:
    """Read the YAML file, if one is named, and the environment.

    Raises:
        ConfigError: one sentence a line: what is wrong and, for an unknown key, the closest valid one.
    """
    from_file = read_yaml(path) if path else {}
    try:
        secrets = _secrets_in(from_file)
    except RecursionError:
        raise ConfigError(f"the configuration file {path} is nested too deeply, or an anchor in it stands for itself") from None
    for secret in secrets:
        raise ConfigError(f"{secret} is a secret and is read from the environment only ({env_name(secret)})")
    unknown_variables(os.environ)
    # These are arguments of pydantic-settings, or none at all.
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
    """What a file sets: `cloud:` with nothing but comments beneath it is no section, and `port:` alone is no port.

    Raises:
        ConfigError: a value stands where a section belongs; the environment would win over it without a word.
    """
    found = {}
    for key, value in content.items():
        part = model.model_fields[key].annotation if key in model.model_fields else None
        if isinstance(part, type) and issubclass(part, BaseModel) and value is not None:
            if not isinstance(value, dict):
                raise ConfigError(
                    f"{path}{key}: a section of settings belongs there, as in '{key}: {{{next(iter(part.model_fields))}: …}}'"
                )
            found[key] = _without_null(value, part, f"{path}{key}.")
        elif value is not None or key not in model.model_fields:
            found[key] = value
    return found


def _secrets_in(content: Any, path: str = "") -> list[str]:
    """Where a file holds what must not stand in a file."""
    if not isinstance(content, dict):
        return []
    found = [f"{path}{key}" for key in content if key in SECRETS]
    return found + [secret for key, value in content.items() for secret in _secrets_in(value, f"{path}{key}.")]


def env_name(path: str) -> str:
    """`cloud.api_key` → `FOGGATE_CLOUD__API_KEY`."""
    return PREFIX + path.replace(".", "__").upper()


def setting_paths(model: type[BaseModel] = Settings, prefix: str = "") -> list[str]:
    """Every setting's YAML path; a free-form part is shown as `<name>`."""
    found = []
    for name, info in model.model_fields.items():
        annotation = info.annotation
        # A part that may be left out is a union with None.
        part = next((one for one in get_args(annotation) or (annotation,) if isinstance(one, type) and issubclass(one, BaseModel)), None)
        if annotation in _BY_NAME:
            found += setting_paths(_BY_NAME[annotation], f"{prefix}{name}.<name>.")
        elif part is not None:
            found += setting_paths(part, f"{prefix}{name}.")
        else:
            found.append(prefix + name)
    return found


def masked(settings: Settings) -> dict[str, Any]:
    """Plain values for people, secrets masked (see `app/config/masking.py`)."""
    return mask_model(settings)


class _Loader(yaml.SafeLoader):
    """The safe loader, which refuses a key that stands twice: of two sections `policy` the first would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Raises ConstructorError for a key that stands twice."""
        seen = set[str]()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge" and isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"the key '{key.value}' stands twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds; an empty file is an empty mapping. Raises ConfigError."""
    try:
        content = yaml.load(read_text(path), _Loader)  # noqa: S506  # a safe loader
    except (OSError, NotText) as error:
        raise ConfigError(f"the configuration file {path} cannot be read ({error})") from None
    except RecursionError:
        raise ConfigError(f"the configuration file {path} is nested too deeply") from None
    except yaml.YAMLError as error:
        # The error's own text quotes the file, which may hold a password in a URL.
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"the configuration file {path} is not YAML ({getattr(error, 'problem', None) or 'unreadable'}{where})") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"the configuration file {path} must hold a mapping of settings")
    return content


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Names that begin with FOGGATE_, belong to no setting, and resemble none: they are somebody else's and are left alone.

    Args:
        environment: all variables.

    Raises:
        ConfigError: a variable that was meant for the gateway and is misspelt, with the closest valid name, or one that is set twice
            in different cases.
    """
    valid = [env_name(path) for path in setting_paths()]
    left_alone, seen = [], dict[str, str]()
    for name, value in given(environment).items():
        upper = name.upper()
        if upper in {CALLER_KEY, CONFIG_FILE}:
            continue
        if _is_setting(upper, valid):
            if upper in seen:
                raise ConfigError(f"the environment variables {seen[upper]} and {name} set the same thing; keep one of them")
            seen[upper] = name
        elif is_of_orchestrator(name, value):
            continue
        elif (close := _closest(upper, valid)) or "__" in upper:
            raise ConfigError(f"unknown environment variable {name}" + (f"; did you mean {close}?" if close else ""))
        else:
            left_alone.append(name)
    return left_alone


def _is_setting(name: str, valid: Sequence[str]) -> bool:
    """Whether a variable names a setting, a section (as JSON), or an entry of a section whose keys the user names."""
    parts = name.split("__")
    return any(_leads_to(parts, full.split("__")) for full in valid)


def _leads_to(parts: Sequence[str], full: Sequence[str]) -> bool:
    beneath = len(parts) > len(full) and full[-1] in _FREE
    if len(parts) > len(full) and not beneath:
        return False
    return all(part == wanted or (wanted == _ANY_NAME and part) for part, wanted in zip(parts, full, strict=False))


def _closest(name: str, valid: Sequence[str]) -> str | None:
    """The valid name that was probably meant: nearly the same, or the end of one (`FOGGATE_TAU`), whatever their underscores."""
    # An entry of a section whose keys the user names is shown with the name that they gave.
    if _CONFIG_FILE.fullmatch(name):
        return CONFIG_FILE
    names = [_with_own_names(name, full) for full in valid]
    # Two underscores say that a setting is meant.
    cutoff = 0.6 if "__" in name.removeprefix(PREFIX) else 0.8
    close = difflib.get_close_matches(_letters(name), plain := [_letters(full) for full in names], 1, cutoff=cutoff)
    if close:
        return names[plain.index(close[0])]
    for full in names:
        parts = full.removeprefix(PREFIX).split("__")
        if difflib.SequenceMatcher(None, _letters(name), _letters(parts[-1])).ratio() >= _NEARLY:
            return full
    return None


def _letters(name: str) -> str:
    return name.removeprefix(PREFIX).replace("_", "")


def _with_own_names(name: str, full: str) -> str:
    parts = name.split("__")
    return "__".join(
        parts[place] if wanted == _ANY_NAME and place < len(parts) else wanted for place, wanted in enumerate(full.split("__"))
    )


def sentences(error: ValidationError, model: type[BaseModel]) -> str:
    """What is wrong, one sentence a line; an unknown key comes with the closest valid one of that model."""
    return "\n".join(mask_text(_sentence(dict(item), setting_paths(model))) for item in error.errors(include_input=False))


def _sentence(error: dict[str, Any], paths: list[str]) -> str:
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        return f"{path}: {str(error['msg']).removeprefix('Value error, ')}"
    # First among its siblings, then anywhere: `tau: 0.3` at the top was meant as policy.tau.
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

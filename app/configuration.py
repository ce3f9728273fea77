"""Reading the configuration: defaults < YAML file < environment (`FOGGATE_A__B`), with a sentence for whatever is wrong.

Secrets come from the environment only. This module validates; it never reads a model, a socket or a calibration.
"""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from app.errors import ConfigError
from app.files import NotText, read_text
from app.settings import PREFIX, DomainSettings, EndpointSettings, PriceSettings, Settings

# Of `foggate ask --url`; no setting of the gateway.
CALLER_KEY = "FOGGATE_CALLER_KEY"
# Wherever they stand.
SECRETS = ("api_key",)

# Sections whose keys the user names himself.
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
    for secret in _secrets_in(from_file):
        raise ConfigError(f"{secret} is a secret and is read from the environment only ({env_name(secret)})")
    _check_environment(os.environ)
    try:
        return Settings(**from_file)
    except ValidationError as error:
        raise ConfigError(sentences(error, Settings)) from None
    except ValueError as error:  # a nested environment value that is not JSON
        raise ConfigError(str(error)) from None


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


def effective(settings: Settings) -> dict[str, Any]:
    """Plain values for people, secrets masked."""
    shown = settings.model_dump(mode="json")
    for place in (shown["cloud"], *shown["cloud"]["endpoints"].values()):
        if place["api_key"] is not None:
            place["api_key"] = "********"
        # A header may carry a token: names are shown, values are not.
        place["extra_headers"] = dict.fromkeys(place["extra_headers"], "********")
    return shown


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds; an empty file is an empty mapping. Raises ConfigError."""
    try:
        content = yaml.safe_load(read_text(path))
    except (OSError, NotText) as error:
        raise ConfigError(f"the configuration file {path} cannot be read ({error})") from None
    except RecursionError:
        raise ConfigError(f"the configuration file {path} is nested too deeply") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"the configuration file {path} is not YAML ({' '.join(str(error).split())})") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"the configuration file {path} must hold a mapping of settings")
    return content


def _check_environment(environment: Mapping[str, str]) -> None:
    """Refuse a misspelt FOGGATE_ variable, but not those that Kubernetes makes for a service named foggate."""
    valid = [env_name(path) for path in setting_paths()]
    known = {CALLER_KEY, *valid, *(name.split("__")[0] for name in valid)}
    by_name = ("policy.domains.", "prices.", "cloud.endpoints.", "cloud.extra_headers", "cloud.extra_body")
    free = tuple(env_name(path) for path in by_name)
    for name, value in environment.items():
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper in known or upper.startswith(free):
            continue
        if upper.startswith((PREFIX + "SERVICE_", PREFIX + "PORT_")) or value.startswith("tcp://"):
            continue
        close = difflib.get_close_matches(upper, valid, 1)
        raise ConfigError(f"unknown environment variable {name}" + (f"; did you mean {close[0]}?" if close else ""))


def sentences(error: ValidationError, model: type[BaseModel]) -> str:
    """What is wrong, one sentence a line; an unknown key comes with the closest valid one of that model."""
    return "\n".join(_sentence(dict(item), setting_paths(model)) for item in error.errors())


def _sentence(error: dict[str, Any], paths: list[str]) -> str:
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        return f"{path}: {error['msg']}"
    # First among its siblings, then anywhere: `tau: 0.3` at the top was meant as policy.tau.
    parent, _, key = path.rpartition(".")
    siblings = [p for p in {".".join(full.split(".")[: path.count(".") + 1]) for full in paths} if p.rpartition(".")[0] == parent]
    close = (
        difflib.get_close_matches(path, siblings, 1)
        or [full for full in paths if full.endswith("." + key)]
        or difflib.get_close_matches(path, paths, 1)
    )
    return f"unknown setting '{path}'" + (f"; did you mean '{close[0]}'?" if close else "")

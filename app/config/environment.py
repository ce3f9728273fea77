"""Environment variables: which of those that begin with FOGGATE_ are meant for the gateway, and which are empty.

Docker Compose passes `${NAME:-}` on as an empty variable, so an empty or blank variable means "not set". Kubernetes and Docker
links make variables for every service whose name begins with `foggate`; those are not settings.
"""

import os
import re
from collections.abc import Mapping, MutableMapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from app.config.tree import PREFIX, Kind, kind_of

# Variables of `foggate ask --url` and of `--config`; they are not settings of the gateway.
CALLER_KEY = PREFIX + "CALLER_KEY"
CONFIG_FILE = PREFIX + "CONFIG"

# `docker run --env-file` keeps quotes as part of the value.
_QUOTED_NOTHING = ('""', "''")
# Variables that libraries read. Some libraries take an empty variable for a value: an empty folder name, an empty address, a
# number that cannot be read. CUDA_VISIBLE_DEVICES is not among them, because there an empty value means "no device".
_OF_LIBRARIES = re.compile(
    r"(?:OMP|GOMP|KMP|MKL|HF|HUGGINGFACE|TRANSFORMERS|OTEL|REDIS|XDG)_\w+|TOKENIZERS_PARALLELISM"
    r"|SSL_CERT_(?:FILE|DIR)|(?:REQUESTS|CURL)_CA_BUNDLE|(?:HTTP|HTTPS|ALL|NO)_PROXY",
    re.IGNORECASE,
)

# Variables that the kubelet makes for a service (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables)
# and that a Docker link makes for its target. A name that could also be meant for a setting counts only with a value that people
# would not write.
_SERVICE = re.compile(r"_SERVICE_(?:HOST|PORT|PORT_[A-Z0-9_]+)$")
_PORT = re.compile(r"_PORT(?:_\d+)?(?:_(?:TCP|UDP|SCTP))?(?:_(?:START|END))?$")
_PORT_PART = re.compile(r"_PORT_\d+_(?:TCP|UDP|SCTP)_(?:ADDR|PORT|PROTO)(?:_(?:START|END))?$|_PORT_(?:TCP|UDP|SCTP)_(?:ADDR|PORT|PROTO)$")
_LINK_ENVIRONMENT = re.compile(r"_ENV_[A-Z]")
_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://", re.IGNORECASE)


def is_blank(value: str) -> bool:
    """Whether a value is empty, only blanks, or a pair of quotes with nothing between them."""
    return value.strip() in {"", *_QUOTED_NOTHING}


def is_of_orchestrator(name: str, value: str) -> bool:
    """Whether Kubernetes or a Docker link made this variable, for a service whose name begins with `foggate`.

    Args:
        name: name of the variable, in any case.
        value: value of the variable.
    """
    # The underscore at the end of the prefix is kept: every pattern begins with it.
    rest = name.upper().removeprefix(PREFIX.rstrip("_"))
    if _SERVICE.search(rest) or _PORT_PART.search(rest) or _LINK_ENVIRONMENT.search(rest):
        return True
    if _PORT.search(rest):
        return bool(_ADDRESS.match(value.strip()))
    return rest.endswith("_NAME") and value.startswith("/")


def drop_blank(environment: MutableMapping[str, str]) -> None:
    """Remove blank variables of the gateway and of libraries that it uses from an environment."""
    for name, value in list(environment.items()):
        if is_blank(value) and (name.upper().startswith(PREFIX) or _OF_LIBRARIES.fullmatch(name)):
            del environment[name]


def given(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables with the gateway's prefix that are not blank, without blanks around their values."""
    return {name: value.strip() for name, value in environment.items() if name.upper().startswith(PREFIX) and not is_blank(value)}


class EnvironmentSource(EnvSettingsSource):
    """The environment for pydantic-settings, without variables that are empty or made by an orchestrator.

    Args:
        settings_cls: model of the settings.
        file: content of the configuration file, nested; the environment wins over it.
    """

    def __init__(self, settings_cls: type[BaseSettings], *, file: Mapping[str, Any]) -> None:
        super().__init__(settings_cls)
        self._file = file

    def _load_env_vars(self) -> Mapping[str, str | None]:
        ours = {name.lower() for name, value in given(os.environ).items() if not is_of_orchestrator(name, value)}
        # pydantic-settings marks `null` by a subclass of str, which is kept.
        loaded = super()._load_env_vars()
        return {name: type(value)(value.strip()) for name, value in loaded.items() if name in ours and value is not None}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Read a list or a mapping as JSON; a list may also be written with commas (`a.example, b.example`).

        Raises:
            ValueError: the value is neither, with an example.
        """
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            # An entry under a name that the user chose comes without a field.
            annotation = field.annotation if isinstance(field, FieldInfo) else None
            kinds = {get_origin(kind) for kind in (annotation, *get_args(annotation))}
            if list in kinds and not value.startswith(("[", "{")):
                return [part.strip() for part in value.split(",") if part.strip()]
            example = '["a", "b"]' if list in kinds else '{"name": "value"}'
            ends = field_name.upper()
            named = [name for name, given_value in given(os.environ).items() if given_value == value and name.upper().endswith(ends)]
            raise ValueError(f"the environment variable {(named or [ends])[0]} is not JSON such as {example}") from None

    def __call__(self) -> dict[str, Any]:
        """The settings that the environment sets, nested."""
        return _with_names_of_file(self.settings_cls, super().__call__(), self._file)


def _with_names_of_file(model: type[BaseModel], found: dict[str, Any], file: Mapping[Any, Any]) -> dict[str, Any]:
    """The environment's settings with each user-chosen name in the spelling of the file.

    The name of a variable has neither small letters nor hyphens: `BACKUP_EU` stands for the `Backup-EU` of the file.

    Args:
        model: model of a section.
        found: content of that section in the environment.
        file: content of that section in the file.
    """
    renamed = dict(found)
    for name, field in model.model_fields.items():
        content, in_file = found.get(name), _mapping(file.get(name))
        kind, part = kind_of(field)
        if not isinstance(content, dict):
            continue
        if kind in {Kind.ENTRIES, Kind.TEXTS}:
            known = {_as_variable(one): one for one in in_file if isinstance(one, str)}
            content = {known.get(_as_variable(one), one): entry for one, entry in content.items()}
        if part is not None and kind is Kind.ENTRIES:
            content = {
                one: _with_names_of_file(part, entry, _mapping(in_file.get(one))) if isinstance(entry, dict) else entry
                for one, entry in content.items()
            }
        elif part is not None:
            content = _with_names_of_file(part, content, in_file)
        renamed[name] = content
    return renamed


def _mapping(content: Any) -> Mapping[Any, Any]:
    return content if isinstance(content, Mapping) else {}


def _as_variable(name: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in name.lower())

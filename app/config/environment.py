"""Environment variables: which of those that begin with FOGGATE_ are meant for the gateway, and which are empty.

Docker Compose passes `${NAME:-}` on as an empty variable, so an empty or blank variable means "not set". Kubernetes and docker
links make variables for every service whose name begins with `foggate`; those belong to nobody here.
"""

import os
import re
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

PREFIX = "FOGGATE_"
# Of `foggate ask --url` and of `--config`; they are no settings of the gateway.
CALLER_KEY = PREFIX + "CALLER_KEY"
CONFIG_FILE = PREFIX + "CONFIG"

# `docker run --env-file` keeps quotes as part of the value.
_QUOTED_NOTHING = ('""', "''")
# What libraries beneath the gateway read. Some of them take an empty variable for a value: an empty folder name, an empty
# address, a number that cannot be read. CUDA_VISIBLE_DEVICES is not among them, because empty means "no device" there.
_OF_LIBRARIES = re.compile(
    r"(?:OMP|GOMP|KMP|MKL|HF|HUGGINGFACE|TRANSFORMERS|OTEL|REDIS|XDG)_\w+|TOKENIZERS_PARALLELISM"
    r"|SSL_CERT_(?:FILE|DIR)|(?:REQUESTS|CURL)_CA_BUNDLE|(?:HTTP|HTTPS|ALL|NO)_PROXY",
    re.IGNORECASE,
)

# What the kubelet makes for a service (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables)
# and a docker link for its target. A name that people could mean for a setting counts only with a value that they would not write.
_SERVICE = re.compile(r"_SERVICE_(?:HOST|PORT|PORT_[A-Z0-9_]+)$")
_PORT = re.compile(r"_PORT(?:_\d+)?(?:_(?:TCP|UDP|SCTP))?(?:_(?:START|END))?$")
_PORT_PART = re.compile(r"_PORT_\d+_(?:TCP|UDP|SCTP)_(?:ADDR|PORT|PROTO)(?:_(?:START|END))?$|_PORT_(?:TCP|UDP|SCTP)_(?:ADDR|PORT|PROTO)$")
_LINK_ENVIRONMENT = re.compile(r"_ENV_[A-Z]")
_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://", re.IGNORECASE)


def is_blank(value: str) -> bool:
    """Whether a value says nothing: empty, blanks only, or a pair of quotes with nothing between them."""
    return value.strip() in {"", *_QUOTED_NOTHING}


def is_of_orchestrator(name: str, value: str) -> bool:
    """Whether Kubernetes or a docker link made this variable, for a service whose name begins with `foggate`.

    Args:
        name: of the variable, in any case.
        value: of the variable.
    """
    # The prefix keeps one underscore, with which every pattern begins.
    rest = name.upper().removeprefix(PREFIX.rstrip("_"))
    if _SERVICE.search(rest) or _PORT_PART.search(rest) or _LINK_ENVIRONMENT.search(rest):
        return True
    if _PORT.search(rest):
        return bool(_ADDRESS.match(value.strip()))
    return rest.endswith("_NAME") and value.startswith("/")


def drop_blank(environment: MutableMapping[str, str]) -> None:
    """Take blank variables of the gateway and of the libraries beneath it out of an environment."""
    for name, value in list(environment.items()):
        if is_blank(value) and (name.upper().startswith(PREFIX) or _OF_LIBRARIES.fullmatch(name)):
            del environment[name]


def given(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables with the gateway's prefix that say something, without blanks around their values."""
    return {name: value.strip() for name, value in environment.items() if name.upper().startswith(PREFIX) and not is_blank(value)}


class EnvironmentSource(EnvSettingsSource):
    """The environment for pydantic-settings, without variables that are empty or an orchestrator's.

    Args:
        settings_cls: what is read.
        named: paths of the sections whose keys the user names: a variable's name has neither small letters nor hyphens, so entries are
            known by the names that `beneath` gives them.
        beneath: what the environment wins over, nested.
    """

    def __init__(self, settings_cls: type[BaseSettings], *, named: Sequence[tuple[str, ...]], beneath: Mapping[str, Any]) -> None:
        super().__init__(settings_cls)
        self._named = named
        self._beneath = beneath

    def _load_env_vars(self) -> Mapping[str, str | None]:
        ours = {name.lower() for name, value in given(os.environ).items() if not is_of_orchestrator(name, value)}
        # `null` has a type of its own, a kind of text.
        loaded = super()._load_env_vars()
        return {name: type(value)(value.strip()) for name, value in loaded.items() if name in ours and value is not None}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """A list or a mapping: JSON; a list may also be written with commas (`a.example, b.example`). Raises ValueError."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            # Entries of a section whose keys the user names come without a field.
            annotation = field.annotation if isinstance(field, FieldInfo) else None
            kinds = {get_origin(kind) for kind in (annotation, *get_args(annotation))}
            if list in kinds and not value.startswith(("[", "{")):
                return [part.strip() for part in value.split(",") if part.strip()]
            example = '["a", "b"]' if list in kinds else '{"name": "value"}'
            raise ValueError(f"'{field_name}' is set in the environment and is not JSON such as {example}") from None

    def __call__(self) -> dict[str, Any]:
        """What the environment sets, nested."""
        found = super().__call__()
        for path in self._named:
            inner, beneath = _inner(found, path[:-1]), _inner(self._beneath, path)
            entries = inner.get(path[-1])
            if isinstance(entries, dict):
                known = {_as_variable(name): name for name in beneath if isinstance(name, str)}
                inner[path[-1]] = {known.get(_as_variable(name), name): entry for name, entry in entries.items()}
        return found


def _as_variable(name: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in name.lower())


def _inner(content: Any, path: tuple[str, ...]) -> dict[str, Any]:
    """The mapping at a path; an empty one where there is none."""
    for part in path:
        content = content.get(part) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}

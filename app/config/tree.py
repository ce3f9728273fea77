"""The tree of settings: every field with its path and its kind, derived from the fields' types.

Nothing here names a setting. What is a secret, which names the user chooses and what a reload changes follow from the declarations in
`app/config/sections/`; the same functions serve other models, such as the configuration of `foggate evolve`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

PREFIX = "FOGGATE_"
# Stands in a path for a name that the user chooses.
ANY_NAME = "<name>"
RELOAD = "reload"


class Kind(Enum):
    """What a field holds."""

    SECTION = "settings"
    # dict[str, Model]: sections under names that the user chooses.
    ENTRIES = "sections"
    # dict[str, str]: texts under names that the user chooses, such as headers.
    TEXTS = "texts"
    # dict[str, anything else]: any JSON.
    FREE = "free"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Node:
    """One field in the tree.

    Attributes:
        path: names from the top, with dots; `<name>` stands for a name that the user chooses.
        field: declaration of the field.
        model: section that declares it.
        kind: what it holds.
        reload: whether a reload puts a new value in force; of a section, whether that holds for everything in it.
    """

    path: str
    field: FieldInfo
    model: type[BaseModel]
    kind: Kind
    reload: bool

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def parent(self) -> str:
        """Path of the section that the field stands in; empty at the top."""
        return self.path.rpartition(".")[0]

    @property
    def is_setting(self) -> bool:
        """Whether it has a value, and is not a section or a mapping of sections."""
        return self.kind not in {Kind.SECTION, Kind.ENTRIES}

    @property
    def secret(self) -> bool:
        """Whether its value is a secret."""
        return is_secret(self.field)


def nodes(model: type[BaseModel], prefix: str = "", *, reload: bool = False) -> Iterator[Node]:
    """Every field of a model and of its sections, each section before what stands in it."""
    for name, field in model.model_fields.items():
        kind, part = kind_of(field)
        node = Node(prefix + name, field, model, kind, reload or is_reloadable(field))
        yield node
        if part is not None:
            beneath = node.path + (f".{ANY_NAME}." if kind is Kind.ENTRIES else ".")
            yield from nodes(part, beneath, reload=node.reload)


def kind_of(field: FieldInfo) -> tuple[Kind, type[BaseModel] | None]:
    """What a field holds, and the model of its section or of its entries, if it has one."""
    # A part that may be left out is a union with None.
    for option in (field.annotation, *get_args(field.annotation)):
        if get_origin(option) is dict:
            entry = get_args(option)[1]
            if _is_model(entry):
                return Kind.ENTRIES, entry
            return (Kind.TEXTS if entry is str else Kind.FREE), None
        if _is_model(option):
            return Kind.SECTION, option
    return Kind.VALUE, None


def is_secret(field: FieldInfo) -> bool:
    """Whether the field's type is `SecretStr`, or that or None."""
    return SecretStr in {field.annotation, *get_args(field.annotation)}


def is_reloadable(field: FieldInfo) -> bool:
    """Whether the field itself is declared as one that a reload changes."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get(RELOAD))


def env_name(path: str) -> str:
    """The environment variable of a setting: `cloud.api_key` → `FOGGATE_CLOUD__API_KEY`."""
    return PREFIX + path.replace(".", "__").upper()


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)

"""Plain values made from a section of the settings, for code that must not know the settings."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Target = TypeVar("Target", bound="DataclassInstance")


def picked(target: type[Target], section: BaseModel) -> Target:
    """A dataclass whose fields are the settings of the same names.

    A new setting then needs a declaration in the section and a field where it is used, and no line that hands it over.

    Args:
        target: the dataclass; each of its fields has the name of a setting.
        section: a section of the settings.

    Raises:
        AttributeError: a field has no setting of its name.
    """
    values: dict[str, Any] = {field.name: getattr(section, field.name) for field in fields(target)}
    return target(**values)

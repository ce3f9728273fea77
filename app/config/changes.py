"""What differs between two configurations, and which of it a reload puts in force."""

from typing import Any, TypeVar

from pydantic import BaseModel

from app.config.tree import is_reloadable

Model = TypeVar("Model", bound=BaseModel)


def in_force(old: Model, new: Model) -> Model:
    """The configuration after a reload: the new value of every setting that is declared with `reload`, the old value of the others.

    Args:
        old: settings, or a section of them, that are in force.
        new: the same section of the new configuration.
    """
    changes: dict[str, Any] = {}
    for name, field in type(old).model_fields.items():
        before, after = getattr(old, name), getattr(new, name)
        if is_reloadable(field):
            changes[name] = after
        elif isinstance(before, BaseModel) and isinstance(after, BaseModel):
            changes[name] = in_force(before, after)
    return old.model_copy(update=changes)


def changed(old: BaseModel, new: BaseModel, prefix: str = "") -> list[str]:
    """The paths of the settings that differ.

    Args:
        old: settings, or a section of them.
        new: the same section of another configuration.
        prefix: path of that section, with a dot at its end.
    """
    found = []
    for name in type(old).model_fields:
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        if isinstance(before, BaseModel) and isinstance(after, BaseModel):
            found += changed(before, after, f"{prefix}{name}.")
        else:
            found.append(prefix + name)
    return found

"""Settings → the YAML of a configuration file: what differs from the defaults, and nothing that may be secret.

The rules of masking decide what may be secret (`app/config/masking.py`): a setting that they would not show is not written.
"""

import json
from collections.abc import Sequence
from typing import Any

import yaml
from pydantic import BaseModel

from app.config.masking import mask_model
from app.config.tree import Kind, kind_of


def settings_content(settings: BaseModel) -> tuple[dict[str, Any], list[str]]:
    """The settings that differ from their defaults, as nested plain values; and the paths of those left out because they may be secret."""
    left_out: list[str] = []
    return _content(settings, mask_model(settings), "", left_out), left_out


def settings_yaml(content: dict[str, Any], comments: Sequence[str]) -> str:
    """A YAML file with comment lines at its head; `content` is what `settings_content` returns. Line breaks in comments are blanks."""
    head = "".join(f"# {' '.join(line.split())}".rstrip() + "\n" for line in comments)
    return head + "\n" + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def _content(model: BaseModel, masked: Any, path: str, left_out: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    plain = model.model_dump(mode="json")
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if value == field.default:
            continue
        kind, _ = kind_of(field)
        here = f"{path}{name}"
        part: Any
        if kind is Kind.SECTION and isinstance(value, BaseModel):
            part = _content(value, masked[name], f"{here}.", left_out)
        elif kind is Kind.ENTRIES:
            part = {key: _content(entry, masked[name][key], f"{here}.{key}.", left_out) for key, entry in value.items()}
        elif _as_json(masked[name]) == _as_json(plain[name]):
            part = plain[name]
        else:
            left_out.append(here)
            continue
        if part or not isinstance(part, dict) or kind is not Kind.SECTION:
            found[name] = part
    return found


def _as_json(value: Any) -> str:
    """A value in one form: tuples as lists, numbers and texts as JSON writes them."""
    return json.dumps(value, sort_keys=True, default=str)

"""The origin of a file that is filled step by step: its parameters stand beside it, and a run with others does not continue it.

`labels.jsonl` has `labels.jsonl.origin.json`. The parameters are written, whole, before the first row is; so rows without them
were written by something else.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from app.core.errors import ConfigError
from app.data.files import read_text, write_json

Parameters = Mapping[str, Any]


def origin_of(out: Path) -> Path:
    """The file that holds the parameters of a file."""
    return out.with_name(out.name + ".origin.json")


def claim(out: Path, parameters: Parameters, *, what: str, partial: Path | None = None, hint: str = "") -> None:
    """Write the parameters of a file before its first row, or check them before a run continues the file.

    Args:
        out: the file; it need not exist.
        parameters: everything that its rows depend on: names to JSON values.
        what: what the file holds, for people, in the plural.
        partial: file in which its rows stand until it is whole.
        hint: what else a person can do, for the end of a refusal.

    Raises:
        ConfigError: see `check`.
    """
    if not _begun(out, partial):
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(origin_of(out), dict(parameters))
        return
    check(out, parameters, what=what, partial=partial, hint=hint)


def check(out: Path, parameters: Parameters, *, what: str, partial: Path | None = None, hint: str = "", some: bool = False) -> None:
    """Check a file that may have been begun; nothing is written.

    Args:
        out: the file.
        parameters: everything that the rows depend on, as for `claim`.
        what: what the file holds, as for `claim`.
        partial: file of unfinished rows, as for `claim`.
        hint: end of a refusal, as for `claim`.
        some: whether only some parameters are known yet; those that are not given are not compared.

    Raises:
        ConfigError: there are rows, and they were made with other parameters (those that differ are named), or do not say
            with which.
    """
    begun = _begun(out, partial)
    if not begun:
        return
    origin = origin_of(out)
    advice = f"move {begun[0].name} away or choose another place{hint}"
    if not origin.exists():
        raise ConfigError(f"{begun[0]} holds {what} that do not say what they were made with ({origin.name} is missing); {advice}")
    known = _read(origin)
    # As JSON has it: a tuple is a list.
    ours = json.loads(json.dumps(dict(parameters)))
    if some:
        known = {key: value for key, value in known.items() if key in ours}
    if found := differences(known, ours):
        raise ConfigError(f"{begun[0]} holds {what} made with {'; '.join(found)}; {advice}")


def differences(known: Any, ours: Any, name: str = "") -> list[str]:
    """What differs between two JSON values, as `temperature 0.7, not 1.0`; nested keys are joined with dots."""
    if isinstance(known, dict) and isinstance(ours, dict):
        keys = [*known, *(key for key in ours if key not in known)]
        return [text for key in keys for text in differences(known.get(key), ours.get(key), f"{name}.{key}" if name else key)]
    if known == ours:
        return []
    return [f"{name.replace('_', ' ')} {_said(known)}, not {_said(ours)}"]


def digest(parts: Iterable[Any]) -> str:
    """12 hex digits of JSON values in their order."""
    return hashlib.sha256("\n".join(json.dumps(part, ensure_ascii=True) for part in parts).encode()).hexdigest()[:12]


def _begun(out: Path, partial: Path | None) -> list[Path]:
    """The files that hold rows."""
    return [path for path in (out, partial) if path is not None and path.exists() and path.stat().st_size]


def _said(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read ({error})") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} cannot be read (it is not an object)")
    return content

"""JSON files of ours: read into a pydantic model with a sentence for a person, written whole or not at all."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from app.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)


def read_model(path: Path, model: type[Model], what: str) -> Model:
    """Read and validate.

    Args:
        path: the file.
        model: what it holds.
        what: what such a file is called, for people.

    Raises:
        ConfigError: unreadable, not JSON, or something else than the model.
    """
    try:
        return model.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the {what} {path} cannot be read ({error})") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{path} is not a {what}: {'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']}") from None
    except ValueError:
        raise ConfigError(f"{path} is not a {what}: not JSON") from None


def write_json(path: Path, content: Any, *, private: bool = False) -> None:
    """Under its name only when it is whole; for the owner's eyes only if private. Raises OSError."""
    scratch = path.with_name(path.name + ".partial")
    if private:
        scratch.unlink(missing_ok=True)
        scratch.touch(mode=0o600, exist_ok=False)
    scratch.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    scratch.replace(path)


def write_model(path: Path, content: Any, *, private: bool = False) -> None:
    """`write_json`, with its folder made. Raises ConfigError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, content, private=private)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror})") from None

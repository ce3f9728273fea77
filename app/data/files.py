"""Files that people or FogGate write: text with any byte order mark, JSON read into a pydantic model with a sentence for errors,
and JSON written as a whole or not at all.
"""

import codecs
import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from app.core.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)

# UTF-32 first: its mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class NotText(ValueError):
    """The bytes are not text; the message is a sentence that names the line."""


def decode(content: bytes) -> str:
    """The text of a file that a person may have written: UTF-8, or UTF-16 or UTF-32 with its byte order mark.

    Line ends are not changed; a byte order mark is not part of the text.

    Raises:
        NotText: another encoding, or a NUL character.
    """
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8-sig")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"the byte 0x{content[error.start]:02x}" if error.start < len(content) else "its end"
        raise NotText(f"line {line} is not {encoding.removesuffix('-sig').upper()} ({found}): save the file as UTF-8") from None
    if (place := text.find("\0")) >= 0:
        line = text.count("\n", 0, place) + 1
        raise NotText(f"line {line} holds a NUL character: save the file as UTF-8 (it may be UTF-16, or no text at all)")
    return text


def read_text(path: Path) -> str:
    """`decode` of a file. Raises OSError and NotText."""
    return decode(path.read_bytes())


def read_model(path: Path, model: type[Model], what: str) -> Model:
    """Read and validate.

    Args:
        path: path of the file.
        model: model of its content.
        what: name of this kind of file in messages.

    Raises:
        ConfigError: the file cannot be read, is not JSON, or does not fit the model.
    """
    try:
        return model.model_validate(json.loads(read_text(path)))
    except (OSError, NotText) as error:
        raise ConfigError(f"the {what} {path} cannot be read ({error})") from None
    except ValidationError as error:
        first = error.errors()[0]
        said = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{path} is not a {what}: {'.'.join(map(str, first['loc'])) or 'content'}: {said}") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{path} is not a {what}: not JSON") from None


def write_json(path: Path, content: Any, *, private: bool = False) -> None:
    """Write JSON; the file has its name only when it is complete, and only its owner can read it if private. Raises OSError."""
    scratch = path.with_name(path.name + ".partial")
    if private:
        scratch.unlink(missing_ok=True)
        scratch.touch(mode=0o600, exist_ok=False)
    scratch.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    scratch.replace(path)


def write_model(path: Path, content: Any, *, private: bool = False) -> None:
    """`write_json` after making the folder. Raises ConfigError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, content, private=private)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror})") from None

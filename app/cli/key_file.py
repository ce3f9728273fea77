"""What the commands `foggate keys …` share. A running gateway notices a change of the key file within a second."""

from pathlib import Path
from typing import Annotated

import typer

from app.access.keys import read_keys, write_keys
from app.cli.output import print_json, print_line
from app.core.errors import ConfigError

DEFAULT_FILE = Path("keys.json")
File = Annotated[Path, typer.Option("--file", metavar="FILE", help="Key file; the gateway reads it as security.keys.")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="Id of the key: the part between fg_ and the second underscore.")]


def change_key(file: Path, key_id: str, **changes: object) -> None:
    """Change values of one key in the key file. Raises ConfigError if no such key is active."""
    content = read_keys(file)
    if all(key.id != key_id or key.revoked for key in content.keys):
        raise ConfigError(f"{file} has no active key '{key_id}'")
    keys = [key.model_copy(update=changes) if key.id == key_id else key for key in content.keys]
    write_keys(file, content.model_copy(update={"keys": keys}))


def show_once(shown: str, key_id: str, *, as_json: bool) -> None:
    """Print a new key, which cannot be read again later."""
    if as_json:
        print_json({"id": key_id, "key": shown})
        return
    print_line(shown)
    print_line("The key is shown once. Send it as: authorization: Bearer …")

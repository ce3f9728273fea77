"""What the commands `foggate keys …` share. A running gateway notices a change of the key file within a second."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app.cli.options import print_json
from app.core.errors import ConfigError

DEFAULT_FILE = Path("keys.json")
File = Annotated[Path, typer.Option("--file", help="The key file; the gateway reads it as security.keys.")]
KeyId = Annotated[str, typer.Argument(help="The key's id: what stands between fg_ and the second _.")]


def change_key(file: Path, key_id: str, **changes: object) -> None:
    """Write the key file with other values of one key. Raises ConfigError where no such key is in use."""
    # The commands import what they need when they run.
    from app.access.keys import read_keys, write_keys

    content = read_keys(file)
    if all(key.id != key_id or key.revoked for key in content.keys):
        raise ConfigError(f"{file} holds no key '{key_id}' that is in use")
    keys = [key.model_copy(update=changes) if key.id == key_id else key for key in content.keys]
    write_keys(file, content.model_copy(update={"keys": keys}))


def show_once(shown: str, key_id: str, *, as_json: bool) -> None:
    """Print a new key, which nobody can read again later."""
    if as_json:
        print_json({"id": key_id, "key": shown})
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(shown, markup=False)
    console.print("This is shown once. Send it as: authorization: Bearer …")

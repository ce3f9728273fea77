"""`foggate keys create`: makes an API key and shows it once."""

import datetime as dt
from typing import Annotated

import typer

from app.access.keys import Key, KeyFile, Permission, new_secret, read_keys, write_keys
from app.cli.key_file import DEFAULT_FILE, File, show_once
from app.cli.options import AsJson


def keys_create(
    file: File = DEFAULT_FILE,
    name: Annotated[str, typer.Option(metavar="NAME", help="Name of the key's owner, for people.")] = "",
    permission: Annotated[
        list[Permission] | None, typer.Option(help="Permission of the key; may be repeated.", show_default="answer")
    ] = None,
    questions_per_minute: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Largest number of questions per minute.", show_default="no limit of the key")
    ] = None,
    cloud_calls_per_day: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Largest number of cloud calls per day; beyond it, the edge answers.",
            show_default="no limit of the key",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key and print it once. Only its hash is stored."""
    content = read_keys(file) if file.exists() else KeyFile()
    shown, key_id, digest = new_secret()
    key = Key(
        id=key_id,
        name=name,
        sha256=digest,
        permissions=frozenset(permission or [Permission.ANSWER]),
        questions_per_minute=questions_per_minute,
        cloud_calls_per_day=cloud_calls_per_day,
        created=dt.datetime.now(tz=dt.UTC).date(),
    )
    write_keys(file, content.model_copy(update={"keys": [*content.keys, key]}))
    show_once(shown, key_id, as_json=as_json)

"""`foggate keys create`: makes an API key and shows it once."""

import datetime as dt
from typing import Annotated

import typer

from app.cli.key_file import DEFAULT_FILE, File, show_once
from app.cli.options import AsJson, check_choice


def keys_create(
    file: File = DEFAULT_FILE,
    name: Annotated[str, typer.Option(help="Whose key it is, for people.")] = "",
    permission: Annotated[list[str] | None, typer.Option(help="answer, force_route, admin; may be repeated.")] = None,
    questions_per_minute: Annotated[int | None, typer.Option(min=1, help="Rate of the key.")] = None,
    cloud_calls_per_day: Annotated[int | None, typer.Option(min=0, help="Beyond it the key gets edge answers.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it once. Only its hash is stored."""
    from app.access.keys import Key, KeyFile, Permission, new_secret, read_keys, write_keys

    wanted = permission or ["answer"]
    for each in wanted:
        check_choice("--permission", each, *(known.value for known in Permission))
    content = read_keys(file) if file.exists() else KeyFile()
    shown, key_id, digest = new_secret()
    key = Key(
        id=key_id,
        name=name,
        sha256=digest,
        permissions=frozenset(map(Permission, wanted)),
        questions_per_minute=questions_per_minute,
        cloud_calls_per_day=cloud_calls_per_day,
        created=dt.datetime.now(tz=dt.UTC).date(),
    )
    write_keys(file, content.model_copy(update={"keys": [*content.keys, key]}))
    show_once(shown, key_id, as_json=as_json)

"""`foggate keys …`: make, list, rotate and revoke API keys. A running gateway notices within a second."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from app.cli.options import AsJson, check_choice, print_json
from app.cli.output import stdout_console
from app.core.errors import ConfigError

keys_cli = typer.Typer(help="API keys of the gateway.", no_args_is_help=True)
File = Annotated[Path, typer.Option("--file", help="The key file; the gateway reads it as security.keys.")]
Id = Annotated[str, typer.Argument(help="The key's id: what stands between fg_ and the second _.")]


@keys_cli.command()
def create(
    file: File = Path("keys.json"),
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
    _show_once(shown, key_id, as_json=as_json)


@keys_cli.command("list")
def list_keys(file: File = Path("keys.json"), as_json: AsJson = False) -> None:
    """List the keys. Secrets and hashes are not shown."""
    from app.access.keys import read_keys

    rows = [{**key.model_dump(mode="json", exclude={"sha256"}), "permissions": sorted(key.permissions)} for key in read_keys(file).keys]
    if as_json:
        print_json(rows)
        return
    table = Table(
        Column("id", min_width=12, no_wrap=True), "name", "permissions", "questions a minute", "cloud calls a day", "created", "revoked"
    )
    for row in rows:
        cells = (row["questions_per_minute"], row["cloud_calls_per_day"], row["created"], row["revoked"])
        table.add_row(row["id"], row["name"], ", ".join(row["permissions"]), *("–" if cell is None else str(cell) for cell in cells))
    stdout_console().print(table)


@keys_cli.command()
def rotate(key_id: Id, file: File = Path("keys.json"), as_json: AsJson = False) -> None:
    """Give a key a new secret. The old one is refused from then on; name, permissions and bounds stay."""
    from app.access.keys import new_secret

    shown, _, digest = new_secret(key_id)
    _change(file, key_id, sha256=digest)
    _show_once(shown, key_id, as_json=as_json)


@keys_cli.command()
def revoke(key_id: Id, file: File = Path("keys.json")) -> None:
    """Refuse a key for good."""
    _change(file, key_id, revoked=dt.datetime.now(tz=dt.UTC).date())
    Console(highlight=False).print(f"{key_id} is revoked")


def _change(file: Path, key_id: str, **changes: object) -> None:
    from app.access.keys import read_keys, write_keys

    content = read_keys(file)
    if all(key.id != key_id or key.revoked for key in content.keys):
        raise ConfigError(f"{file} holds no key '{key_id}' that is in use")
    keys = [key.model_copy(update=changes) if key.id == key_id else key for key in content.keys]
    write_keys(file, content.model_copy(update={"keys": keys}))


def _show_once(shown: str, key_id: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"id": key_id, "key": shown})
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(shown, markup=False)
    console.print("This is shown once. Send it as: authorization: Bearer …")

"""`foggate keys list`: lists the keys of a key file."""

from rich.table import Column, Table

from app.access.keys import read_keys
from app.cli.key_file import DEFAULT_FILE, File
from app.cli.options import AsJson
from app.cli.output import print_json, stdout_console


def keys_list(file: File = DEFAULT_FILE, as_json: AsJson = False) -> None:
    """List the API keys. Secrets and hashes are not shown."""
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

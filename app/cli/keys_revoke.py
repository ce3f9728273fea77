"""`foggate keys revoke`: revokes a key."""

import datetime as dt

from app.cli.key_file import DEFAULT_FILE, File, KeyId, change_key
from app.cli.output import print_line


def keys_revoke(key_id: KeyId, file: File = DEFAULT_FILE) -> None:
    """Revoke a key. It is refused from then on."""
    change_key(file, key_id, revoked=dt.datetime.now(tz=dt.UTC).date())
    print_line(f"{key_id} is revoked")

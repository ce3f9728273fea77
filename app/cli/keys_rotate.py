"""`foggate keys rotate`: gives a key a new secret."""

from app.access.keys import new_secret
from app.cli.key_file import DEFAULT_FILE, File, KeyId, change_key, show_once
from app.cli.options import AsJson


def keys_rotate(key_id: KeyId, file: File = DEFAULT_FILE, as_json: AsJson = False) -> None:
    """Give a key a new secret. The old secret is refused from then on; name, permissions and limits stay."""
    shown, _, digest = new_secret(key_id)
    change_key(file, key_id, sha256=digest)
    show_once(shown, key_id, as_json=as_json)

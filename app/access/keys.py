"""API keys: random 256-bit secrets with an id, of which only the SHA-256 is stored.

A slow hash protects guessable passwords; 256 random bits cannot be guessed, and a slow hash on every request would be an
additional attack surface. The file is read again when it changes, so that a revoked key is refused without a restart.
"""

import base64
import datetime as dt
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.core.errors import ConfigError
from app.data.files import read_model, write_model

_FORM = re.compile(r"fg_(?P<id>[0-9a-f]{12})_(?P<secret>[A-Za-z0-9_-]{43})")
# A change of the file is noticed within this time; each look costs a system call.
_LOOK_EVERY_S = 1.0
# Compared with where the id is unknown, so that both cases take the same time.
_NOBODY = "0" * 64


class Permission(StrEnum):
    """What a key may do: ask; choose the route or the threshold itself; use the cloud for any chat; read what is for operators."""

    ANSWER = "answer"
    FORCE_ROUTE = "force_route"
    PASS_THROUGH = "pass_through"  # noqa: S105  # a permission
    ADMIN = "admin"


class Key(BaseModel):
    """One stored key. Rates and budgets count per key; None sets no bound."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    name: Annotated[str, Field(max_length=100)] = ""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    permissions: frozenset[Permission] = frozenset({Permission.ANSWER})
    questions_per_minute: Annotated[int, Field(ge=1)] | None = None
    cloud_calls_per_day: Annotated[int, Field(ge=0)] | None = None
    created: dt.date
    revoked: dt.date | None = None


class KeyFile(BaseModel):
    """The content of the key file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = 1
    keys: list[Key] = []


def read_keys(path: Path) -> KeyFile:
    """The validated content of a key file. Raises ConfigError."""
    return read_model(path, KeyFile, "key file")


def write_keys(path: Path, content: KeyFile) -> None:
    """Write a key file whole or not at all, readable by its owner only. Raises ConfigError."""
    plain = content.model_dump(mode="json")
    for key in plain["keys"]:
        key["permissions"] = sorted(key["permissions"])
    write_model(path, plain, private=True)


def new_secret(key_id: str | None = None) -> tuple[str, str, str]:
    """A key as the caller sends it, its id, and the hash to store. The key itself is shown once and stored nowhere."""
    key_id = key_id or secrets.token_hex(6)
    secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
    return f"fg_{key_id}_{secret}", key_id, _hash(secret)


class KeyRing:
    """The keys that are accepted at this moment.

    Args:
        path: the key file.
        clock: monotonic seconds.

    Raises:
        ConfigError: the file cannot be used at start. Later a damaged file leaves the keys as they were.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._keys = _by_id(read_keys(path).keys)
        self._seen = self._stamp()
        self._looked_at = clock()

    def find(self, presented: str) -> Key | None:
        """The stored key of what a caller sent; None if it is no key, unknown, wrong or revoked."""
        self._look()
        match = _FORM.fullmatch(presented)
        key = self._keys.get(match["id"]) if match else None
        # Hashed and compared whatever was found.
        matches = hmac.compare_digest(_hash(match["secret"] if match else ""), key.sha256 if key else _NOBODY)
        return key if matches and key and key.revoked is None else None

    def _look(self) -> None:
        now = self._clock()
        if now - self._looked_at < _LOOK_EVERY_S:
            return
        self._looked_at = now
        if (stamp := self._stamp()) == self._seen:
            return
        self._seen = stamp
        try:
            self._keys = _by_id(read_keys(self._path).keys)
        except ConfigError:
            # Half-written by hand: the keys stay as they were until the file changes again.
            return

    def _stamp(self) -> tuple[int, int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0, 0)
        return (found.st_mtime_ns, found.st_size, found.st_ino)


def _by_id(keys: Iterable[Key]) -> dict[str, Key]:
    return {key.id: key for key in keys}


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

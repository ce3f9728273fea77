"""Keys: only their hash is stored, and what changes in the file counts without a restart."""

import hashlib
import json
import stat

import pytest

from app.access.keys import KeyRing, read_keys
from app.core.errors import ConfigError
from tests.support.fakes import FakeClock
from tests.support.processes import foggate


def run(*args):
    done = foggate("keys", *args)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_life_of_a_key(tmp_path):
    path = tmp_path / "keys.json"
    where = ("--file", str(path))
    made = json.loads(run("create", *where, "--name", "Ада", "--permission", "answer", "--permission", "admin", "--json"))
    other = json.loads(run("create", *where, "--questions-per-minute", "5", "--cloud-calls-per-day", "0", "--json"))
    assert made["key"].startswith(f"fg_{made['id']}_")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    secret = made["key"].split("_", 2)[2]
    assert secret not in text
    assert hashlib.sha256(secret.encode()).hexdigest() in text
    clock = FakeClock()
    ring = KeyRing(path, clock)
    assert ring.find(made["key"]).name == "Ада"
    assert ring.find(other["key"]).questions_per_minute == 5
    for wrong in ("", "x", made["key"][:-1], made["key"] + "A", made["key"][:-1] + ("A" if made["key"][-1] != "A" else "B")):
        assert ring.find(wrong) is None
    swapped = f"fg_{other['id']}_" + made["key"].split("_", 2)[2]
    assert ring.find(swapped) is None, "another key's secret"

    rotated = json.loads(run("rotate", made["id"], *where, "--json"))
    assert rotated["id"] == made["id"]
    run("revoke", other["id"], *where)
    assert ring.find(made["key"]), "looked at a moment ago"
    clock.now += 1.0
    assert ring.find(made["key"]) is None
    assert ring.find(other["key"]) is None
    assert ring.find(rotated["key"]).permissions == {"answer", "admin"}

    path.write_text("{")
    clock.now += 1.0
    assert ring.find(rotated["key"]), "a damaged file leaves the keys as they were"
    path.write_text(text)
    clock.now += 1.0
    assert ring.find(made["key"])

    listed = json.loads(run("list", *where, "--json"))
    assert [row["id"] for row in listed] == [made["id"], other["id"]]
    assert "sha256" not in listed[0]
    assert made["id"] in run("list", *where)


def test_what_is_wrong_is_said(tmp_path):
    path = tmp_path / "keys.json"
    for args, says in (
        (("revoke", "0" * 12, "--file", str(path)), "cannot be read"),
        (("create", "--file", str(path), "--permission", "root"), "'root' is not one of 'answer', 'force_route', 'pass_through', 'admin'"),
    ):
        done = foggate("keys", *args)
        assert done.returncode == 2
        assert says in done.stderr
    path.write_text('{"version": 1, "keys": []}')
    assert "has no active key '000000000000'" in foggate("keys", "revoke", "0" * 12, "--file", str(path)).stderr
    for content in ("{", "[]", '{"keys": [{"id": "x"}]}'):
        path.write_text(content)
        with pytest.raises(ConfigError, match="is not a key file"):
            read_keys(path)

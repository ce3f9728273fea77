"""A new configuration in force while the gateway runs, over real HTTP with a fake engine: whole, or not at all."""

import asyncio
import contextlib
import json

import pytest
import structlog
from pydantic import BaseModel

from app.access.keys import Key, KeyFile, new_secret, write_keys
from app.api.app import create_app
from app.cli.given import Given
from app.cli.serve import reader_of
from app.config.changes import changed, in_force
from app.config.settings import PriceSettings, Settings
from app.core.errors import ConfigError
from app.demo.bank import Bank
from app.demo.server import create_demo
from app.edge.build import with_engine
from tests.integration.test_api import calibration_file
from tests.support.clouds import completion, listening, scripted
from tests.support.fakes import FakeEngine
from tests.support.loopback import loopback_client
from tests.support.servers import serving

SURE = {"question": "I am sure of this", "options": ["a", "b", "c"]}
UNSURE = {"question": "Who knows", "options": ["a", "b", "c"]}


class Running:
    """A gateway, an HTTP client, and what it logged."""

    def __init__(self, app, http, logged):
        self.app, self.http, self.logged = app, http, logged

    async def reload(self, read, *, until="the configuration was reloaded"):
        """Ask for it, and wait for the line that says how it ended; that line."""
        seen = len(self.logged)
        self.app.state.reloader.request(read if callable(read) else lambda: read)
        ends = ("the configuration was reloaded", "the configuration was not reloaded")
        while not (found := [line for line in self.logged[seen:] if line["event"].startswith(ends)]):
            await asyncio.sleep(0.01)
        assert found[0]["event"].startswith(until), found[0]
        return found[0]

    async def refused(self, read):
        return (await self.reload(read, until="the configuration was not reloaded"))["reason"]

    async def ask(self, body=SURE, **headers):
        response = await self.http.post("/v1/answer", json=body, headers=headers)
        return response.status_code, response.json()


@contextlib.asynccontextmanager
async def running(settings, loader=lambda _: FakeEngine(), *, ready=True):
    app = create_app(settings, edge=with_engine(loader))
    with structlog.testing.capture_logs() as logged:
        async with serving(app) as url, loopback_client(base_url=url, timeout=30) as http:
            while ready and (await http.get("/health/ready")).status_code != 200:
                await asyncio.sleep(0.01)
            yield Running(app, http, logged)


def key_file(path, name):
    shown, key_id, digest = new_secret()
    write_keys(path, KeyFile(keys=[Key(id=key_id, name=name, sha256=digest, created="2026-01-02")]))
    return {"authorization": f"Bearer {shown}"}


async def test_policy_calibration_and_cloud_change_and_the_rest_is_named(tmp_path):
    calibration = calibration_file(tmp_path / "c.json")
    async with (
        serving(create_demo(Bank([], guess=True))) as cloud,
        running(Settings(policy={"tau": 0.5, "domains": {"law": {"tau": 1}}})) as gateway,
    ):
        assert (await gateway.ask(UNSURE))[1]["reason"] == "cloud_not_configured"

        wanted = Settings(
            policy={"tau": 0.75, "signal": "expected"},
            cloud={"base_url": cloud + "/v1", "model": "demo-cloud"},
            deadline_ms=7_000,
            edge={"model": "another", "max_batch_size": 4},
            server={"port": 1234, "drain_wait_s": 0},
            limits={"max_questions": 3},
        )
        said = await gateway.reload(wanted)
        assert set(said["changed"]) >= {"policy.tau", "policy.signal", "cloud.base_url", "deadline_ms", "server.drain_wait_s"}
        assert not any(path.startswith(("edge", "limits", "server.port")) for path in said["changed"])
        warned = next(line for line in gateway.logged if line["event"] == "settings that changed and need a restart")
        assert warned["settings"] == ["server.port", "edge.model", "edge.max_batch_size", "limits.max_questions"]
        _, body = await gateway.ask(UNSURE)
        assert (body["tau"], body["signal"], body["route"]) == (0.75, "expected", "cloud")
        models = (await gateway.http.get("/v1/models")).json()["data"]
        assert [model["id"] for model in models] == ["fake-edge", "demo-cloud", "foggate", "edge", "cloud"]
        taus = [line for line in (await gateway.http.get("/metrics")).text.splitlines() if line.startswith("foggate_tau{")]
        assert taus == ['foggate_tau{domain="default"} 0.75'], "the threshold of law is gone"

        # The calibration's file, then other content under the same name.
        await gateway.reload(Settings(policy={"calibration": calibration}))
        assert (await gateway.ask())[1]["tau"] == 0.2
        calibration_file(calibration, tau=0.3)
        assert (await gateway.reload(Settings(policy={"calibration": calibration})))["changed"] == []
        assert (await gateway.ask())[1]["tau"] == 0.3


async def test_a_configuration_that_is_wrong_changes_nothing(tmp_path):
    first = key_file(tmp_path / "keys.json", "first")
    settings = Settings(policy={"tau": 0.5}, security={"keys": tmp_path / "keys.json"})
    other = calibration_file(tmp_path / "other.json", edge_model="another")
    (tmp_path / "broken.json").write_text("{")

    def unreadable():
        raise ConfigError("the configuration file gateway.yaml is not YAML")

    # Each would change tau too.
    changes = {"tau": 0.9}
    secured = {"keys": tmp_path / "keys.json"}
    async with running(settings) as gateway:
        for read, says in (
            (unreadable, "is not YAML"),
            (Settings(policy={**changes, "calibration": tmp_path / "none.json"}, security=secured), "cannot be read"),
            (Settings(policy={**changes, "calibration": tmp_path / "broken.json"}, security=secured), "not JSON"),
            (Settings(policy={**changes, "calibration": other}, security=secured), "is for another edge model"),
            (Settings(policy=changes, security={"keys": tmp_path / "broken.json"}), "is not a key file"),
            (Settings(policy=changes, security={"keys": tmp_path / "none.json"}), "cannot be read"),
            (Settings(policy=changes, security=secured, cloud={"budget": {"cost_per_day": 1}}), "needs the prices"),
        ):
            assert says in await gateway.refused(read)
            status, body = await gateway.ask(**first)
            assert (status, body["tau"]) == (200, 0.5), says
            assert (await gateway.ask())[0] == 401, "the keys are still asked for"
        # And after all of them a right one is taken.
        await gateway.reload(Settings(policy=changes, security=secured))
        assert (await gateway.ask(**first))[1]["tau"] == 0.9


async def test_a_file_that_is_empty_for_a_moment_changes_nothing(tmp_path):
    """A program that truncates the file before it writes it: the defaults would take keys and thresholds away."""
    file = tmp_path / "gateway.yaml"
    file.write_text("policy: {tau: 0.75}")
    read = reader_of(Given(file), None)
    async with running(read()) as gateway:
        file.write_text("")
        assert "gateway.yaml is empty: is it being written?" in await gateway.refused(read)
        assert (await gateway.ask())[1]["tau"] == 0.75
        file.write_text("policy: {tau: 0.25}")
        await gateway.reload(read)
        assert (await gateway.ask())[1]["tau"] == 0.25


async def test_a_reload_never_opens_a_gateway_beyond_loopback(tmp_path):
    headers = key_file(tmp_path / "keys.json", "first")
    host = {"host": "0.0.0.0"}
    async with running(Settings(server=host, security={"keys": tmp_path / "keys.json"})) as gateway:
        assert "no keys are configured" in await gateway.refused(Settings(server=host))
        # The new file's address does not count: this gateway listens where it has been listening.
        assert "no keys are configured" in await gateway.refused(Settings())
        assert ((await gateway.ask())[0], (await gateway.ask(**headers))[0]) == (401, 200)


async def test_keys_hosts_and_metrics_change(tmp_path):
    first, second = key_file(tmp_path / "first.json", "first"), key_file(tmp_path / "second.json", "second")
    async with running(Settings()) as gateway:
        assert ((await gateway.ask())[0], (await gateway.ask(host="gateway.example"))[0]) == (200, 421)
        await gateway.reload(Settings(security={"keys": tmp_path / "first.json"}))
        assert [(await gateway.ask(**headers))[0] for headers in ({}, first, second)] == [401, 200, 401]
        assert (await gateway.ask(**first, host="gateway.example"))[0] == 200
        assert (await gateway.http.get("/metrics")).status_code == 401
        await gateway.reload(Settings(security={"keys": tmp_path / "second.json", "public_metrics": True, "allowed_hosts": ["a.example"]}))
        assert [(await gateway.ask(**headers, host="a.example"))[0] for headers in (first, second)] == [401, 200]
        assert (await gateway.ask(**second, host="b.example"))[0] == 421
        assert (await gateway.http.get("/metrics", headers={"host": "a.example"})).status_code == 200


async def test_a_question_under_way_keeps_the_cloud_that_it_began_with():
    """The old cloud answers only when the reload is over."""
    asked_old, reloaded = asyncio.Event(), asyncio.Event()
    body = json.dumps(completion(model="old")).encode()

    async def old_cloud(reader, writer):
        await reader.read(10_000)
        asked_old.set()
        await reloaded.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()

    async with (
        listening(old_cloud) as old,
        scripted((200, completion(model="new"))) as new,
        running(Settings(cloud={"base_url": old + "/v1"})) as gateway,
    ):
        asked = asyncio.ensure_future(gateway.ask(UNSURE))
        await asked_old.wait()
        await gateway.reload(Settings(cloud={"base_url": new.url + "/v1"}))
        assert (await gateway.ask({**UNSURE, "question": "Who knows now"}))[1]["cloud"]["model"] == "new"
        reloaded.set()
        status, reply = await asked
        assert (status, reply["degraded"], reply["cloud"]["model"]) == (200, False, "old")


async def test_no_question_meets_half_of_a_configuration(tmp_path):
    """Two configurations whose tau, signal and keys belong together, exchanged while questions are asked."""
    calibration = calibration_file(tmp_path / "c.json")
    one = Settings(policy={"tau": 0.5, "signal": "verbalized"}, deadline_ms=9_000)
    two = Settings(policy={"calibration": calibration, "on_cloud_failure": "error"}, deadline_ms=8_000)
    seen = set()
    async with running(one) as gateway:
        done = asyncio.Event()

        async def client():
            while not done.is_set():
                _, body = await gateway.ask()
                seen.add((body["tau"], body["signal"]))

        clients = [asyncio.ensure_future(client()) for _ in range(4)]
        for number in range(10):
            await gateway.reload(one if number % 2 else two)
            await gateway.ask()
        done.set()
        await asyncio.gather(*clients)
    assert seen == {(0.5, "verbalized"), (0.2, "expected")}


async def test_what_is_asked_for_while_the_model_loads_is_done_afterwards():
    engine = FakeEngine()
    engine.gate.clear()
    async with running(Settings(policy={"tau": 0.5}), lambda _: engine, ready=False) as gateway:
        reloaded = asyncio.ensure_future(gateway.reload(Settings(policy={"tau": 0.25})))
        while not any("when the model has been loaded" in line["event"] for line in gateway.logged):
            await asyncio.sleep(0.01)
        engine.gate.set()
        await reloaded
        assert (await gateway.ask())[1]["tau"] == 0.25


async def test_the_cloud_of_an_unchanged_section_is_kept():
    """With its cached answers, its breakers and what its budget has counted."""
    async with scripted((200, completion())) as cloud:
        settings = {"cloud": {"base_url": cloud.url + "/v1", "cache_entries": 10}}
        async with running(Settings(**settings)) as gateway:
            await gateway.ask(UNSURE)
            await gateway.reload(Settings(**settings, policy={"tau": 0.75}))
            _, body = await gateway.ask(UNSURE)
            assert (body["tau"], body["cloud"]["attempts"], cloud.calls) == (0.75, 0, 1)


async def test_a_budget_stays_spent():
    async with scripted((200, completion())) as cloud:
        place = {"base_url": cloud.url + "/v1", "budget": {"calls_per_day": 1}}
        async with running(Settings(cloud=place)) as gateway:
            await gateway.ask(UNSURE)
            await gateway.reload(Settings(cloud={**place, "timeout_s": 5}))
            assert (await gateway.ask(UNSURE))[1]["reason"] == "budget_exhausted"
            assert cloud.calls == 1


async def test_ready_is_not_said_after_the_end_was_asked_for():
    engine = FakeEngine()
    engine.gate.clear()
    said = []
    app = create_app(Settings(), edge=with_engine(lambda _: engine), on_ready=said.append)
    async with serving(app) as url, loopback_client(base_url=url) as http:
        await asyncio.to_thread(engine.started.wait, 30)
        app.state.gateway.draining = True
        engine.gate.set()
        assert (await http.get("/health/ready")).json() == {"status": "draining"}
    assert said == []


@pytest.mark.parametrize("section", [name for name, value in Settings() if isinstance(value, BaseModel)])
def test_every_setting_is_in_force_or_named(section):
    """A setting that a reload would neither change nor name would be a silent one."""
    old = Settings()
    fresh = getattr(old, section)
    names = list(type(fresh).model_fields)
    new = old.model_copy(update={section: fresh.model_copy(update={name: object() for name in names})})
    merged = in_force(old, new)
    assert sorted(changed(old, merged) + changed(merged, new)) == sorted(f"{section}.{name}" for name in names)
    assert json.dumps(changed(old, old)) == "[]"


def test_what_stands_in_no_section_is_in_force_or_named_too():
    old = Settings()
    new = old.model_copy(update={"deadline_ms": 1, "batch_deadline_ms": 2, "prices": {"m": PriceSettings()}})
    merged = in_force(old, new)
    assert (changed(old, merged), changed(merged, new)) == (["prices", "deadline_ms"], ["batch_deadline_ms"])

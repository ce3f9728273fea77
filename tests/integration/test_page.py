"""The page at / over HTTP: what it shows without a key, its login, and what another origin may not do with it."""

import asyncio
import datetime as dt

import pytest
import structlog

from app.access.keys import KeyFile, Permission, new_secret, read_keys, write_keys
from app.api.pages import ASSETS
from app.recognise import Refusal
from tests.integration.test_api import ASK, calibration_file, gateway
from tests.integration.test_security import ALL, key_file

PAGE = {"x-requested-with": "foggate-page"}
FROM_HERE = {**PAGE, "sec-fetch-site": "same-origin"}
PAGE_PATHS = ("/", "/ui", *(f"/ui/{name}" for name in ASSETS))


def secret_of(headers):
    return headers["authorization"].removeprefix("Bearer ")


@pytest.fixture
def keys(tmp_path):
    """A key for everything and one that may only ask; the ring's file."""
    everything, plain = key_file(tmp_path / "k", {**ALL, "name": "operator"}, {"name": "plain"})
    return {"all": secret_of(everything), "plain": secret_of(plain), "security": {"keys": tmp_path / "k"}, "path": tmp_path / "k"}


async def logged_in(http, key, **headers):
    """A client whose cookie jar holds the login."""
    reply = await http.post("/ui/login", json={"key": key}, headers={**FROM_HERE, **headers})
    assert reply.status_code == 200
    return reply


async def test_the_page_and_its_files_need_no_key_and_come_with_a_strict_policy(keys):
    async with gateway(cloud=False, security=keys["security"]) as (http, _):
        for path in PAGE_PATHS:
            reply = await http.get(path)
            assert reply.status_code == 200, path
            policy = {part.split()[0]: part.split()[1:] for part in reply.headers["content-security-policy"].split("; ")}
            assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == ["'none'"]
            assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"]
            assert policy["require-trusted-types-for"] == ["'script'"]
            assert "unsafe" not in reply.headers["content-security-policy"]
            assert (reply.headers["x-content-type-options"], reply.headers["referrer-policy"]) == ("nosniff", "no-referrer")
            assert (await http.get(path, headers={"if-none-match": reply.headers["etag"]})).status_code == 304
        assert (await http.get("/")).text == (await http.get("/ui")).text
        for path in ("/ui/README.md", "/ui/LICENSE-htm", "/ui/../pages.py", "/ui/index.html", "/ui/"):
            assert (await http.get(path)).status_code == 401, path


async def test_without_a_key_the_page_is_told_nothing_of_the_gateway(keys):
    nothing = {"needs_key": True, "key": None, "permissions": [], "gateway": None}
    async with gateway(security=keys["security"]) as (http, _):
        for headers in ({}, PAGE, FROM_HERE, {**FROM_HERE, "cookie": f"foggate_key={new_secret()[0]}"}, {"authorization": "Bearer x"}):
            assert (await http.get("/ui/session", headers=headers)).json() == nothing
        for path in ("/ui/threshold", "/ui/events", "/v1/models", "/metrics"):
            assert (await http.get(path, headers=FROM_HERE)).status_code == 401, path
        assert (await http.post("/ui/recognise", json={"text": "x"}, headers=FROM_HERE)).status_code == 401
        assert (await http.get("/ui/session", headers={"host": "evil.example"})).status_code == 200, "with keys every host name is served"


async def test_a_gateway_without_keys_needs_no_login_and_is_reached_under_its_own_names_only():
    async with gateway() as (http, _):
        told = (await http.get("/ui/session")).json()
        assert (told["needs_key"], told["key"]) == (False, None)
        assert told["permissions"] == sorted(Permission)
        assert (told["gateway"]["edge_model"], told["gateway"]["tau"], told["gateway"]["signal"]) == ("fake-edge", 0.5, "verbalized")
        for path in ("/", "/ui/session", "/ui/app.js"):
            assert (await http.get(path, headers={"host": "evil.example"})).status_code == 421
        assert (await http.post("/ui/login", json={"key": "whatever"}, headers=FROM_HERE)).headers.get("set-cookie") is None


async def test_a_login_asks_questions_until_the_logout_and_the_key_is_shown_nowhere(keys):
    with structlog.testing.capture_logs() as logs:
        async with gateway(cloud=False, security=keys["security"]) as (http, _):
            reply = await logged_in(http, keys["all"])
            assert keys["all"] not in reply.text
            assert (reply.json()["key"]["name"], reply.json()["gateway"]["edge_model"]) == ("operator", "fake-edge")
            assert reply.headers["cache-control"] == "no-store"
            cookie = reply.headers["set-cookie"].lower()
            assert all(flag in cookie for flag in ("httponly", "samesite=strict", "path=/"))
            assert "secure" not in cookie
            assert (await http.post("/v1/answer", json=ASK, headers=FROM_HERE)).json()["answer"] == "B"
            session = await http.get("/ui/session", headers=FROM_HERE)
            assert session.json()["permissions"] == sorted(Permission)
            assert keys["all"] not in session.text
            assert (await http.get("/metrics", headers=FROM_HERE)).status_code == 200
            assert keys["all"] not in (await http.get("/metrics", headers=FROM_HERE)).text
            out = await http.post("/ui/logout", json={}, headers=FROM_HERE)
            assert out.json()["permissions"] == []
            assert not [cookie for cookie in http.cookies.jar if cookie.name == "foggate_key"]
            assert (await http.post("/v1/answer", json=ASK, headers=FROM_HERE)).status_code == 401
    assert any(entry.get("path") == "/ui/login" and entry.get("key") == keys["all"].split("_")[1] for entry in logs)
    assert keys["all"] not in str(logs)
    assert keys["all"].split("_", 2)[2] not in str(logs)


async def test_behind_https_the_cookie_is_secure(keys):
    async with gateway(cloud=False, security=keys["security"]) as (http, _):
        reply = await logged_in(http, keys["all"], origin="https://gateway.example")
        cookie = reply.headers["set-cookie"]
        assert cookie.startswith("__Host-foggate_key=")
        assert "Secure" in cookie


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin"},
        {**PAGE, "sec-fetch-site": "cross-site"},
        {**PAGE, "sec-fetch-site": "same-site"},
        {**PAGE, "origin": "http://evil.example"},
        {**PAGE, "origin": "null"},
    ],
)
async def test_a_request_that_another_origin_caused_has_no_use_of_the_login(keys, headers):
    async with gateway(cloud=False, security=keys["security"]) as (http, engine):
        await logged_in(http, keys["all"])
        asked = len(engine.batches)
        assert (await http.post("/v1/answer", json=ASK, headers=headers)).status_code == 401
        assert (await http.get("/metrics", headers=headers)).status_code == 401
        assert (await http.get("/ui/events", headers=headers)).status_code == 401
        assert len(engine.batches) == asked
        for path, body in (("/ui/login", {"key": keys["plain"]}), ("/ui/logout", {})):
            refused = await http.post(path, json=body, headers=headers)
            assert (refused.status_code, refused.json()["error"]["type"], "set-cookie" in refused.headers) == (403, "forbidden", False)
        assert (await http.get("/ui/session", headers=FROM_HERE)).json()["key"]["name"] == "operator", "still logged in, as the same one"


async def test_a_form_of_another_page_cannot_log_in_or_out(keys):
    """A form sends no JSON, and a script of another origin cannot send the header: its preflight request is refused."""
    async with gateway(cloud=False, security=keys["security"], server={"cors_origins": ["https://app.example"]}) as (http, _):
        for path in ("/ui/login", "/ui/logout"):
            assert (await http.post(path, data={"key": keys["all"]}, headers=FROM_HERE)).status_code == 415
        for path in ("/ui/login", "/v1/answer"):
            preflight = {"origin": "https://app.example", "access-control-request-method": "POST"}
            for asked, status in (("content-type", 200), ("content-type,x-requested-with", 400)):
                reply = await http.options(path, headers={**preflight, "access-control-request-headers": asked})
                assert reply.status_code == status, (path, asked)
            assert "access-control-allow-credentials" not in reply.headers


async def test_wrong_keys_are_refused_and_bounded_and_lock_nobody_out(keys):
    async with gateway(cloud=False, security=keys["security"]) as (http, _):
        statuses = []
        for _ in range(22):
            reply = await http.post("/ui/login", json={"key": new_secret()[0]}, headers=FROM_HERE)
            statuses.append(reply.status_code)
            assert "set-cookie" not in reply.headers
        # A minute may begin anew in between.
        assert statuses[:1] == [401]
        assert set(statuses) == {401, 429}
        assert (await http.post("/ui/login", json={"key": "x" * 300}, headers=FROM_HERE)).status_code == 422
        assert (await http.post("/ui/login", json={"key": 1}, headers=FROM_HERE)).status_code == 422
        await logged_in(http, keys["all"])


async def test_a_revoked_key_ends_the_login(keys):
    async with gateway(cloud=False, security=keys["security"]) as (http, _):
        await logged_in(http, keys["all"])
        content = read_keys(keys["path"])
        revoked = [key.model_copy(update={"revoked": dt.date(2026, 1, 3)}) for key in content.keys]
        write_keys(keys["path"], KeyFile(keys=revoked))
        async with asyncio.timeout(20):
            while (await http.get("/ui/session", headers=FROM_HERE)).json()["permissions"]:
                await asyncio.sleep(0.1)
        assert (await http.post("/v1/answer", json=ASK, headers=FROM_HERE)).status_code == 401
        assert (await http.post("/ui/logout", json={}, headers=FROM_HERE)).status_code == 200, "the cookie can still be removed"


async def test_a_key_does_with_the_page_what_it_may_do_without(keys):
    async with gateway(security=keys["security"]) as (http, _):
        await logged_in(http, keys["plain"])
        assert (await http.get("/ui/session", headers=FROM_HERE)).json()["permissions"] == ["answer"]
        assert (await http.get("/ui/events", headers=FROM_HERE)).status_code == 403
        assert (await http.post("/v1/answer", json={**ASK, "tau": 0.9}, headers=FROM_HERE)).status_code == 403
        assert (await http.get("/ui/threshold", headers=FROM_HERE)).status_code == 200


async def test_the_text_of_a_whole_question_is_split(keys):
    async with gateway(cloud=False) as (http, _):
        text = "Қазақстанның астанасы қай қала?\nA. Алматы\nB. Астана\nC. Шымкент"
        found = (await http.post("/ui/recognise", json={"text": text}, headers=PAGE)).json()
        assert found == {"question": "Қазақстанның астанасы қай қала?", "options": ["Алматы", "Астана", "Шымкент"]}
        assert (await http.post("/ui/recognise", json={"text": "Write a poem."})).json() == {
            "question": None,
            "options": [],
            "reason": "no_options",
            "sentence": Refusal.NO_OPTIONS.sentence,
        }
        long = await http.post("/ui/recognise", json={"text": "x" * 200_000})
        assert (long.status_code, long.json()["error"]["param"]) == (422, "text")


async def test_the_threshold_part_has_the_calibration_and_its_curve(tmp_path):
    async with gateway() as (http, _):
        assert (await http.get("/ui/threshold")).json() == {"calibration": None, "curve": None}
    async with gateway(policy={"calibration": calibration_file(tmp_path / "c.json")}) as (http, _):
        told = (await http.get("/ui/threshold")).json()
        assert told["calibration"] == (await http.get("/v1/models")).json()["data"][0]["calibration"]
        assert told["curve"]["n"] == 30
        assert [told["curve"]["points"][at]["cloud_rate"] for at in (0, -1)] == [0, 1]
        session = (await http.get("/ui/session")).json()["gateway"]
        assert (session["tau"], session["signal"], session["domains"]) == (0.2, "expected", {"law": 0.95, "math": 1.0})
    plain = calibration_file(tmp_path / "d.json", curve=None)
    async with gateway(policy={"calibration": plain}) as (http, _):
        assert (await http.get("/ui/threshold")).json()["curve"] is None


async def test_the_page_can_be_switched_off(keys):
    async with gateway(cloud=False, ui={"enabled": False}) as (http, _):
        for path in (*PAGE_PATHS, "/ui/session", "/ui/events", "/ui/threshold"):
            assert (await http.get(path)).status_code == 404, path
        assert (await http.post("/ui/login", json={"key": "x"}, headers=FROM_HERE)).status_code == 404
    async with gateway(cloud=False, ui={"enabled": False}, security=keys["security"]) as (http, _):
        cookie = {"cookie": f"foggate_key={keys['all']}"}
        assert (await http.get("/v1/models", headers={**PAGE, **cookie})).status_code == 200, "a cookie is a key in another place"
        assert (await http.get("/", headers={**PAGE, **cookie})).status_code == 404

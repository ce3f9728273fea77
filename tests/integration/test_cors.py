"""Cross-origin requests as a browser makes them, over real HTTP. A real browser: tests/integration/test_browser.py."""

import asyncio
import json

import pytest
import structlog

from app.config.bind_safety import check_bind_safety
from app.config.loading import load_settings
from app.config.settings import Settings
from app.core.errors import ConfigError
from tests.integration.test_api import ASK, gateway
from tests.integration.test_security import ALL, key_file
from tests.integration.test_status_table import BUG, Buggy
from tests.support.fakes import FakeEngine

PAGE = "https://app.example.org"
OTHER = "https://evil.example.org"
FROM = {"origin": PAGE}
SERVER = {"cors_origins": [PAGE, "http://localhost:3000"]}


def preflight(origin=PAGE, method="POST", headers="authorization,content-type"):
    return {"origin": origin, "access-control-request-method": method, "access-control-request-headers": headers}


async def test_without_the_setting_there_is_no_cors():
    async with gateway(cloud=False) as (http, _):
        assert (await http.options("/v1/answer", headers=preflight())).status_code == 405
        reply = await http.post("/v1/answer", json=ASK, headers=FROM)
        assert not [name for name in reply.headers if name.startswith("access-control")]


async def test_a_preflight_is_answered_before_authentication(tmp_path):
    key_file(tmp_path / "k", ALL)
    async with gateway(cloud=False, server=SERVER, security={"keys": tmp_path / "k"}) as (http, _):
        for path in ("/v1/answer", "/v1/answers", "/v1/models", "/metrics", "/health/ready", "/nothing"):
            for origin in SERVER["cors_origins"]:
                reply = await http.options(path, headers=preflight(origin))
                assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (200, origin), path
                assert {"authorization", "content-type"} <= set(reply.headers["access-control-allow-headers"].lower().split(", "))
                assert "POST" in reply.headers["access-control-allow-methods"]
                assert "Origin" in reply.headers["vary"]
                assert reply.headers["x-request-id"]
                assert "access-control-allow-credentials" not in reply.headers


@pytest.mark.parametrize(
    "headers",
    [
        preflight(OTHER),
        preflight("null"),
        preflight(PAGE + "/"),
        preflight(PAGE.upper()),
        preflight(PAGE + ":443"),
        preflight(PAGE + ".evil.org"),
        preflight("http://app.example.org"),
        preflight("http://localhost:3001"),
    ],
)
async def test_no_other_origin_is_allowed(headers):
    async with gateway(cloud=False, server=SERVER) as (http, _):
        assert "access-control-allow-origin" not in (await http.options("/v1/answer", headers=headers)).headers
        reply = await http.post("/v1/answer", json=ASK, headers={"origin": headers["origin"]})
        assert "access-control-allow-origin" not in reply.headers
        assert "Origin" in reply.headers["vary"]


async def test_methods_and_headers_that_nobody_needs_are_not_allowed():
    async with gateway(cloud=False, server=SERVER) as (http, _):
        assert (await http.options("/v1/answer", headers=preflight(method="DELETE"))).status_code == 400
        assert (await http.options("/v1/answer", headers=preflight(headers="x-secret"))).status_code == 400
        for headers in ("content-encoding", "x-request-id", "traceparent", "Authorization, Content-Type"):
            assert (await http.options("/v1/answer", headers=preflight(headers=headers))).status_code == 200


# As openai 6.49 for JavaScript sends them from a page.
STAINLESS = (
    "authorization,content-type,openai-organization,openai-project,user-agent,x-stainless-arch,x-stainless-helper-method,x-stainless-lang,"
    "x-stainless-os,x-stainless-package-version,x-stainless-retry-count,x-stainless-runtime,x-stainless-runtime-version,x-stainless-timeout"
)


async def test_a_page_with_openais_client_may_send_what_that_sends():
    async with gateway(cloud=False, server=SERVER) as (http, _):
        for path in ("/v1/chat/completions", "/v1/responses"):
            reply = await http.options(path, headers=preflight(headers=STAINLESS))
            assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (200, PAGE), reply.text


async def test_a_page_of_the_internet_may_ask_for_a_gateway_in_the_local_network():
    async with gateway(cloud=False, server=SERVER) as (http, _):
        ask = {"access-control-request-private-network": "true"}
        assert (await http.options("/v1/answer", headers={**preflight(), **ask})).headers["access-control-allow-private-network"] == "true"
        assert "access-control-allow-origin" not in (await http.options("/v1/answer", headers={**preflight(OTHER), **ask})).headers


async def test_every_reply_can_be_read_by_the_page_errors_among_them(tmp_path):
    (key,) = key_file(tmp_path / "k", {"questions_per_minute": 4})
    limits, security = {"max_body_bytes": 1_000}, {"keys": tmp_path / "k", "allowed_hosts": ["127.0.0.1"]}
    async with gateway(Buggy(), cloud=False, server=SERVER, limits=limits, security=security) as (http, _):
        with structlog.testing.capture_logs():
            replies = [
                await http.post("/v1/answer", json=ASK, headers=FROM | key),
                await http.post("/v1/answer", content=b"{", headers=FROM | key | {"content-type": "application/json"}),
                await http.post("/v1/answer", json=ASK, headers=FROM),
                await http.post("/v1/answer", json={**ASK, "tau": 0.5}, headers=FROM | key),
                await http.get("/nothing", headers=FROM | key),
                await http.delete("/v1/answer", headers=FROM | key),
                await http.post("/v1/answer", content=b"x" * 2_000, headers=FROM | key | {"content-type": "application/json"}),
                await http.post("/v1/answer", json=ASK, headers=FROM | key),
                await http.post("/v1/models", headers=FROM | {"host": "evil"}),
            ]
        assert [reply.status_code for reply in replies] == [200, 400, 401, 403, 404, 405, 413, 429, 421]
        for reply in replies:
            assert reply.headers["access-control-allow-origin"] == PAGE, reply.status_code
            assert "Origin" in reply.headers["vary"]
            exposed = set(reply.headers["access-control-expose-headers"].split(", "))
            assert {"x-request-id", "x-foggate-route", "x-foggate-signal", "retry-after"} <= exposed
    async with gateway(Buggy(), cloud=False, server=SERVER) as (http, _):
        with structlog.testing.capture_logs():
            bug = await http.post("/v1/answer", json=BUG, headers=FROM)
        assert (bug.status_code, bug.headers["access-control-allow-origin"]) == (500, PAGE)
        assert bug.json()["error"]["request_id"] == bug.headers["x-request-id"]


async def test_overload_and_lines_can_be_read_too():
    async with gateway(FakeEngine(), cloud=False, server=SERVER, edge={"max_queue_size": 1}) as (http, engine):
        lines = await http.post("/v1/answers", json={"questions": [ASK]}, headers=FROM | {"accept": "application/x-ndjson"})
        assert lines.headers["access-control-allow-origin"] == PAGE
        engine.started.clear()
        engine.gate.clear()
        running = asyncio.ensure_future(http.post("/v1/answer", json=ASK))
        await asyncio.to_thread(engine.started.wait)
        waiting = [asyncio.ensure_future(http.post("/v1/answer", json=ASK, headers=FROM)) for _ in range(2)]
        (full,), (last,) = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert (full.result().status_code, full.result().headers["access-control-allow-origin"]) == (429, PAGE)
        engine.gate.set()
        assert [(await reply).status_code for reply in (running, last)] == [200, 200]


async def test_a_reply_without_an_origin_says_that_it_depends_on_it():
    """A cache must not give it to a page."""
    async with gateway(cloud=False, server=SERVER) as (http, _):
        assert (await http.get("/v1/models")).headers["vary"] == "Origin"


async def test_all_origins_need_keys(tmp_path):
    (key,) = key_file(tmp_path / "k", ALL)
    with pytest.raises(ConfigError, match="any web page"):
        check_bind_safety(Settings(server={"cors_origins": ["*"]}))
    security = {"keys": tmp_path / "k"}
    check_bind_safety(Settings(server={"cors_origins": ["*"]}, security=security))
    async with gateway(cloud=False, server={"cors_origins": ["*"]}, security=security) as (http, _):
        assert (await http.options("/v1/answer", headers=preflight(OTHER))).headers["access-control-allow-origin"] == "*"
        assert (await http.post("/v1/answer", json=ASK, headers={"origin": OTHER})).status_code == 401
        allowed = await http.post("/v1/answer", json=ASK, headers={"origin": OTHER} | key)
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, "*")
        assert "access-control-allow-credentials" not in allowed.headers


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.org",
        "http://example.org",
        "http://localhost:3000",
        "http://127.0.0.1:5173",
        "http://[::1]:3000",
        "https://xn--bcher-kva.de",
        "*",
    ],
)
def test_origins_that_a_browser_sends_are_taken(tmp_path, origin):
    (tmp_path / "g.yaml").write_text(f"server: {{cors_origins: ['{origin}']}}")
    assert load_settings(tmp_path / "g.yaml").server.cors_origins == [origin]


@pytest.mark.parametrize(
    ("origin", "says"),
    [
        ("https://example.org/", "write https://example.org"),
        ("https://example.org/app", "write https://example.org"),
        ("https://example.org?x=1", "write https://example.org"),
        ("HTTPS://Example.org", "write https://example.org"),
        ("https://example.org:443", "write https://example.org"),
        ("http://example.org:80", "write http://example.org"),
        ("https://ada@example.org", "write https://example.org"),
        ("https://bücher.de", "write https://xn--bcher-kva.de"),
        (" https://example.org", "write https://example.org"),
        ("example.org", "is not an origin such as https://example.org"),
        ("localhost:3000", "is not an origin such as"),
        ("//example.org", "is not an origin such as"),
        ("https://", "is not an origin such as"),
        ("https://example.org:99999", "is not an origin such as"),
        ("https://[::1", "is not an origin such as"),
        ("file:///home/ada", "is not an origin such as"),
        ("null", "names no web page"),
        ("", "is empty"),
        ("https://*.example.org", "list each one"),
        ("https://exam ple.org", "another name for this host"),
    ],
)
def test_what_a_browser_never_sends_is_refused_with_what_it_sends(monkeypatch, origin, says):
    monkeypatch.setenv("FOGGATE_SERVER__CORS_ORIGINS", json.dumps([origin]))
    with pytest.raises(ConfigError) as refused:
        load_settings()
    assert refused.value.message.startswith("server.cors_origins.0: ")
    assert "Value error" not in refused.value.message
    assert says in refused.value.message

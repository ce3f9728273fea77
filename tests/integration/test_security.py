"""Who may ask what: keys, permissions, rates, hosts, slow and greedy connections. The real server over HTTP."""

import asyncio
import contextlib
import datetime as dt
import json
import os
import signal

import httpx2
import pytest
import structlog

from app.access.keys import Key, KeyFile, Permission, new_secret, write_keys
from app.api.connections import guarded_protocol
from app.api.documents import documents_face
from app.api.server import listen, serve
from app.config.bind_safety import allowed_hosts, check_bind_safety
from app.config.loading import masked
from app.config.settings import Settings
from app.core.errors import ConfigError
from app.edge.build import with_engine
from tests.integration.test_api import ASK, UNSURE, gateway
from tests.support.fakes import FakeEngine
from tests.support.loopback import loopback_client
from tests.support.servers import serving

DOCS_PATHS = [endpoint.path for endpoint in documents_face().endpoints]
PATHS = ("/v1/answer", "/v1/answers", "/v1/models", "/metrics", "/docs/LICENSE", "/redoc", "/nothing")


def key_file(path, *given):
    """Keys with these fields; returns what callers send."""
    made = [new_secret() for _ in given]
    today = dt.date(2026, 1, 2)
    write_keys(
        path,
        KeyFile(
            keys=[Key(id=key_id, sha256=digest, created=today, **fields) for (_, key_id, digest), fields in zip(made, given, strict=True)]
        ),
    )
    return [{"authorization": f"Bearer {shown}"} for shown, _, _ in made]


ALL = {"permissions": frozenset(Permission)}


async def test_every_path_needs_a_key_but_the_probes_and_the_documents(tmp_path):
    (right,) = key_file(tmp_path / "k", ALL)
    async with gateway(security={"keys": tmp_path / "k"}) as (http, _):
        for path in PATHS:
            for headers in (
                {},
                {"authorization": "Bearer nonsense"},
                {"authorization": right["authorization"][:-2]},
                {"authorization": "Basic eDp5"},
            ):
                refused = await http.request(
                    "POST" if "answer" in path else "GET", path, headers=headers, json=ASK if "answer" in path else None
                )
                kind = "authentication_error" if path == "/v1/models" else "unauthorized"
                assert (refused.status_code, refused.json()["error"]["type"]) == (401, kind), path
                assert refused.headers["www-authenticate"] == "Bearer"
                assert refused.headers["x-request-id"]
        for path in ("/health/live", "/health/ready", *DOCS_PATHS):
            assert (await http.get(path)).status_code == 200
        assert (await http.post("/v1/answer", json=ASK, headers=right)).status_code == 200
        assert (await http.get("/metrics", headers=right)).status_code == 200
        assert http.state.metrics.registry.get_sample_value("foggate_rejected_total", {"reason": "unauthorized"}) == 4 * len(PATHS)


async def test_the_documents_can_be_kept_behind_a_key(tmp_path):
    (right,) = key_file(tmp_path / "k", ALL)
    async with gateway(security={"keys": tmp_path / "k", "public_docs": False}) as (http, _):
        for path in DOCS_PATHS:
            assert ((await http.get(path)).status_code, (await http.get(path, headers=right)).status_code) == (401, 200), path


async def test_permissions(tmp_path):
    plain, chooser, operator = key_file(
        tmp_path / "k", {}, {"permissions": frozenset({"answer", "force_route"})}, {"permissions": frozenset({"admin"})}
    )
    async with gateway(security={"keys": tmp_path / "k"}) as (http, _):

        async def status(headers, **more):
            reply = await http.post("/v1/answer", json={**ASK, **more}, headers=headers)
            return reply.status_code, reply.json().get("error", {}).get("param")

        assert await status(plain) == (200, None)
        assert await status(plain, route="auto") == (200, None)
        assert await status(plain, tau=0.1) == (403, "tau")
        assert await status(plain, route="cloud") == (403, "route")
        assert await status(chooser, tau=0.1, route="edge") == (200, None)
        assert await status(operator) == (403, None)
        assert (await http.get("/metrics", headers=plain)).status_code == 403
        assert (await http.get("/metrics", headers=operator)).status_code == 200
        many = await http.post("/v1/answers", json={"questions": [ASK, {**ASK, "tau": 1}]}, headers=plain)
        assert [result.get("answer") or result["error"]["type"] for result in many.json()["results"]] == ["B", "forbidden"]
    async with gateway(security={"keys": tmp_path / "k", "public_metrics": True}) as (http, _):
        assert (await http.get("/metrics")).status_code == 200


async def test_a_key_has_its_own_rate_and_says_what_is_left(tmp_path):
    few, free = key_file(tmp_path / "k", {"questions_per_minute": 4}, {})
    async with gateway(security={"keys": tmp_path / "k"}) as (http, _):
        first = await http.post("/v1/answer", json=ASK, headers=few)
        assert (first.headers["ratelimit-limit"], first.headers["ratelimit-remaining"]) == ("4", "3")
        assert 0 < int(first.headers["ratelimit-reset"]) <= 60
        assert (await http.get("/v1/models", headers=few)).headers["ratelimit-remaining"] == "3", "only questions count"
        assert (await http.post("/v1/answers", json={"questions": [ASK, ASK]}, headers=few)).status_code == 200
        over = await http.post("/v1/answers", json={"questions": [ASK, ASK]}, headers=few)
        assert (over.status_code, over.json()["error"]["type"]) == (429, "rate_limited")
        assert 1 <= int(over.headers["retry-after"]) <= 60
        unlimited = await http.post("/v1/answer", json=ASK, headers=free)
        assert unlimited.status_code == 200
        assert "ratelimit-limit" not in unlimited.headers


async def test_a_refused_batch_uses_up_nothing(tmp_path):
    (few,) = key_file(tmp_path / "k", {"questions_per_minute": 6})
    async with gateway(security={"keys": tmp_path / "k"}) as (http, _):

        async def many(count):
            return await http.post("/v1/answers", json={"questions": [ASK] * count}, headers=few)

        assert (await many(3)).status_code == 200
        for _ in range(3):
            over = await many(4)
            assert (over.status_code, over.json()["error"]["type"]) == (429, "rate_limited")
            assert "4 questions, but 3 are left of 6 a minute" in over.json()["error"]["message"]
            assert over.headers["ratelimit-remaining"] == "3"
        last = await many(3)
        assert (last.status_code, last.headers["ratelimit-remaining"]) == (200, "0")
        assert (await http.post("/v1/answer", json=ASK, headers=few)).status_code == 429


async def test_a_batch_that_can_never_pass_is_told_so_and_not_when_to_come_back(tmp_path):
    (few,) = key_file(tmp_path / "k", {"questions_per_minute": 6})
    async with gateway(security={"keys": tmp_path / "k"}) as (http, _):
        for accept in ("application/json", "application/x-ndjson"):
            never = await http.post("/v1/answers", json={"questions": [ASK] * 7}, headers={**few, "accept": accept})
            assert (never.status_code, never.json()["error"]["param"]) == (422, "questions")
            assert "this key may ask 6 a minute" in never.json()["error"]["message"]
            assert "retry-after" not in never.headers
        assert (await http.post("/v1/answers", json={"questions": [ASK] * 6}, headers=few)).status_code == 200


async def test_a_broken_request_counts_as_one_question(tmp_path):
    (few,) = key_file(tmp_path / "k", {"questions_per_minute": 4})
    async with gateway(security={"keys": tmp_path / "k"}) as (http, _):
        for path, content, kind in (
            ("/v1/answer", b"{", "application/json"),
            ("/v1/answers", b'{"questions": 1}', "application/json"),
            ("/v1/answer", b"{}", "text/plain"),
        ):
            assert (await http.post(path, content=content, headers={**few, "content-type": kind})).status_code in {400, 415, 422}
        assert (await http.post("/v1/answer", json=ASK, headers=few)).headers["ratelimit-remaining"] == "0"
        assert (await http.post("/v1/answer", content=b"{", headers={**few, "content-type": "application/json"})).status_code == 429


async def test_a_question_that_the_queue_refuses_is_given_back(tmp_path):
    (few,) = key_file(tmp_path / "k", {"questions_per_minute": 5})
    async with gateway(security={"keys": tmp_path / "k"}, edge={"max_queue_size": 1}) as (http, engine):
        engine.started.clear()
        engine.gate.clear()
        running = asyncio.ensure_future(http.post("/v1/answer", json=ASK, headers=few))
        await asyncio.to_thread(engine.started.wait)
        waiting = asyncio.ensure_future(http.post("/v1/answer", json=ASK, headers=few))
        while not http.state.metrics.registry.get_sample_value("foggate_edge_queue_depth"):
            await asyncio.sleep(0.01)
        refused = await http.post("/v1/answer", json=ASK, headers=few)
        assert (refused.status_code, refused.json()["error"]["type"], refused.headers["ratelimit-remaining"]) == (429, "overloaded", "3")
        batch = await http.post("/v1/answers", json={"questions": [ASK] * 3, "deadline_ms": 200}, headers=few)
        assert {result["error"]["type"] for result in batch.json()["results"]} == {"overloaded"}
        engine.gate.set()
        assert [(await reply).status_code for reply in (running, waiting)] == [200, 200]
        assert (await http.get("/v1/models", headers=few)).headers["ratelimit-remaining"] == "3"


async def test_a_key_has_its_own_cloud_budget(tmp_path):
    some, none, free = key_file(tmp_path / "k", {"cloud_calls_per_day": 2}, {"cloud_calls_per_day": 0}, {})
    async with gateway(security={"keys": tmp_path / "k"}) as (http, _):

        async def reason(headers, body):
            reply = (await http.post("/v1/answer", json=body, headers=headers)).json()
            return reply["route"], reply["reason"]

        assert [await reason(some, UNSURE) for _ in range(3)] == [("cloud", "low_confidence")] * 2 + [("edge", "budget_exhausted")]
        assert await reason(some, ASK) == ("edge", "confident")
        assert await reason(none, UNSURE) == ("edge", "budget_exhausted")
        assert await reason(free, UNSURE) == ("cloud", "low_confidence")


async def test_without_keys_a_loopback_listener_answers_to_loopback_names_only():
    async with gateway() as (http, _):
        for host, status in (
            ("127.0.0.1:9", 200),
            ("localhost", 200),
            ("[::1]:80", 200),
            ("LOCALHOST:8080", 200),
            ("rebound.example", 421),
            ("", 421),
        ):
            reply = await http.post("/v1/answer", json=ASK, headers={"host": host})
            assert reply.status_code == status, host
        assert reply.json()["error"]["type"] == "misdirected_request"
        assert (await http.get("/health/ready", headers={"host": "10.0.0.7:8080"})).status_code == 200, "probes ask by address"
    async with gateway(security={"allowed_hosts": ["Fog.example"]}) as (http, _):
        assert (await http.get("/v1/models", headers={"host": "fog.example"})).status_code == 200
        assert (await http.get("/v1/models")).status_code == 421


@pytest.mark.parametrize(
    ("server", "security", "refused", "hosts"),
    [
        ({"host": "127.0.0.1"}, {}, False, ["localhost", "127.0.0.1", "::1", "127.0.0.1"]),
        ({"host": "127.0.0.2"}, {}, False, ["localhost", "127.0.0.1", "::1", "127.0.0.2"]),
        ({"host": "0.0.0.0"}, {}, True, None),
        ({"host": "::"}, {}, True, None),
        ({"host": "gateway.example"}, {}, True, None),
        ({"host": "0.0.0.0"}, {"insecure": True}, False, None),
        ({"host": "0.0.0.0"}, {"keys": "keys.json"}, False, None),
    ],
)
def test_listening_beyond_loopback_needs_keys_or_a_word(server, security, refused, hosts):
    settings = Settings(server=server, security=security)
    if refused:
        with pytest.raises(ConfigError, match="can be reached from other machines and no keys"):
            check_bind_safety(settings)
        return
    check_bind_safety(settings)
    assert allowed_hosts(settings) == hosts


async def test_a_callers_headers_of_our_own_name_are_dropped_and_his_request_id_is_checked():
    async with gateway() as (http, _):
        for given, kept in (("abc-1.2_3", True), ("a b", False), ("x" * 129, False), ("<script>", False)):
            reply = await http.post(
                "/v1/answer", json=ASK, headers={"x-foggate-route": "cloud", "x-foggate-signal": "0", "x-request-id": given}
            )
            assert (reply.headers["x-foggate-route"], reply.headers["x-foggate-signal"]) == ("edge", "1")
            assert (reply.headers["x-request-id"] == given) is kept


async def test_a_body_that_does_not_come_is_given_up():
    async with gateway(limits={"body_timeout_s": 0.1}) as (http, _):
        reader, writer = await asyncio.open_connection(http.base_url.host, http.base_url.port)
        writer.write(b"POST /v1/answer HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 408 " in head.splitlines()[0]
        assert json.loads(await reader.read())["error"]["type"] == "request_timeout"
        writer.close()
        assert (await http.post("/v1/answer", json=ASK)).status_code == 200


async def test_after_a_body_with_two_lengths_the_connection_is_closed():
    """A proxy that goes by the other length would take what follows for a request of its own."""
    body = json.dumps(ASK).encode()
    head = b"POST /v1/answer HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    async with gateway() as (http, _):
        reader, writer = await asyncio.open_connection(http.base_url.host, http.base_url.port)
        writer.write(head + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        writer.write(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert (await reader.read()).count(b"HTTP/1.1 ") == 1
        writer.close()


@contextlib.asynccontextmanager
async def bounded(**bounds):
    """A least server with the guarded protocol; yields its host and port."""

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})

    protocol = guarded_protocol(**{"max_per_client": 100, "header_timeout_s": 60, **bounds})
    async with serving(app, http=protocol, h11_max_incomplete_event_size=4096, lifespan="off") as url:
        yield httpx2.URL(url).host, httpx2.URL(url).port


WHOLE = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nhost: x\r\n", WHOLE + b"GET / HT"])
async def test_a_head_that_does_not_come_ends_the_connection(sent):
    async with bounded(header_timeout_s=0.1) as where:
        reader, writer = await asyncio.open_connection(*where)
        writer.write(sent)
        # Closed or reset, whichever the system says first.
        with contextlib.suppress(ConnectionError):
            while await reader.read(1000):
                pass
        writer.close()


async def test_a_slow_caller_who_keeps_to_the_time_is_served_again_and_again():
    async with bounded(header_timeout_s=5) as where:
        reader, writer = await asyncio.open_connection(*where)
        for _ in range(3):
            for part in (WHOLE[:10], WHOLE[10:]):
                writer.write(part)
                await writer.drain()
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_one_address_holds_so_many_connections_and_places_come_back():
    async with bounded(max_per_client=3) as where:

        async def served():
            reader, writer = await asyncio.open_connection(*where)
            try:
                writer.write(WHOLE)
                return bool(await reader.read(1000)), writer
            except ConnectionError:
                return False, writer

        held = [await served() for _ in range(4)]
        assert [ok for ok, _ in held] == [True, True, True, False]
        held[0][1].close()
        await held[0][1].wait_closed()
        while True:
            ok, writer = await served()
            writer.close()
            if ok:
                break
        for _, writer in held[1:]:
            writer.close()


async def test_a_head_without_end_is_refused():
    async with bounded() as where:
        reader, writer = await asyncio.open_connection(*where)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * 100_000)
        with contextlib.suppress(ConnectionError):
            assert b" 400 " in await reader.read(1000)
        writer.close()


@pytest.mark.parametrize(("trusted", "seen"), [([], "127.0.0.1"), (["127.0.0.0/8"], "203.0.113.9")])
async def test_a_forwarded_address_is_believed_from_named_proxies_only(trusted, seen):
    """The server as `foggate serve` runs it, ended as an orchestrator would."""
    settings = Settings(server={"drain_wait_s": 0}, security={"trusted_proxies": trusted})
    listener = listen("127.0.0.1", 0)
    ready = asyncio.Event()
    with structlog.testing.capture_logs() as lines:
        running = asyncio.ensure_future(serve(settings, listener, on_ready=lambda _: ready.set(), edge=with_engine(lambda _: FakeEngine())))
        await ready.wait()
        async with loopback_client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}") as http:
            assert (await http.post("/v1/answer", json=ASK, headers={"x-forwarded-for": "203.0.113.9"})).status_code == 200
        os.kill(os.getpid(), signal.SIGTERM)
        await running
    assert [line["client"] for line in lines if line["event"] == "request"] == [seen]


@pytest.mark.parametrize("fault", [None, "429", "500", "cut", "bad-json", "prose", "hang"])
async def test_no_key_is_in_any_reply_log_metric_or_document(tmp_path, capfd, caplog, fault):
    """Canaries: the cloud's key, a header with a token, and the callers' keys, right and wrong; whatever the cloud does."""
    caplog.set_level("DEBUG")
    (right,) = key_file(tmp_path / "k", ALL)
    wrong = "fg_0123456789ab_" + "canary-wrong".ljust(43, "x")
    cloud = {"api_key": "canary-cloud", "extra_headers": {"x-token": "canary-header"}, "timeout_s": 0.2, "max_attempts": 1}
    said = []
    for on_failure in ("edge", "error") if fault == "500" else ("edge",):
        security, policy = {"keys": tmp_path / "k"}, {"on_cloud_failure": on_failure}
        async with gateway(faults={fault: 1.0} if fault else {}, cloud=cloud, security=security, policy=policy) as (http, _):
            for headers in (right, {"authorization": f"Bearer {wrong}"}, {"authorization": wrong}):
                for body in (UNSURE, {**UNSURE, "route": "nonsense"}, {"question": "poison", "options": ["a", "b"]}):
                    reply = await http.post("/v1/answer", json=body, headers=headers)
                    said.append(reply.text + str(reply.headers))
            for path in ("/metrics", "/v1/models", "/openapi.json", "/docs", "/nothing"):
                said.append((await http.get(path, headers=right)).text)
    out, err = capfd.readouterr()
    everything = "\n".join([*said, out, err, caplog.text, str(masked(Settings(cloud=cloud)))])
    for canary in ("canary-cloud", "canary-header", "canary-wrong", right["authorization"].split("_", 2)[2]):
        assert canary not in everything
    assert "request" in everything


async def test_probes_never_reach_the_cloud():
    async with gateway() as (http, _):
        for path in ("/health/live", "/health/ready", "/metrics", "/v1/models"):
            for _ in range(3):
                assert (await http.get(path)).status_code == 200
        async with loopback_client() as direct:
            assert (await direct.get(http.cloud_url + "/stats")).json()["calls"] == 0

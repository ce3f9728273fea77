"""HTTP itself: methods, paths and compressed bodies, over real HTTP."""

import asyncio
import gzip
import json
import zlib

import pytest

from app.api.app import create_app
from app.config.settings import Settings
from app.telemetry.metrics import Metrics
from tests.integration.test_api import ASK, gateway
from tests.integration.test_security import ALL, key_file
from tests.unit.test_encoding import bomb, raw_deflate

JSON = {"content-type": "application/json"}
READ = ("/health/live", "/health/ready", "/metrics", "/v1/models", "/openapi.json", "/docs")
ASKING = ("/v1/answer", "/v1/answers")


async def test_head_is_get_without_a_body():
    async with gateway(cloud=False) as (http, _):
        for path in READ:
            head, get = await http.head(path), await http.get(path)
            assert (head.status_code, head.content) == (get.status_code, b"") == (200, b""), path
            assert head.headers["content-type"] == get.headers["content-type"]
            if path != "/metrics":
                assert head.headers["content-length"] == get.headers["content-length"]
            assert head.headers["x-request-id"]
        assert (await http.head("/nothing")).status_code == 404


async def test_head_tells_a_probe_what_get_does():
    async with gateway(cloud=False) as (http, _):
        http.state.draining = True
        head = await http.head("/health/ready")
        assert (head.status_code, head.headers["retry-after"]) == (503, "2")


async def test_head_needs_the_key_that_get_needs(tmp_path):
    (key,) = key_file(tmp_path / "k", ALL)
    async with gateway(cloud=False, security={"keys": tmp_path / "k"}) as (http, _):
        for path in ("/v1/models", "/metrics"):
            assert ((await http.head(path)).status_code, (await http.head(path, headers=key)).status_code) == (401, 200)
        assert (await http.head("/health/ready")).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
async def test_a_method_that_a_path_does_not_take_is_405_with_those_that_it_takes(method):
    """Whatever is in the body, or in no body at all."""
    async with gateway(cloud=False) as (http, _):
        for path in READ:
            for content, headers in ((None, {}), (b"x" * 100, {}), (json.dumps(ASK).encode(), JSON), (b"x", {"content-encoding": "br"})):
                reply = await http.request(method, path, content=content, headers=headers)
                assert (reply.status_code, reply.headers["allow"]) == (405, "GET, HEAD"), (path, content)
                error = reply.json()["error"]
                # `/v1/models` is a path of OpenAI's interface, and has its form of errors.
                kind = "invalid_request_error" if path == "/v1/models" else "method_not_allowed"
                assert (error["type"], error["request_id"]) == (kind, reply.headers["x-request-id"])
        if method != "POST":
            for path in ASKING:
                reply = await http.request(method, path, json=ASK)
                assert (reply.status_code, reply.headers["allow"]) == (405, "POST"), path


async def test_get_and_head_of_a_path_that_answers_questions():
    async with gateway(cloud=False) as (http, _):
        for path in ASKING:
            for method in ("GET", "HEAD"):
                reply = await http.request(method, path)
                assert (reply.status_code, reply.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "path",
    [*(f"{path}/" for path in READ + ASKING if path != "/v1/models"), "//v1/models", "/v1//models", "/V1/models", "/v1", "/ui/"],
)
async def test_another_path_is_404_and_no_redirect(path):
    async with gateway(cloud=False) as (http, _):
        url = str(http.base_url).rstrip("/") + path
        for method in ("GET", "HEAD", "POST"):
            reply = await http.request(method, url, json=ASK if method == "POST" else None)
            assert (reply.status_code, "location" in reply.headers) == (404, False), method
        assert reply.json()["error"]["type"] == "not_found"


def packed(coding, data):
    return {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress, "raw": raw_deflate}[coding](data)


async def test_compressed_questions_are_answered():
    one, many = json.dumps(ASK).encode(), json.dumps({"questions": [ASK] * 100}).encode()
    async with gateway(cloud=False) as (http, _):
        for coding in ("gzip", "x-gzip", "deflate", "raw"):
            headers = {**JSON, "content-encoding": "deflate" if coding == "raw" else coding.upper()}
            reply = await http.post("/v1/answer", content=packed(coding, one), headers=headers)
            assert (reply.status_code, reply.json()["answer"]) == (200, "B"), coding
            batch = await http.post("/v1/answers", content=packed(coding, many), headers=headers)
            assert [result["answer"] for result in batch.json()["results"]] == ["B"] * 100
        for identity in ("identity", "", "Identity, identity"):
            assert (await http.post("/v1/answer", content=one, headers={**JSON, "content-encoding": identity})).status_code == 200


async def test_a_compressed_body_in_chunks():
    async with gateway(cloud=False) as (http, _):
        body = gzip.compress(json.dumps(ASK).encode())

        async def pieces():
            for start in range(0, len(body), 7):
                yield body[start : start + 7]

        reply = await http.post("/v1/answer", content=pieces(), headers={**JSON, "content-encoding": "gzip"})
        assert (reply.status_code, reply.json()["answer"]) == (200, "B")


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "gzip, br", "aes128gcm", "gzip;q=1"])
async def test_another_coding_is_415_and_says_which_are_taken(coding):
    async with gateway(cloud=False) as (http, _):
        reply = await http.post("/v1/answer", content=gzip.compress(json.dumps(ASK).encode()), headers={**JSON, "content-encoding": coding})
        assert (reply.status_code, reply.json()["error"]["type"]) == (415, "unsupported_media_type")
        assert "gzip" in reply.json()["error"]["message"]
        assert reply.headers["accept-encoding"] == "gzip, deflate"
        assert (await http.post("/v1/answer", json=ASK)).status_code == 200, "the connection goes on"


async def test_what_does_not_decompress_is_400_and_what_grows_too_large_413():
    good = gzip.compress(json.dumps(ASK).encode())
    async with gateway(cloud=False) as (http, _):

        async def reply(body, coding="gzip"):
            found = await http.post("/v1/answer", content=body, headers={**JSON, "content-encoding": coding})
            return found.status_code, found.json()["error"]["message"]

        assert await reply(good[:-10]) == (400, "the compressed body is cut short")
        assert await reply(good + b"x") == (400, "there are bytes behind the end of the compressed body")
        assert await reply(good + b"\0" * 40) == (400, "there are bytes behind the end of the compressed body")
        assert await reply(json.dumps(ASK).encode()) == (400, "the body is not what its content-encoding says")
        assert await reply(good, "deflate") == (400, "the body is not what its content-encoding says")
        assert await reply(b"") == (400, "the body is not valid JSON in UTF-8")
        assert await reply(gzip.compress(b"{")) == (400, "the body is not valid JSON in UTF-8")
        assert await reply(gzip.compress(good)) == (400, "the body is not valid JSON in UTF-8"), "it was compressed twice"
        assert await reply(bomb()) == (413, "the decompressed body is over the limit of 1048576 bytes")
        assert await reply(gzip.compress(b"x" * 1_048_577)) == (413, "the decompressed body is over the limit of 1048576 bytes")
        assert (await http.post("/v1/answer", json=ASK)).status_code == 200
        refused = http.state.metrics.registry.get_sample_value
        assert refused("foggate_rejected_total", {"reason": "payload_too_large"}) == 2


async def test_requests_are_counted_by_path_status_and_key_without_what_callers_make_up(tmp_path):
    ada, bob = key_file(tmp_path / "k", ALL, {"questions_per_minute": 1})
    async with gateway(cloud=False, security={"keys": tmp_path / "k"}) as (http, _):
        # Bob's second question is over his rate, unless a minute has passed between the two.
        asked = [(await http.post("/v1/answer", json=ASK, headers=headers)).status_code for headers in (ada, ada, bob, bob)]
        await http.post("/v1/answer", content=b"{", headers={**ada, **JSON})
        await http.get("/v1/models", headers={"authorization": "Bearer fg_000000000000_guess"})
        # The file first: what sends it counts it when it has been sent, and the requests after it give it the time for that.
        for path in ("/docs/init.js", "/a", "/b?c=1", "/v1/answer/", "/%00"):
            await http.get(path, headers=ada)
        text = (await http.get("/metrics", headers=ada)).text
    lines = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"}
    counted = {name: value for name, value in lines.items() if name.startswith("foggate_http_requests_total") and "health" not in name}
    refused = asked.count(429)
    assert asked == [200, 200, 200, 429 if refused else 200]
    assert {name: value for name, value in counted.items() if value} == {
        'foggate_http_requests_total{path="/v1/answer",status="200"}': 4 - refused,
        **({'foggate_http_requests_total{path="/v1/answer",status="429"}': 1} if refused else {}),
        'foggate_http_requests_total{path="/v1/answer",status="400"}': 1,
        'foggate_http_requests_total{path="/v1/models",status="401"}': 1,
        'foggate_http_requests_total{path="other",status="404"}': 4,
        'foggate_http_requests_total{path="other",status="200"}': 1,
    }
    ids = [headers["authorization"].split("_")[1] for headers in (ada, bob)]
    by_key = {name: value for name, value in lines.items() if name.startswith("foggate_key_requests_total")}
    assert by_key == {
        f'foggate_key_requests_total{{key="{ids[0]}",status="200"}}': 2,
        f'foggate_key_requests_total{{key="{ids[0]}",status="400"}}': 1,
        f'foggate_key_requests_total{{key="{ids[0]}",status="404"}}': 4,
        f'foggate_key_requests_total{{key="{ids[1]}",status="200"}}': 2 - refused,
        **({f'foggate_key_requests_total{{key="{ids[1]}",status="429"}}': 1} if refused else {}),
    }
    assert lines["process_resident_memory_bytes"] > 1e6
    assert lines["process_open_fds"] > 0


async def test_a_caller_who_leaves_is_counted_without_a_status():
    async with gateway(cloud=False) as (http, engine):
        engine.started.clear()
        engine.gate.clear()
        leaving = asyncio.ensure_future(http.post("/v1/answer", json=ASK))
        await asyncio.to_thread(engine.started.wait)
        leaving.cancel()
        counted = {"path": "/v1/answer", "status": "none"}
        while not http.state.metrics.registry.get_sample_value("foggate_http_requests_total", counted):
            await asyncio.sleep(0.01)


def test_keys_are_named_up_to_a_bound():
    metrics = Metrics()
    for number in range(1_100):
        metrics.responded("/v1/answer", 200, f"key-{number}")
    names = [sample.labels["key"] for family in metrics.registry.collect() for sample in family.samples if "key" in sample.labels]
    assert len(names) == 1_001
    assert metrics.registry.get_sample_value("foggate_key_requests_total", {"key": "other", "status": "200"}) == 100


def test_the_paths_that_metrics_name_are_those_of_the_interface():
    app = create_app(Settings())
    page = {"/", "/ui", *(f"/ui/{name}" for name in ("session", "login", "logout", "recognise", "threshold", "events"))}
    assert {one.shown for one in app.endpoints if one.counted} == {*app.openapi()["paths"], "/docs", "/openapi.json", *page}


def routes_of(routes):
    """All routes; newer versions of FastAPI keep those of a router together."""
    for route in routes:
        router = getattr(route, "original_router", None)
        yield from [route] if router is None else routes_of(router.routes)


def test_every_route_belongs_to_an_endpoint_of_a_face():
    app = create_app(Settings())
    routes = {route.path: route.methods for route in routes_of(app.routes)}
    assert set(routes) == app.endpoints.paths(lambda _: True)
    assert len(app.endpoints) == len(routes)
    assert app.endpoints.paths(lambda one: one.takes_body) == {path for path, methods in routes.items() if "POST" in methods}
    assert app.endpoints.paths(lambda one: one.is_probe) == {"/health/live", "/health/ready"}
    assert app.endpoints.paths(lambda one: one.quiet) == {"/health/live", "/health/ready", "/metrics", "/ui/events"}

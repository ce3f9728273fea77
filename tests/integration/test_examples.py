"""The examples of the documents are what the gateway really says, word for word."""

import asyncio
import gzip
import json

from app.api import examples
from tests.integration.test_api import ASK, UNSURE, gateway
from tests.integration.test_security import key_file

JSON = {"content-type": "application/json"}


def said(reply):
    body = reply.json()
    assert body["error"].pop("request_id") == reply.headers["x-request-id"]
    return body


def example(status, name):
    body = json.loads(json.dumps(examples.ERRORS[status][name]))
    del body["error"]["request_id"]
    return body


async def test_errors_of_bodies_hosts_and_keys(tmp_path):
    plain, fast = key_file(tmp_path / "k", {}, {"questions_per_minute": 600})
    security = {"keys": tmp_path / "k", "allowed_hosts": ["127.0.0.1"]}
    async with gateway(cloud=False, security=security, limits={"max_questions": 1000, "max_text_chars": 2_000_000}) as (http, _):

        async def post(content=None, path="/v1/answer", **headers):
            content = json.dumps(ASK) if content is None else content
            return await http.post(path, content=content, headers={**JSON, **plain, **{k.replace("_", "-"): v for k, v in headers.items()}})

        body = json.dumps(ASK).encode()
        for status, name, reply in (
            (400, "json", await post("{")),
            (400, "compressed", await post(gzip.compress(body)[:-12], content_encoding="gzip")),
            (401, "key", await post(authorization="Bearer nonsense")),
            (403, "permission", await post(json.dumps({**ASK, "tau": 0.5}))),
            (413, "size", await post(b" " * 1_048_577)),
            (413, "decompressed", await post(gzip.compress(b" " * 1_048_577), content_encoding="gzip")),
            (415, "type", await post(content_type="text/plain")),
            (415, "encoding", await post(content_encoding="br")),
            (421, "host", await post(host="elsewhere")),
            (422, "options", await post(json.dumps({**ASK, "options": ["Blue"]}))),
            (422, "field", await post(json.dumps({**ASK, "temperature": 1}))),
            (422, "type", await post(json.dumps({**ASK, "options": ["a", 1]}))),
        ):
            assert (reply.status_code, said(reply)) == (status, example(status, name)), name
        for _ in range(2):
            over = await http.post("/v1/answers", json={"questions": [ASK] * 600}, headers=fast)
        assert (over.status_code, said(over)) == (429, example(429, "rate"))
        batch = (await post(json.dumps({"questions": [{"id": "q-3", "question": "x?", "options": ["Blue"]}]}), path="/v1/answers")).json()
        wanted = {**examples.RESULTS["results"][2]}
        assert batch["results"][0]["error"] | {"request_id": examples.REQUEST_ID} == wanted["error"]


async def test_errors_of_a_gateway_that_is_loading_late_or_full(tmp_path):
    async with gateway(cloud=False, limits={"body_timeout_s": 0.2}, deadline_ms=300, edge={"max_queue_size": 1}) as (http, engine):

        async def slow():
            yield b"{"
            await asyncio.sleep(1)

        late = await http.post("/v1/answer", content=slow(), headers=JSON)
        assert (late.status_code, said(late)) == (408, example(408, "time"))
        engine.gate.clear()
        passed = await http.post("/v1/answer", json=ASK)
        assert (passed.status_code, said(passed)) == (504, example(504, "deadline"))
    async with gateway(cloud=False) as (http, _):
        broken = await http.post("/v1/answer", json={**ASK, "question": "poison"})
        assert (broken.status_code, said(broken)) == (503, example(503, "edge"))
        http.state.cascade = None
        loading = await http.post("/v1/answer", json=ASK)
        assert (loading.status_code, said(loading)) == (503, example(503, "loading"))


async def test_errors_of_a_cloud_that_fails():
    policy = {"on_cloud_failure": "error"}
    async with gateway(policy=policy, faults={"prose": 1.0}) as (http, _):
        reply = await http.post("/v1/answer", json=UNSURE)
        assert (reply.status_code, said(reply)) == (502, example(502, "unparsable"))
    async with gateway(policy=policy, faults={"500": 1.0}, cloud={"max_attempts": 1}) as (http, _):
        reply = await http.post("/v1/answer", json=UNSURE)
        assert (reply.status_code, said(reply)) == (502, example(502, "unavailable"))
        for _ in range(12):
            reply = await http.post("/v1/answer", json=UNSURE)
        assert said(reply) == example(502, "circuit")
    async with gateway(policy=policy, cloud={"budget": {"calls_per_day": 1}}) as (http, _):
        for options in (["a", "b"], ["c", "d"]):
            reply = await http.post("/v1/answer", json={**UNSURE, "options": options})
        assert said(reply) == example(502, "budget")

"""Whatever a caller says ends in a documented status, and one question's failure is its own: real HTTP."""

import asyncio
import json

import pytest

from app.edge.rendering import Prompt
from tests.integration.test_api import ASK, gateway
from tests.support.fakes import FakeEngine, Unexpected
from tests.support.hostile import strictly

NDJSON = {"accept": "application/x-ndjson"}
JSON = {"content-type": "application/json"}
HUGE = "9" * 400


def with_field(name, literal):
    """A good question with one more field, whose value is written as it stands."""
    return json.dumps(ASK)[:-1] + f", {json.dumps(name)}: {literal}}}"


# One question in JSON, and the field that its error names.
BAD = [
    (with_field("id", '"\\ud800"'), "id"),
    (with_field("id", '"x\\udfff"'), "id"),
    (with_field("id", json.dumps("x" * 200_000)), "id"),
    (with_field("id", "1"), "id"),
    (with_field("domain", '"\\ud800"'), "domain"),
    (with_field("domain", json.dumps("x" * 200_000)), "domain"),
    (with_field("route", '"\\ud800"'), "route"),
    (with_field("deadline_ms", HUGE), "deadline_ms"),
    (with_field("deadline_ms", "-" + HUGE), "deadline_ms"),
    (with_field("deadline_ms", "9" * 5_000), "deadline_ms"),
    (with_field("deadline_ms", "9" * 20), "deadline_ms"),
    (with_field("deadline_ms", "2147483648"), "deadline_ms"),
    (with_field("deadline_ms", "1e300"), "deadline_ms"),
    (with_field("deadline_ms", "NaN"), "deadline_ms"),
    (with_field("tau", HUGE), "tau"),
    (with_field("tau", "9" * 5_000), "tau"),
    (with_field("tau", "1e999"), "tau"),
    (with_field("tau", "NaN"), "tau"),
    (with_field("\ud800", "1"), "\ufffd" * 3),
    (with_field("x" * 200_000, "1"), "x" * 64 + "…"),
    (with_field("a.b\u2028", "1"), "a.b\u2028"),
    ('{"question": "sure\\ud800", "options": ["a", "b"]}', "question"),
    ('{"question": "sure", "options": ["a\\udfff", "b"]}', "question"),
    ('{"question": "sure", "options": ["a", 1]}', "options.1"),
]


@pytest.mark.parametrize(("question", "param"), BAD, ids=range(len(BAD)))
async def test_a_question_that_cannot_be_taken_is_refused_by_the_field(question, param):
    async with gateway(cloud=False) as (http, _):
        response = await http.post("/v1/answer", content=question, headers=JSON)
    assert response.status_code == 422, response.text[:200]
    error = strictly(response.text)["error"]
    assert (error["type"], error["param"]) == ("invalid_question", param)
    assert len(response.text) < 1_000


@pytest.mark.parametrize("headers", [{}, NDJSON], ids=["json", "ndjson"])
async def test_each_bad_question_of_a_batch_has_its_own_error_and_the_others_their_answers(headers):
    good = json.dumps({**ASK, "id": "good"})
    # In pairs, so that every bad one has a good one behind it; of the longest ones there is room for one.
    body = '{"questions": [' + ", ".join(f"{good}, {bad}" for bad, _ in BAD if len(bad) < 10_000) + f", {BAD[2][0]}, {good}]}}"
    async with gateway(cloud=False) as (http, _):
        response = await http.post("/v1/answers", content=body, headers={**JSON, **headers})
    assert response.status_code == 200
    if headers:
        lines = [strictly(line) for line in response.text.split("\n") if line]
        results = [{k: v for k, v in line.items() if k != "index"} for line in sorted(lines, key=lambda line: line["index"])]
    else:
        results = strictly(response.text)["results"]
    params = [result["error"]["param"] if "error" in result else None for result in results]
    expected = [param for bad, param in BAD if len(bad) < 10_000]
    assert params == [item for param in expected for item in (None, param)] + ["id", None]
    assert all(result["id"] in {"good", None} for result in results)


async def test_an_id_is_echoed_beside_an_error_if_it_could_have_been_beside_an_answer():
    ids = ["x", "ё😀", "y" * 128, "y" * 129, "\ud800", 1, None, ["x"]]
    async with gateway(cloud=False) as (http, _):
        content = json.dumps({"questions": [{**ASK, "id": given, "tau": 2} for given in ids]})
        results = (await http.post("/v1/answers", content=content, headers=JSON)).json()["results"]
    assert [result["id"] for result in results] == [*ids[:3], None, None, None, None, None]


class Buggy(FakeEngine):
    """Gives a verdict that no code expects on questions with the word `bug`; its tokenizer fails on `panic`."""

    def prepare(self, question):
        if "panic" in question.question:
            raise SystemError("the tokenizer panicked")
        prompt = super().prepare(question)
        return Prompt((*prompt.ids, -1), prompt.options, shares_prefix=True) if "bug" in question.question else prompt

    def verdicts(self, prompts):
        found = super().verdicts(prompts)
        return [Unexpected(v.joint, v.greedy_bucket) if p.ids[-1] == -1 else v for p, v in zip(prompts, found, strict=True)]


BUG = {"question": "a bug", "options": ["a", "b"], "id": "bug"}


@pytest.mark.parametrize("headers", [{}, NDJSON], ids=["json", "ndjson"])
async def test_a_bug_that_one_question_finds_is_its_own_error_counted_as_a_bug(headers):
    async with gateway(Buggy(), cloud=False) as (http, _):
        response = await http.post("/v1/answers", json={"questions": [ASK, BUG, ASK]}, headers=headers)
        text = response.text if headers else "\n".join(json.dumps(result) for result in response.json()["results"])
        results = [json.loads(line) for line in text.split("\n") if line]
        failed = [result for result in results if "error" in result]
        counted = (await http.get("/metrics")).text
    assert (response.status_code, len(results), len(failed)) == (200, 3, 1)
    assert (failed[0]["id"], failed[0]["error"]["type"]) == ("bug", "internal_error")
    assert failed[0]["error"]["request_id"] == response.headers["x-request-id"]
    assert 'foggate_rejected_total{reason="internal_error"} 1.0' in counted


async def test_a_bug_that_a_single_question_finds_is_counted_too():
    async with gateway(Buggy(), cloud=False) as (http, _):
        response = await http.post("/v1/answer", json=BUG)
        counted = (await http.get("/metrics")).text
    assert (response.status_code, response.json()["error"]["type"]) == (500, "internal_error")
    assert 'foggate_rejected_total{reason="internal_error"} 1.0' in counted


async def test_a_tokenizer_that_fails_is_an_edge_error_and_the_cloud_is_asked():
    panic = {"question": "panic", "options": ["a", "b"]}
    async with gateway(Buggy()) as (http, _):
        body = (await http.post("/v1/answer", json=panic)).json()
        assert (body["route"], body["reason"], body["edge"]) == ("cloud", "edge_failed", None)
        refused = await http.post("/v1/answer", json={**panic, "route": "edge"})
        assert (refused.status_code, refused.json()["error"]["type"]) == (503, "edge_error")


async def test_bodies_in_another_encoding_are_not_json():
    async with gateway(cloud=False) as (http, _):
        for encoding, status in (("utf-16", 400), ("utf-16-le", 400), ("utf-32", 400), ("utf-8-sig", 200), ("utf-8", 200)):
            response = await http.post("/v1/answer", content=json.dumps(ASK).encode(encoding), headers=JSON)
            assert response.status_code == status, encoding


async def test_a_body_of_more_values_than_its_questions_can_have_is_refused():
    async with gateway(cloud=False, limits={"max_questions": 2}) as (http, _):
        full = {
            "question": "I am sure",
            "options": [f"o{n}" for n in range(26)],
            "id": "x",
            "domain": "d",
            "tau": 0,
            "route": "auto",
            "deadline_ms": 9_000,
        }
        assert (await http.post("/v1/answers", json={"questions": [full] * 2})).status_code == 200
        response = await http.post("/v1/answers", json={"questions": [[]] * 1_000})
        assert (response.status_code, response.json()["error"]["type"]) == (422, "invalid_question")
        assert "2 questions" in response.json()["error"]["message"]
        assert (await http.post("/v1/answer", json=ASK)).status_code == 200


async def raw_request(url, request):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(request)
    line = await reader.readline()
    writer.close()
    return int(line.split()[1])


@pytest.mark.parametrize(
    ("start", "head", "status"),
    [
        (b"POST /v1/answer", b"", 200),
        (b"POST /v1/answer?\xff", b"", 400),
        (b"POST /v1/answer?a=%ff&b=%zz&%00", b"", 200),
        (b"POST /v1/answer%ff", b"", 404),
        (b"POST /v1/%00answer", b"", 404),
        (b"POST /v1/answer", b"Accept: \xff\xfe\r\n", 200),
        (b"POST /v1/answer", b"Cookie: \xff=\\777\r\n", 200),
        (b"POST /v1/answer", b"X-Request-Id: \xff\r\n", 200),
        (b"POST /v1/answer", b"Content-Type: application/json; charset=\xff\r\n", 200),
        (b"POST /v1/answer", b"Content-Encoding: gzip\r\n", 400),
        (b"POST /v1/answer/", b"Host: [\r\n", 421),
        (b"POST /v1/answer", b"Host: \xff\r\n", 421),
    ],
)
async def test_strange_heads_have_documented_statuses(start, head, status):
    body = json.dumps(ASK).encode()
    lines = b"" if b"Host" in head else b"Host: localhost\r\n"
    lines += b"" if b"Content-Type" in head else b"Content-Type: application/json\r\n"
    async with gateway(cloud=False) as (client, _):
        request = start + b" HTTP/1.1\r\n" + lines + head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        assert await raw_request(str(client.base_url).rstrip("/"), request) == status

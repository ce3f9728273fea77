"""The largest documented batch at a busy gateway, over HTTP."""

import asyncio
import json

from tests.integration.test_api import ASK, gateway
from tests.integration.test_security import key_file

SMALL = {"max_queue_size": 4, "max_batch_size": 2}


async def test_256_questions_are_answered_while_single_ones_pass():
    async with gateway(cloud=False, edge=SMALL) as (http, engine):
        engine.gate.clear()
        batch = asyncio.ensure_future(http.post("/v1/answers", json={"questions": [ASK] * 256}))
        while not len(http.state.turns):
            await asyncio.sleep(0.01)
        singles = [asyncio.ensure_future(http.post("/v1/answer", json=ASK)) for _ in range(4)]
        # Four single questions fit into the queue, whatever waits for the batch.
        await asyncio.sleep(0.1)
        assert not any(single.done() for single in singles)
        engine.gate.set()
        assert [(await single).status_code for single in singles] == [200] * 4
        results = (await batch).json()["results"]
    assert [result.get("answer") for result in results] == ["B"] * 256


async def test_the_caller_may_shorten_the_deadline_of_a_batch_and_gets_every_result(tmp_path):
    (few,) = key_file(tmp_path / "k", {"questions_per_minute": 60})
    async with gateway(cloud=False, edge=SMALL, security={"keys": tmp_path / "k"}) as (http, engine):
        engine.gate.clear()
        body = {"questions": [{**ASK, "id": str(number)} for number in range(50)], "deadline_ms": 400}
        for headers in ({}, {"accept": "application/x-ndjson"}):
            reply = await http.post("/v1/answers", json=body, headers={**few, **headers})
            assert reply.status_code == 200
            results = [json.loads(line) for line in reply.text.splitlines()] if headers else reply.json()["results"]
            said = [result["error"]["type"] for result in results]
            assert sorted({result["id"] for result in results}, key=int) == [str(number) for number in range(50)]
            # Those that had begun end with the batch's deadline too; nobody asked the others, so they are given back.
            assert set(said) == {"overloaded", "deadline_exceeded"}
            assert said.count("deadline_exceeded") <= 4
            assert said.count("overloaded") >= 46
            engine.started.clear()
        engine.gate.set()
        left = (await http.post("/v1/answer", json=ASK, headers=few)).headers["ratelimit-remaining"]
        assert int(left) >= 60 - 2 * 4 - 1


async def test_the_deadline_of_a_batch_is_bounded_and_the_configured_one_is_the_most():
    async with gateway(cloud=False, edge=SMALL, batch_deadline_ms=200) as (http, engine):
        for wrong in (0, -1, 1.5, "1", 2**31, True):
            refused = await http.post("/v1/answers", json={"questions": [ASK], "deadline_ms": wrong})
            assert (refused.status_code, refused.json()["error"]["param"]) == (422, "deadline_ms")
        engine.gate.clear()
        results = (await http.post("/v1/answers", json={"questions": [ASK] * 9, "deadline_ms": 60_000})).json()["results"]
        assert {result["error"]["type"] for result in results} == {"overloaded", "deadline_exceeded"}

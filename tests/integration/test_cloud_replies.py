"""Whatever a cloud sends, the caller gets an answer, and what is shown of the cloud's words is bounded: real HTTP."""

import asyncio
import contextlib
import re

import httpx2
import pytest

from app.cloud.parse import MAX_ANSWER_CHARS
from app.core.deadline import Deadline
from app.core.errors import CloudUnparsable
from app.core.question import Question
from app.telemetry.metrics import Metrics
from tests.integration.test_api import UNSURE, gateway
from tests.support.clouds import cloud_client
from tests.support.hostile import HostileCloud, completion, http, strictly


@contextlib.asynccontextmanager
async def saying(reply):
    """A cloud that sends this, byte for byte; yields its URL and the cloud."""
    hostile = HostileCloud(reply)
    async with await asyncio.start_server(hostile, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", hostile
        await hostile.left()


# What a cloud sends, and what the answer's part of the cloud then says of usage and model; None where nothing can be read.
GOOD = "Final answer: A"
WIRE = [
    (http(b"[" * 200_000), None),
    (http(b'{"choices": ' * 50_000), None),
    (http(b'{"choices": [{"message": {"content": "A"}}], "model": ' + b"[" * 900 + b"]" * 900 + b"}"), ({}, "asked")),
    (http(completion(GOOD, usage={"prompt_tokens": 10**400, "completion_tokens": 2})), ({"completion_tokens": 2}, "m")),
    (http(completion(GOOD, usage={"prompt_tokens": 10**30, "completion_tokens": -5})), ({}, "m")),
    (http(completion(GOOD, usage={"prompt_tokens": True, "completion_tokens": 1.5, "total_tokens": "3"})), ({}, "m")),
    (http(completion(GOOD, usage={"prompt_tokens": {"cached": 1}, "completion_tokens": [1]})), ({}, "m")),
    (http(completion(GOOD, usage={"\ud800": 1, "x" * 5_000: 2, "": 3, "total_tokens": 7})), ({"total_tokens": 7}, "m")),
    (http(completion(GOOD, usage={f"n{n}": n for n in range(5_000)})), ({f"n{n}": n for n in range(16)}, "m")),
    (http(completion(GOOD, usage=5)), ({}, "m")),
    (http(completion(GOOD) + b" "), ({}, "m")),
    (http(b'{"choices": [{"message": {"content": "A"}}], "usage": {"prompt_tokens": ' + b"9" * 5_000 + b"}}"), ({}, "asked")),
    (http(completion(GOOD).replace(b'"m"', b'"\\ud800"')), ({}, "asked")),
    (http(completion(GOOD).replace(b'"m"', b'"' + b"m" * 500_000 + b'"')), ({}, "asked")),
    (http(completion(GOOD).replace(b'"m"', b"7")), ({}, "asked")),
    (http(completion("\ud800")), None),
    (http(completion({"text": "A"})), None),
    (http(completion([{"type": "text", "text": "A"}])), ({}, "m")),
    (http(completion([{"type": "thinking", "thinking": "A"}])), None),
    (http(completion([])), None),
    (http(completion([{"type": "text", "text": {"value": "A"}}, 7, None])), None),
    (http(b'{"choices": {"0": {"message": {"content": "A"}}}}'), None),
    (http(b'{"choices": "A"}'), None),
    (http(b'{"choices": [[["A"]]]}'), None),
    (http(b'"choices"'), None),
    (http(b"7"), None),
    (http(completion(GOOD).decode().encode("utf-16")), None),
    (http(b"\xff\xfe"), None),
    (http(completion(GOOD), b"Retry-After: Mon, 01 Jan 2020 00:00:00 +" + b"9" * 20 + b"\r\n"), ({}, "m")),
    (http(completion(GOOD), b"Retry-After: Mon, 01 Jan 2020 99999999999:00:00 GMT\r\n"), ({}, "m")),
    (http(b"", b"Retry-After: " + b"9" * 60 + b"\r\n", status=b"429 No"), None),
    (http(b"", b"Retry-After: Mon, 01 Jan 2020 00:00:00 +" + b"9" * 20 + b"\r\n", status=b"503 No"), None),
    (http(b"x", b"Content-Encoding: gzip\r\n"), None),
    (http(b"x", b"Content-Encoding: " + b"gzip," * 1_000 + b"gzip\r\n"), None),
]


@pytest.mark.parametrize(("wire", "shown"), WIRE, ids=range(len(WIRE)))
async def test_whatever_the_cloud_sends_the_caller_gets_an_answer(wire, shown):
    async with saying(wire) as (url, _), gateway(cloud={"base_url": url + "/v1", "model": "asked", "max_attempts": 1}) as (client, _):
        response = await client.post("/v1/answer", json={**UNSURE, "id": "ё"})
        counted = (await client.get("/metrics")).text
    body = strictly(response.text)
    assert response.status_code == 200
    if shown is None:
        assert (body["degraded"], body["cloud"], body["reason"].split("_")[0]) == (True, None, "cloud")
    else:
        assert (body["answer"], body["cloud"]["usage"], body["cloud"]["model"]) == ("A", *shown)
    tokens = [float(value) for value in re.findall(r'foggate_cloud_tokens_total{endpoint="default",type="\w+"} (\S+)', counted)]
    assert all(value <= 10**9 for value in tokens)


class Bomb(httpx2.AsyncBaseTransport):
    """A transport with a bug."""

    def __init__(self, error):
        self.error = error

    async def handle_async_request(self, request):
        raise self.error


@pytest.mark.parametrize("error", [RecursionError("x"), MemoryError(), ZeroDivisionError(), UnicodeError("x"), KeyError("x")])
async def test_an_attempts_unexpected_exception_is_a_cloud_error(error):
    metrics = Metrics()
    cloud = cloud_client("http://127.0.0.1:1", metrics=metrics, transport=Bomb(error))
    with pytest.raises(CloudUnparsable, match="could not be read"):
        await cloud.answer(Question("q", ("a", "b")), Deadline.after(5))
    await cloud.close()
    assert metrics.registry.get_sample_value("foggate_cloud_attempts_total", {"endpoint": "default", "outcome": "internal"}) == 1


async def test_a_long_answer_is_not_read_in_part():
    prose = "word " * (MAX_ANSWER_CHARS // 5)
    async with saying(b"") as (url, hostile):
        cloud = cloud_client(url)
        for text, letter in (
            (f"Final answer: A\n{prose}\nFinal answer: B", None),
            (f"{prose}\nFinal answer: B", None),
            (f"Final answer: A\n{prose}", None),
            (f"<think>{prose * 20}Final answer: A</think>Final answer: B", "B"),
            (f"{prose[:10_000]}\nFinal answer: B", "B"),
            (f"Final answer: A\n{prose[:10_000]}\nFinal answer: B", None),
        ):
            hostile.reply = http(completion(text))
            try:
                said = (await cloud.answer(Question("q", ("a", "b")), Deadline.after(5))).answer
            except CloudUnparsable:
                said = None
            assert said == letter, text[:40]
        await cloud.close()

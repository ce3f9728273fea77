"""The real builtin-1.5b, by hand: `make test-qwen`. It is fetched and converted where it is not in the cache folder yet, and served twice."""

import json
import os
import time

import psutil
import pytest

from app.edge.builtin import default_cache_dir, ensure_builtin, find_builtin
from app.edge.fingerprint import fingerprint
from tests.support.loopback import loopback_client

pytestmark = [
    pytest.mark.skipif("BUILTIN_15B" not in os.environ, reason="needs 5 GB of disk, 8 GB of memory and minutes: make test-qwen"),
    pytest.mark.timeout(7200),
]
NAME = "builtin-1.5b"
QUESTIONS = {
    ("Which gas do plants take in?", ("Oxygen", "Carbon dioxide", "Nitrogen", "Helium")): "B",
    ("Which fraction equals 0.75?", ("2/3", "7/10", "4/5", "3/4")): "D",
    ("Which keyword defines a function in Python?", ("func", "function", "def", "lambda", "fn")): "C",
}


async def serve(start, name):
    """Start, ask, stop; returns the replies and the log."""
    began = time.monotonic()
    settings = {"FOGGATE_EDGE__MODEL": NAME, "FOGGATE_DEADLINE_MS": "600000", "FOGGATE_SERVER__DRAIN_WAIT_S": "0"}
    gateway = start(name, "serve", "--demo", "--port", "0", **settings)
    url = await gateway.url()
    ready_s, replies, seconds = time.monotonic() - began, {}, []
    async with loopback_client(base_url=url, timeout=600) as http:
        for question, options in QUESTIONS:
            asked = time.monotonic()
            reply = await http.post("/v1/answer", json={"question": question, "options": options, "route": "edge"})
            seconds.append(round(time.monotonic() - asked, 1))
            replies[question, options] = reply.json()
        memory = psutil.Process(gateway.process.pid).memory_full_info()
        (edge, _) = (await http.get("/v1/models")).json()["data"]
    assert await gateway.stop() == 0
    print(
        f"\n{name}: ready after {ready_s:.0f} s, seconds a question: {seconds}, memory {memory.rss / 1e9:.1f} GB (own {memory.uss / 1e9:.1f})"
    )
    print(edge, *(line["message"] for line in gateway.lines()), sep="\n")
    return replies, [line["message"] for line in gateway.lines()]


async def test_it_is_fetched_proven_once_and_knows_something(start):
    weights = find_builtin(NAME).weights
    folder = ensure_builtin(default_cache_dir(), weights)
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["Qwen2ForCausalLM"]
    print(f"\nfingerprint without an adapter: {fingerprint(weights.identity, None)}")
    replies, log = await serve(start, "first")
    assert {question: reply["answer"] for question, reply in replies.items()} == QUESTIONS
    assert all(reply["edge"]["model"].startswith("qwen2.5-coder-1.5b-instruct") for reply in replies.values()), replies
    again, log = await serve(start, "second")
    assert [reply["answer"] for reply in again.values()] == [reply["answer"] for reply in replies.values()]
    assert not any(line.startswith("the proof of one pass") for line in log)
    assert not any("not calibrated" in line for line in log), "the calibration that comes with it fits what was loaded"

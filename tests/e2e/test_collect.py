"""`foggate eval collect` as a process on the builtin model, killed in the middle."""

import asyncio
import json
from collections import Counter

import httpx2

from app.cloud.bank import SHIPPED_BANK
from app.evaluation.records import read_records
from tests.processes import Process, foggate


async def test_a_collect_killed_in_the_middle_goes_on(tmp_path, start):
    cloud = start("cloud", "demo-cloud", "--port", "0", "--accuracy", "1.0", "--latency-ms", "20")
    url = await cloud.url()
    out = tmp_path / "records.jsonl"
    environment = {"FOGGATE_CLOUD__BASE_URL": url + "/v1", "FOGGATE_EDGE__MAX_BATCH_SIZE": "8"}
    arguments = ["eval", "collect", "--data", str(SHIPPED_BANK), "--out", str(out), "--json"]
    first = Process(tmp_path, "first", *arguments, **environment)
    while not out.exists() or len(out.read_bytes().splitlines()) < 40:
        assert first.process.poll() is None, first.log.read_text()
        await asyncio.sleep(0.05)
    first.process.kill()
    first.process.wait()
    kept = [record for record in read_records(out).values() if record["cloud_answer"]]

    done = await asyncio.to_thread(foggate, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["total"], said["failed"]) == (140, 0)
    assert said["cloud_asked"] == 140 - len(kept)
    records = read_records(out)
    assert Counter(record["domain"] for record in records.values()) == dict.fromkeys(Counter(r["domain"] for r in records.values()), 20)
    assert all(record["cloud_answer"] == record["gold"] for record in records.values())
    assert {record["edge_model"] for record in records.values()} == {"smollm2-135m-instruct"}
    async with httpx2.AsyncClient() as http:
        calls = (await http.get(url + "/stats")).json()["calls"]
    # What was under way when the process died may have been asked without a reply: at most the calls allowed at a time.
    assert 140 <= calls <= 140 + 16


def test_collect_says_what_is_missing(tmp_path):
    for arguments, says in (
        (["--data", str(SHIPPED_BANK)], "no cloud is configured"),
        (["--data", str(tmp_path / "none.jsonl"), "--cloud", "none"], "cannot be read"),
        (["--data", str(SHIPPED_BANK), "--cloud", "mine"], "--cloud must be"),
    ):
        done = foggate("eval", "collect", "--out", str(tmp_path / "r.jsonl"), *arguments)
        assert (done.returncode, says in done.stderr) == (2, True), done.stderr

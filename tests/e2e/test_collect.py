"""`foggate eval collect` as a process on the builtin model, killed in the middle."""

import asyncio
import json
from collections import Counter

from app.data.records import read_records
from app.demo.bank import SHIPPED_BANK
from tests.support.commands import foggate_here
from tests.support.loopback import loopback_client
from tests.support.processes import Process, foggate
from tests.support.records import simulated, write


async def test_a_collect_killed_in_the_middle_goes_on(tmp_path, start):
    cloud = start("cloud", "demo-cloud", "--port", "0", "--accuracy", "1.0", "--latency-ms", "20")
    url = await cloud.url()
    out = tmp_path / "records.jsonl"
    environment = {"FOGGATE_CLOUD__BASE_URL": url + "/v1", "FOGGATE_EDGE__MAX_BATCH_SIZE": "8"}
    arguments = ["eval", "collect", "--data", str(SHIPPED_BANK), "--out", str(out), "--per-domain", "8", "--json"]
    first = Process(tmp_path, "first", *arguments, fresh=True, **environment)
    while not out.exists() or len(out.read_bytes().splitlines()) < 24:
        assert first.process.poll() is None, first.log.read_text()
        await asyncio.sleep(0.05)
    first.process.kill()
    first.process.wait()
    kept = [record for record in read_records(out).values() if record["cloud_answer"]]

    done = await asyncio.to_thread(foggate, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["total"], said["failed"]) == (56, 0)
    assert said["cloud_asked"] == 56 - len(kept)
    records = read_records(out)
    assert Counter(record["domain"] for record in records.values()) == dict.fromkeys(Counter(r["domain"] for r in records.values()), 8)
    assert all(record["cloud_answer"] == record["gold"] for record in records.values())
    assert {record["edge_model"] for record in records.values()} == {"smollm2-135m-instruct+foggate-r14"}
    async with loopback_client() as http:
        calls = (await http.get(url + "/stats")).json()["calls"]
    # What was under way when the process died may have been asked without a reply: at most the calls allowed at a time.
    assert 56 <= calls <= 56 + 16


def test_collect_says_what_is_missing(tmp_path):
    for arguments, says in (
        (["--data", str(SHIPPED_BANK)], "no cloud is configured"),
        (["--data", str(tmp_path / "none.jsonl"), "--cloud", "none"], "cannot be read"),
        (["--data", ".", "--map", "options=choices.text", "--skip-bad", "--cloud", "none"], ".: is a folder without a data set: "),
        (["--data", str(SHIPPED_BANK), "--cloud", "mine"], "'mine' is not one of 'configured', 'none'"),
        (["--data", str(SHIPPED_BANK), "--cloud", "none", "--order-check", "-1"], "Invalid value for '--order-check'"),
    ):
        done = foggate_here("eval", "collect", "--out", str(tmp_path / "r.jsonl"), *arguments)
        assert (done.returncode, says in done.stderr) == (2, True), done.stderr


async def test_from_questions_to_a_calibrated_gateway(tmp_path, start):
    """What the README shows: collect with both protocols, report, calibrate, compare, serve; and another prompt's file is refused."""
    cloud = start("cloud", "demo-cloud", "--port", "0", "--accuracy", "1.0")
    data = tmp_path / "few.jsonl"
    data.write_text("".join(line + "\n" for line in SHIPPED_BANK.read_text(encoding="utf-8").splitlines()[::10]))
    records, out = tmp_path / "records.jsonl", tmp_path / "calibration.json"

    async def run(*arguments, **environment):
        return await asyncio.to_thread(foggate, *arguments, **environment)

    done = await run(
        *("eval", "collect", "--data", str(data), "--out", str(records), "--protocol", "generate", "--order-check", "4", "--json"),
        FOGGATE_CLOUD__BASE_URL=await cloud.url() + "/v1",
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["total"], said["edge_asked"], said["generated"], said["reversed_asked"], said["failed"]) == (14, 14, 14, 4, 0)
    assert said["ratio_vs_engine"] >= 1
    done = await run("eval", "report", "--records", str(records), "--out", str(tmp_path / "report"), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["n"], report["mean"]["cloud_only"], report["protocols"]["n"], report["order_check"]["n"]) == (14, 1.0, 14, 4)
    assert (report["edge_model"], report["edge_parameters"]) == ("smollm2-135m-instruct+foggate-r14", 134_515_008)
    both = [str(tmp_path / "report" / "report.json")] * 2
    done = await run("eval", "compare", *both, "--json")
    pair = json.loads(done.stdout)["reports"][1]["against_first"]
    assert (pair["n"], pair["edge"], pair["edge_ci"]) == (14, 0, None)
    few = await run("calibrate", "--records", str(records), "--target-cloud-rate", "0.5", "--out", str(out))
    assert (few.returncode, out.exists()) == (2, False)
    assert "14 questions with an edge answer are too few to choose a threshold" in few.stderr
    # The model takes long, so the same answers stand for more questions.
    rows = [json.loads(line) for line in records.read_text().splitlines()]
    many = write(tmp_path / "many.jsonl", [row | {"id": f"{row['id']}-{copy}"} for row in rows for copy in range(3)])
    done = await run("calibrate", "--records", str(many), "--target-cloud-rate", "0.5", "--temperature", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "Temperature" in done.stdout

    gateway = start("gateway", "serve", "--port", "0", FOGGATE_POLICY__CALIBRATION=str(out))
    url = await gateway.url()
    async with loopback_client() as http:
        shown = (await http.get(url + "/v1/models")).json()["data"][0]["calibration"]
        assert shown["tau"] == json.loads(out.read_text())["tau"]
        answer = (await http.post(url + "/v1/answer", json={"question": "Is it?", "options": ["Yes", "No"]}, timeout=60)).json()
    assert (answer["signal"], answer["tau"]) == ("expected", shown["tau"])
    await gateway.stop()

    other = json.loads(out.read_text()) | {"prompt_version": "foggate-0"}
    out.write_text(json.dumps(other))
    refused = await run("serve", "--port", "0", FOGGATE_POLICY__CALIBRATION=str(out))
    assert refused.returncode == 2
    assert "policy.calibration is for another prompt version: it was made with foggate-0" in refused.stderr


def test_calibrate_and_compare_say_what_is_wrong(tmp_path):
    records = write(tmp_path / "r.jsonl", simulated(40, 0))
    for arguments, says in (
        (["calibrate", "--records", str(records)], "give exactly one of --target-cloud-rate"),
        (["calibrate", "--records", str(records), "--target-cloud-rate", "0.2", "--target-accuracy", "0.5"], "give exactly one of"),
        (["calibrate", "--records", str(records), "--target-accuracy", "0.99"], "cannot be reached"),
        (["calibrate", "--records", str(records), "--max-edge-error", "0.01"], "cannot be promised"),
        (["calibrate", "--records", str(tmp_path / "none"), "--target-accuracy", "0.5"], "cannot be read"),
        (["eval", "compare", str(records)], "at least two"),
    ):
        done = foggate_here(*arguments, FOGGATE_LOG__LEVEL="error")
        assert (done.returncode, says in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "calibration.json").exists()

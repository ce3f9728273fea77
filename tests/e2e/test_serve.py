"""The real thing: `foggate serve` and `foggate demo-cloud` as processes, the builtin model behind them."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter

import httpx2

from app.demo.bank import SHIPPED_BANK, load_rows
from tests.support.loopback import loopback_client
from tests.support.processes import ROOT, foggate

ROWS = load_rows([SHIPPED_BANK])
CANARY = "canary-sk-5f1d7a"
SECRET_TEXT = "Zanzibar-7731"
LOAD_SECONDS = float(os.environ.get("LOAD_SECONDS", "4"))
LOAD_CLIENTS = int(os.environ.get("LOAD_CLIENTS", "200"))


def body(row, **more):
    return {"question": row["question"], "options": row["options"], **more}


async def test_from_the_first_question_to_the_last_log_line(start):
    """`make serve` as a person meets it: the banner's own curl bodies, an edge answer and a cloud answer, clean logs."""
    settings = {"FOGGATE_CLOUD__API_KEY": CANARY, "FOGGATE_SERVER__DRAIN_WAIT_S": "0", "FOGGATE_EDGE__THREADS": "0"}
    gateway = start("gateway", "serve", "--demo", "--port", "0", fresh=True, **settings)
    url = await gateway.url()
    # The address is printed before the examples.
    while len(examples := [json.loads(found) for found in re.findall(r"-d '(.*)'", gateway.out.read_text())]) < 2:
        await asyncio.sleep(0.05)
    async with loopback_client(base_url=url, timeout=30) as http:
        replies = [(await http.post("/v1/answer", json=example)).json() for example in examples]
        assert [(reply["route"], reply["reason"]) for reply in replies] == [("edge", "confident"), ("cloud", "low_confidence")]
        # Both come out correct, as README shows them.
        gold = {row["question"]: row["options"]["ABCD".index(row["answer"])] for row in ROWS}
        assert [reply["answer_text"] for reply in replies] == [gold[example["question"]] for example in examples]
        for reply in replies:
            for name in ("answer_probabilities", "confidence_probabilities"):
                assert abs(sum(reply["edge"][name].values()) - 1) < 1e-9
        assert replies[1]["cloud"]["model"] == "demo-cloud"
        await http.post("/v1/answer", json={"question": SECRET_TEXT, "options": [SECRET_TEXT + "a", "b"]})
        await http.post("/v1/answer", json={"question": SECRET_TEXT, "options": ["a"]})
        models = (await http.get("/v1/models")).json()["data"]
        assert [(model["role"], model["id"]) for model in models] == [
            ("edge", "smollm2-135m-instruct+foggate-r14"),
            ("cloud", "demo-cloud"),
            ("router", "foggate"),
            ("edge", "edge"),
            ("cloud", "cloud"),
        ]
        metrics = (await http.get("/metrics")).text

        asked = await asyncio.to_thread(foggate, "ask", "--url", url, "--json", examples[0]["question"], *examples[0]["options"])
        assert json.loads(asked.stdout)["answer"] == replies[0]["answer"]
        shown = await asyncio.to_thread(foggate, "ask", "--url", url, examples[0]["question"], *examples[0]["options"])
        assert "from the edge, confident" in shown.stdout
        assert "█" in shown.stdout
        refused = await asyncio.to_thread(foggate, "ask", "--url", url, "Why?", "same", "same")
        assert (refused.returncode, "options A and B are the same" in refused.stderr) == (2, True)
    assert await gateway.stop() == 0
    lines = gateway.lines()
    requests = [line for line in lines if line["message"] == "request"]
    assert {"request_id", "status", "duration_ms", "route", "reason"} <= set(requests[0])
    everything = gateway.log.read_text() + gateway.out.read_text() + metrics
    assert CANARY not in everything
    assert SECRET_TEXT not in everything


async def test_the_stand_in_down_hanging_or_babbling_is_a_degraded_answer_inside_the_deadline(start):
    cloud = start(
        "cloud", "demo-cloud", "--port", "0", "--fault", "hang:0.4", "--fault", "prose:0.3", "--fault", "bad-json:0.3", "--seed", "2"
    )
    cloud_url = await cloud.url()
    gateway = start("gateway", "serve", "--port", "0", FOGGATE_CLOUD__BASE_URL=cloud_url + "/v1", FOGGATE_DEADLINE_MS="6000")
    async with loopback_client(base_url=await gateway.url(), timeout=30) as http:
        replies = [(await http.post("/v1/answer", json=body(row, tau=1, route="cloud"))).json() for row in ROWS[:8]]
        assert {reply["reason"] for reply in replies} == {"cloud_timeout", "cloud_unparsable"}
        await cloud.stop()
        replies += [(await http.post("/v1/answer", json=body(row, route="cloud"))).json() for row in ROWS[:2]]
        assert replies[-1]["reason"] == "cloud_unavailable"
    assert all(reply["degraded"] and reply["route"] == "edge" for reply in replies)
    assert all(reply["timings_ms"]["total"] < 6000 for reply in replies)


async def test_many_clients_and_a_small_queue_every_request_gets_exactly_one_reply(start):
    """200 clients without pause against 8 places: 200 or 429 with Retry-After, nothing else, and the worker lives on."""
    # A deadline that no machine is too slow for: a 504 would say something of the machine.
    settings = {"FOGGATE_EDGE__MAX_QUEUE_SIZE": "8", "FOGGATE_EDGE__MAX_BATCH_SIZE": "4", "FOGGATE_DEADLINE_MS": "60000"}
    gateway = start("gateway", "serve", "--demo", "--port", "0", **settings)
    url = await gateway.url()
    seen, latest = Counter(), asyncio.get_running_loop().time() + LOAD_SECONDS
    limits = httpx2.Limits(max_connections=LOAD_CLIENTS)
    async with loopback_client(base_url=url, timeout=60, limits=limits) as http:

        async def client(number):
            while asyncio.get_running_loop().time() < latest:
                response = await http.post("/v1/answer", json=body(ROWS[number % len(ROWS)]))
                seen[response.status_code] += 1
                if response.status_code == 429:
                    assert int(response.headers["retry-after"]) >= 1
                    # A client with manners would wait that long; this one is only not a busy loop.
                    await asyncio.sleep(0.2)

        await asyncio.gather(*(client(number) for number in range(LOAD_CLIENTS)))
        assert set(seen) == {200, 429}, seen
        text = (await http.get("/metrics")).text
        counted = sum(float(line.split()[1]) for line in text.splitlines() if line.startswith("foggate_requests_total{"))
        assert counted == seen[200]
        assert (await http.get("/health/live")).status_code == 200
        assert (await http.post("/v1/answer", json=body(ROWS[0]))).status_code == 200
    print(f"\n{LOAD_CLIENTS} clients, {LOAD_SECONDS:g} s: {dict(seen)}")


async def test_sigterm_under_load_loses_no_accepted_request(start):
    # On a busy machine a question may take seconds; it must be answered, and not refused because the deadline is near.
    patience = {"FOGGATE_DEADLINE_MS": "120000", "FOGGATE_SERVER__DRAIN_WAIT_S": "1"}
    gateway = start("gateway", "serve", "--demo", "--port", "0", **patience)
    url = await gateway.url()
    seen = Counter()
    async with loopback_client(base_url=url, timeout=150) as http:

        async def client(number):
            while True:
                try:
                    response = await http.post("/v1/answer", json=body(ROWS[number]))
                except httpx2.ConnectError:
                    # Nobody listens any more: never accepted, safe to send elsewhere.
                    seen["not accepted"] += 1
                    return
                seen[response.status_code] += 1

        clients = [asyncio.ensure_future(client(number)) for number in range(16)]
        while seen[200] < 20:
            await asyncio.sleep(0.05)
        gateway.process.send_signal(signal.SIGTERM)
        while (await http.get("/health/ready")).status_code != 503:
            await asyncio.sleep(0.05)
        # Any other exception here is a lost request.
        await asyncio.gather(*clients)
    assert set(seen) == {200, "not accepted"}, seen
    # Not stop(): a second SIGTERM could hit the interpreter after its handlers are gone.
    assert await asyncio.to_thread(gateway.process.wait, 60) == 0
    assert gateway.lines()[-1]["message"].startswith("Finished server process")


def test_what_cannot_start_says_so_in_one_sentence_and_exits_with_2(tmp_path):
    (tmp_path / "bad.yaml").write_text("policy: {taw: 1}")
    for arguments, environment, says in (
        (["serve", "--config", str(tmp_path / "bad.yaml")], {}, "did you mean 'policy.tau'?"),
        (["serve", "--port", "0"], {"FOGGATE_EDGE__MODEL": str(tmp_path)}, "neither a folder with a model"),
        (["serve", "--host", "192.0.2.1"], {}, "192.0.2.1 can be reached from other machines and no keys are configured"),
        (["serve", "--host", "192.0.2.1", "--insecure"], {}, "cannot listen on 192.0.2.1"),
        (["serve", "--port", "0"], {"FOGGATE_SECURITY__KEYS": str(tmp_path / "none")}, "the key file"),
        (["config", "check"], {"FOGGATE_POLICY__TAU": "2"}, "policy.tau"),
        (["demo-cloud", "--fault", "fire:1"], {}, "fault 'fire:1'"),
        (["demo-cloud", "--recorded", "gpt"], {}, "no answers of 'gpt'"),
    ):
        done = foggate(*arguments, **environment)
        assert done.returncode == 2, done.stderr
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith("foggate: ")
        assert says in last
        assert "Traceback" not in done.stderr


def test_config_check_prints_what_is_in_force_and_masks_the_key():
    done = foggate("config", "check", "--json", FOGGATE_CLOUD__API_KEY=CANARY, FOGGATE_POLICY__TAU="0.25")
    shown = json.loads(done.stdout)
    assert (shown["policy"]["tau"], shown["cloud"]["api_key"]) == (0.25, "********")
    assert CANARY not in done.stdout + done.stderr


def test_help_needs_no_torch():
    code = "import sys; sys.argv = ['foggate', '--help']\nimport app.__main__ as m\ntry: m.main()\nexcept SystemExit: pass\nassert 'torch' not in sys.modules and 'fastapi' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False).returncode == 0

"""Two gateways behind a real nginx with the shipped configuration. `make test-nginx`; needs nginx."""

import asyncio
import shutil
import signal
import subprocess
from collections import Counter

import httpx2
import pytest

from app.bench.processes import free_port
from app.demo.bank import SHIPPED_BANK, load_rows
from tests.support.processes import ROOT

ROWS = load_rows([SHIPPED_BANK])
pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")


def body(number):
    row = ROWS[number % len(ROWS)]
    return {"question": row["question"], "options": row["options"]}


@pytest.fixture
async def balanced(start, tmp_path):
    """nginx and the two gateways behind it."""
    cloud = start("cloud", "demo-cloud", "--port", "0")
    settings = {"FOGGATE_CLOUD__BASE_URL": await cloud.url() + "/v1", "FOGGATE_EDGE__WAIT_POLICY": "passive"}
    ports = [free_port(), free_port()]
    gateways = []
    for number, port in enumerate(ports):
        gateways.append(start(f"gateway-{number}", "serve", "--port", str(port), **settings))
        await gateways[-1].url()
    front = free_port()
    text = (ROOT / "config/nginx.conf").read_text()
    for number, port in enumerate(ports, start=1):
        assert f"gateway-{number}:8080" in text
        text = text.replace(f"gateway-{number}:8080", f"127.0.0.1:{port}")
    text = text.replace("listen 8000", f"listen 127.0.0.1:{front}").replace("/tmp/", f"{tmp_path}/")
    (tmp_path / "nginx.conf").write_text(text)
    nginx = subprocess.Popen(["nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-g", "daemon off;"])
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{front}", timeout=60) as http:
        while True:
            try:
                await http.get("/health/live")
                break
            except httpx2.ConnectError:
                assert nginx.poll() is None
                await asyncio.sleep(0.05)
        yield http, gateways
    nginx.terminate()
    await asyncio.to_thread(nginx.wait)


async def test_a_rolling_restart_loses_nothing(balanced, start):
    """One gateway gets SIGTERM under load: every client sees answers only, from then on from the other."""
    http, gateways = balanced
    seen, stop = Counter(), asyncio.Event()

    async def client(number):
        while not stop.is_set():
            seen[(await http.post("/v1/answer", json=body(number))).status_code] += 1

    clients = [asyncio.ensure_future(client(number)) for number in range(12)]
    while seen[200] < 30:
        await asyncio.sleep(0.05)
    gateways[0].process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(gateways[0].process.wait, 60) == 0
    after = seen[200]
    while seen[200] < after + 20:
        await asyncio.sleep(0.05)
    stop.set()
    await asyncio.gather(*clients)
    assert set(seen) == {200}, seen
    for gateway in gateways:
        assert any(line["message"] == "request" for line in gateway.lines()), "both had answered"


async def test_a_killed_gateway_costs_no_request(balanced):
    http, gateways = balanced
    gateways[1].process.kill()
    replies = await asyncio.gather(*(http.post("/v1/answer", json=body(number)) for number in range(12)))
    assert {reply.status_code for reply in replies} == {200}


async def test_lines_arrive_as_they_are_written(balanced):
    http, _ = balanced
    questions = {"questions": [body(number) for number in range(6)]}
    async with http.stream("POST", "/v1/answers", json=questions, headers={"accept": "application/x-ndjson"}) as response:
        assert len([line async for line in response.aiter_lines()]) == 6

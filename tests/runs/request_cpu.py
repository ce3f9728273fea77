"""How much CPU does a request cost the gateway? `python -m tests.runs.request_cpu [--against FOLDER]`

A gateway with an engine that computes nothing, and a mock cloud that replies after a fixed time, are processes of their own; the client
holds keep-alive connections. What counts is the CPU time of the gateway's process, all its threads together, for each request: the wall clock
says little on a machine that is shared. With `--against` the gateway of another checkout runs beside this one, and the two are loaded in turn,
so that both meet the same machine; the ratio of the two is what to look at. The proxy is the least that FastAPI and httpx2 can do.
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from app.bench.client import drive
from app.bench.connection import prepare
from app.bench.gateway.ways import least_proxy, mock_cloud
from app.bench.numbers import percentile
from tests.support.processes import ROOT

OPTIONS = ["Oxygen", "Carbon dioxide", "Nitrogen", "Helium"]
TEXT = "Which gas do green plants take in for photosynthesis, when the sun shines on their leaves and water comes from the roots? Number"
ROUTES = ("edge", "cloud", "chat-edge", "chat-cloud", "passed", "streamed", "batch", "proxy", "proxy-streamed")
# Questions of a batch; what is shown is the time of each question.
BATCH = 256


def body_of(route, number):
    """The path and the body of a request of this kind."""
    question = {"question": f"{'I am sure of it. ' if 'edge' in route or route == 'batch' else ''}{TEXT} {number}?", "options": OPTIONS}
    if route == "batch":
        return "/v1/answers", {"questions": [{**question, "question": f"{question['question']} {part}"} for part in range(BATCH)]}
    if route in {"edge", "cloud"}:
        return "/v1/answer", question
    if route.startswith("chat"):
        lines = "\n".join(f"{letter}. {option}" for letter, option in zip("ABCD", OPTIONS, strict=True))
        return "/v1/chat/completions", {"model": "foggate", "messages": [{"role": "user", "content": f"{question['question']}\n\n{lines}"}]}
    chat = {"model": "foggate", "messages": [{"role": "user", "content": f"Write a poem about {TEXT} {number}."}], "temperature": 0}
    return "/v1/chat/completions", {**chat, "stream": True} if "streamed" in route else chat


class Gateway:
    """The gateway of a checkout, with an engine that computes nothing. It prints its address."""

    def __init__(self, *command, root=ROOT, **variables):
        environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", **variables}
        self._process = subprocess.Popen(
            [sys.executable, *map(str, command)], cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        said = (json.loads(line) for line in self._process.stdout)
        self.url = next(one["url"] for one in said if "url" in one)

    @property
    def pid(self):
        return self._process.pid

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


def cpu_s(process):
    """Seconds of CPU time that all threads of a process have used so far; finer than what `Server.usage` reads."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{process}/task").iterdir()) / 1e9


async def load(target, route, count, connections, seed):
    """CPU seconds of a request, and the latencies."""
    requests = [prepare(target.url + path, json.dumps(body).encode()) for path, body in (body_of(route, seed + i) for i in range(count))]
    before = cpu_s(target.pid)
    seen = await drive(requests, clients=connections, count=count, on_reply=lambda _, status, content: check(route, status, content))
    used = cpu_s(target.pid) - before
    if seen.failures:
        raise SystemExit(f"{route}: {seen.first_failure}")
    return used / count / (BATCH if route == "batch" else 1), seen.latencies


def check(route, status, content):
    """Every reply must be what was asked for: an error is cheap."""
    if status != 200:
        raise SystemExit(f"{route}: status {status}: {content[:300]!r}")
    if route in {"edge", "cloud"} and json.loads(content)["route"] != route:
        raise SystemExit(f"{route}: {content[:300]!r}")
    if route == "cloud" and json.loads(content)["degraded"]:
        raise SystemExit(f"{route}: {content[:300]!r}")
    if route == "batch" and (content.count(b'"answer"') < BATCH or b'"error"' in content):
        raise SystemExit(f"{route}: {content[:300]!r}")


async def compare(given, targets, proxy):
    print(f"{'route':15} {'who':8} {'CPU ms':>8} {'spread':>7} {'p50 ms':>8} {'p99 ms':>8}")
    for route in given.routes:
        who = {"proxy": proxy} if route.startswith("proxy") else targets
        requests = max(1, given.requests // 50) if route == "batch" else given.requests
        costs, latencies = {name: [] for name in who}, {name: [] for name in who}
        for turn in range(given.turns + 1):
            for name, target in who.items():
                cost, took = await load(target, route, requests, min(given.connections, requests), turn * requests)
                # The first turn warms up.
                if turn:
                    costs[name].append(cost * 1000)
                    latencies[name] += [one * 1000 for one in took]
        for name, found in costs.items():
            p50, p99 = (percentile(latencies[name], percent) for percent in (50, 99))
            print(f"{route:15} {name:8} {statistics.median(found):8.3f} {max(found) - min(found):7.3f} {p50:8.2f} {p99:8.2f}", flush=True)
        if len(costs) > 1:
            ratios = [this / other for this, other in zip(costs["this"], costs["other"], strict=True)]
            print(f"{route:15} ratio    {statistics.median(ratios):8.3f} [{min(ratios):.3f}, {max(ratios):.3f}]", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("routes", nargs="*", help=", ".join(ROUTES))
    parser.add_argument("--requests", type=int, default=400, help="Requests of one turn.")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--delay-ms", type=float, default=20.0, help="Time until the mock cloud replies.")
    parser.add_argument("--against", type=Path, help="Another checkout of this project, which runs beside this one.")
    given = parser.parse_args()
    given.routes = given.routes or ROUTES
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        # With a configuration the gateway logs as it does in production.
        config = folder / "gateway.yaml"
        config.write_text("{}\n")
        mock = stack.enter_context(mock_cloud(folder, delay_ms=given.delay_ms, gap_ms=1.0))
        settings = {
            "FOGGATE_CLOUD__BASE_URL": f"{mock.url}/v1",
            "FOGGATE_POLICY__TAU": "0.5",
            "FOGGATE_POLICY__SIGNAL": "verbalized",
            "FOGGATE_CLOUD__PASS_THROUGH__WITHOUT_KEYS": "true",
            "FOGGATE_CLOUD__PASS_THROUGH__ENABLED": "true",
        }
        targets = {}
        for name, root in {"this": ROOT, **({"other": given.against.resolve()} if given.against else {})}.items():
            command = ("-m", "tests.support.dummy_gateway", "--batch-ms", "0", "--config", config)
            targets[name] = Gateway(*command, root=root, **settings)
            stack.callback(targets[name].stop)
        asyncio.run(compare(given, targets, stack.enter_context(least_proxy(mock.url, folder))))


if __name__ == "__main__":
    main()

"""Two gateways behind a real load balancer with the shipped configuration, while things break. `make chaos`; needs nginx or haproxy.

Each case runs under load; then a table says what the callers saw. No request may be lost in the rolling restart, and no reply may
come later than its deadline plus 200 ms beyond the scheduling delay measured beside it. Where a process is stopped, the load
balancer's own time-out takes the place of the deadline. The gateways have their default time-outs: one attempt may last 8 s, so what
ends it in a cloud that hangs is the deadline of 2 s.
"""

import argparse
import asyncio
import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from app.bench.processes import free_port
from app.config.settings import BreakerSettings
from tests.support.processes import ROOT, Process

CLIENTS, PAUSE_S = 12, 0.05
DEADLINE_MS = 2000
# Of nginx.conf and haproxy.cfg.
BALANCER_TIMEOUT_S = 15.0
ALLOWED_S = 0.2
# After so long without load a breaker that opened asks the cloud again, and the cloud has started.
RECOVERED_S = BreakerSettings().open_s + 2
OPTIONS = ["a", "b", "c", "d"]


@dataclass
class Case:
    """What the callers saw while something broke."""

    name: str
    bound_s: float
    seen: Counter = field(default_factory=Counter)
    latest_s: float = 0.0
    scheduling_s: float = 0.0

    @property
    def late(self):
        return self.latest_s > self.bound_s + ALLOWED_S + self.scheduling_s

    @property
    def lost(self):
        return sum(count for kind, count in self.seen.items() if not kind.startswith("200"))

    def row(self, verdict):
        kinds = ", ".join(f"{kind}: {count}" for kind, count in sorted(self.seen.items()))
        return f"| {self.name} | {kinds} | {self.latest_s:.2f} s | {self.bound_s:.0f} s | {1000 * self.scheduling_s:.0f} ms | {verdict} |"


class World:
    """Mock cloud, two gateways, a load balancer, and callers."""

    def __init__(self, folder, balancer):
        self.folder = folder
        self.balancer = balancer
        self.cloud_port, self.front = free_port(), free_port()
        self.ports = [free_port(), free_port()]
        self.gateways = [None, None]
        self.cloud = None
        self.front_process = None
        self.case = None
        self.rows = []
        self.failures = []
        self.number = 0

    def start_cloud(self, *options):
        self.number += 1
        self.cloud = Process(
            self.folder,
            f"cloud{self.number}",
            "demo-cloud",
            "--port",
            str(self.cloud_port),
            "--unknown",
            "random",
            "--latency-ms",
            "20",
            *options,
        )
        return self.cloud.url()

    def start_gateway(self, index):
        self.number += 1
        self.gateways[index] = Process(
            self.folder,
            f"gateway{self.number}",
            *("--port", str(self.ports[index])),
            module="tests.support.dummy_gateway",
            FOGGATE_CLOUD__BASE_URL=f"http://127.0.0.1:{self.cloud_port}/v1",
            FOGGATE_POLICY__TAU="0.5",
            FOGGATE_POLICY__SIGNAL="verbalized",
            FOGGATE_SERVER__DRAIN_WAIT_S="2",
        ).process

    async def ready(self, index):
        async with httpx2.AsyncClient() as http:
            while True:
                with contextlib.suppress(httpx2.HTTPError):
                    if (await http.get(f"http://127.0.0.1:{self.ports[index]}/health/ready", timeout=1)).status_code == 200:
                        return
                assert self.gateways[index].poll() is None
                await asyncio.sleep(0.05)

    def start_front(self):
        name = {"nginx": "nginx.conf", "haproxy": "haproxy.cfg"}[self.balancer]
        text = (ROOT / "config" / name).read_text()
        for number, port in enumerate(self.ports, start=1):
            text = text.replace(f"gateway-{number}:8080", f"127.0.0.1:{port}")
        text = text.replace("listen 8000", f"listen 127.0.0.1:{self.front}").replace("bind :8000", f"bind 127.0.0.1:{self.front}")
        path = self.folder / name
        path.write_text(text.replace("/tmp/", f"{self.folder}/"))
        command = {
            "nginx": ["nginx", "-p", str(self.folder), "-c", str(path), "-g", "daemon off;"],
            "haproxy": ["haproxy", "-db", "-f", str(path)],
        }[self.balancer]
        self.front_process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=(self.folder / "front.log").open("w"))

    async def caller(self, number, stop):
        """One keep-alive client; every second question wants the cloud."""
        count = 0
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.front}", timeout=60) as http:
            while not stop.is_set():
                count += 1
                text = f"I am sure of {number}-{count}" if count % 2 else f"Who knows {number}-{count}"
                body = {"question": text, "options": OPTIONS, "deadline_ms": DEADLINE_MS}
                started, case = time.monotonic(), self.case
                try:
                    reply = await http.post("/v1/answer", json=body)
                    kind = str(reply.status_code)
                    if reply.status_code == 200 and reply.json()["degraded"]:
                        kind = f"200 degraded ({reply.json()['reason']})"
                except httpx2.HTTPError as error:
                    kind = type(error).__name__
                case.seen[kind] += 1
                case.latest_s = max(case.latest_s, time.monotonic() - started)
                await asyncio.sleep(PAUSE_S)

    async def scheduling(self, stop):
        """How much later than asked this very loop wakes up: what a late reply may owe to the machine."""
        while not stop.is_set():
            started = time.monotonic()
            await asyncio.sleep(0.01)
            self.case.scheduling_s = max(self.case.scheduling_s, time.monotonic() - started - 0.01)

    @contextlib.asynccontextmanager
    async def during(self, name, *, bound_s=DEADLINE_MS / 1000, may_lose=True):
        """A case: what is done inside happens under load; replies to questions asked in it count for it."""
        stop, self.case = asyncio.Event(), Case(name, bound_s)
        tasks = [asyncio.ensure_future(self.caller(number, stop)) for number in range(CLIENTS)]
        tasks.append(asyncio.ensure_future(self.scheduling(stop)))
        await asyncio.sleep(1)
        yield self.case
        await asyncio.sleep(1)
        stop.set()
        await asyncio.gather(*tasks)
        wrong = ["late"] if self.case.late else []
        if self.case.lost and not may_lose:
            wrong.append(f"{self.case.lost} lost")
        self.rows.append(self.case.row("; ".join(wrong) or "ok"))
        self.failures += [f"{name}: {what}" for what in wrong]
        sys.stderr.write(self.rows[-1] + "\n")

    async def close(self):
        for process in (*self.gateways, self.front_process):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
                await asyncio.to_thread(process.wait, 60)
        if self.cloud is not None:
            await self.cloud.stop()


async def rolling_restart(world):
    async with world.during("rolling restart of both", may_lose=False):
        for index in range(2):
            world.gateways[index].terminate()
            assert await asyncio.to_thread(world.gateways[index].wait, 60) == 0
            world.start_gateway(index)
            await world.ready(index)
            await asyncio.sleep(3)


async def killed(world):
    async with world.during("kill -9 of one"):
        world.gateways[0].kill()
        await asyncio.to_thread(world.gateways[0].wait)
        await asyncio.sleep(3)
        world.start_gateway(0)
        await world.ready(0)


async def outage(world):
    async with world.during("cloud gone", may_lose=False):
        await world.cloud.stop()
        await asyncio.sleep(5)
    await world.start_cloud()
    await asyncio.sleep(RECOVERED_S)
    async with world.during("cloud back", may_lose=False) as case:
        await asyncio.sleep(3)
    if case.seen["200"] < 0.9 * sum(case.seen.values()):
        world.failures.append("the cloud is back and not asked")


async def slow_cloud(world):
    # Started before the load: what opens the breakers is that it hangs, not that it is gone.
    await world.cloud.stop()
    await world.start_cloud("--fault", "hang:1")
    async with world.during("cloud takes a minute", may_lose=False) as case:
        await asyncio.sleep(10)
    if not case.seen["200 degraded (circuit_open)"]:
        world.failures.append("a cloud that hangs is not left alone")
    await world.cloud.stop()
    await world.start_cloud()
    await asyncio.sleep(RECOVERED_S)


async def half_open(world):
    async with world.during("200 half-open connections", may_lose=False):
        held = [await asyncio.open_connection("127.0.0.1", port) for port in world.ports for _ in range(100)]
        for _, writer in held:
            writer.write(b"POST /v1/answer HTTP/1.1\r\nhost: localhost\r\n")
        await asyncio.sleep(5)
        for _, writer in held:
            writer.close()


async def stopped(world):
    async with world.during("SIGSTOP of one for 5 s", bound_s=BALANCER_TIMEOUT_S + DEADLINE_MS / 1000):
        world.gateways[1].send_signal(signal.SIGSTOP)
        await asyncio.sleep(5)
        world.gateways[1].send_signal(signal.SIGCONT)
        await asyncio.sleep(2)


async def chaos(balancer):
    with tempfile.TemporaryDirectory() as name:
        world = World(Path(name), balancer)
        try:
            await world.start_cloud()
            for index in range(2):
                world.start_gateway(index)
            await asyncio.gather(world.ready(0), world.ready(1))
            world.start_front()
            await asyncio.sleep(1)
            for case in (rolling_restart, killed, outage, slow_cloud, half_open, stopped):
                await case(world)
        finally:
            await world.close()
    return world


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("balancers", nargs="*", default=[name for name in ("nginx", "haproxy") if shutil.which(name)])
    given = parser.parse_args()
    if not given.balancers:
        sys.exit("neither nginx nor haproxy is installed")
    failures = []
    for balancer in given.balancers:
        world = asyncio.run(chaos(balancer))
        print(f"\n{balancer}, two gateways, {CLIENTS} callers, deadline {DEADLINE_MS} ms\n")
        print("| case | replies | latest | bound | scheduling | |\n|---|---|---|---|---|---|")
        print("\n".join(world.rows))
        failures += [f"{balancer}: {failure}" for failure in world.failures]
    if failures:
        sys.exit("; ".join(failures))


if __name__ == "__main__":
    main()

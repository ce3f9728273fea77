"""A mixed load for a long time: does anything grow? `make soak` (5 minutes; SOAK_SECONDS=1800 for half an hour).

Edge and cloud questions, batches, bad bodies, and callers who hang up, against a gateway with a waiting engine and a mock
cloud with every fault. Memory after the warm-up must be that of the middle and the end within five percent, and sockets and
tasks must not grow. Loopback only.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx2
import psutil

from tests.support.processes import Process

WORKERS = 24
FAULTS = ("429:0.02", "500:0.02", "hang:0.01", "cut:0.02", "bad-json:0.01", "prose:0.02")
ENVIRONMENT = {
    "FOGGATE_CLOUD__TIMEOUT_S": "1",
    "FOGGATE_CLOUD__CACHE_ENTRIES": "500",
    "FOGGATE_CLOUD__CACHE_TTL_S": "20",
    "FOGGATE_DEADLINE_MS": "3000",
    "FOGGATE_POLICY__TAU": "0.5",
    "FOGGATE_POLICY__SIGNAL": "verbalized",
    "FOGGATE_EDGE__MAX_QUEUE_SIZE": "8",
}
OPTIONS = ["a", "b", "c", "d"]


def asked(draw):
    """What is done, and with which body."""
    number = draw.randrange(5000)
    edge = {"question": f"I am sure of {number}", "options": OPTIONS}
    cloud = {"question": f"Who knows {number}", "options": OPTIONS}
    kind = draw.choices(("edge", "cloud", "batch", "bad", "leave"), (45, 30, 5, 10, 10))[0]
    body = {
        "edge": edge,
        "cloud": cloud,
        "batch": {"questions": [edge, cloud, {"question": ""}]},
        "bad": {"question": 1, "options": "x"},
        "leave": {**cloud, "route": "cloud"},
    }[kind]
    return kind, body


async def worker(http, draw, until, pause_s, seen):
    while time.monotonic() < until:
        kind, body = asked(draw)
        call = http.post("/v1/answers" if kind == "batch" else "/v1/answer", json=body)
        try:
            if kind == "leave":
                async with asyncio.timeout(draw.uniform(0.001, 0.05)):
                    reply = await call
            else:
                reply = await call
            seen[f"{kind} {reply.status_code}"] += 1
        except TimeoutError:
            seen["leave gone"] += 1
        except httpx2.HTTPError as error:
            seen[f"{kind} {type(error).__name__}"] += 1
        await asyncio.sleep(draw.uniform(0, 2 * pause_s))


def sample(gateway, seen):
    """What the process under load holds at this moment."""
    said = [json.loads(line) for line in gateway.out.read_text().splitlines()]
    tasks = [line["tasks"] for line in said if "tasks" in line]
    return {"rss_mb": seen.memory_info().rss / 1e6, "sockets": seen.num_fds(), "tasks": tasks[-1]}


def mean_around(samples, share):
    """Means over the tenth of the samples around a point of the run: single samples jump with what is in flight."""
    at, width = int(share * (len(samples) - 1)), max(1, len(samples) // 10)
    chosen = samples[max(0, at - width) : at + 1]
    return {key: sum(sample[key] for sample in chosen) / len(chosen) for key in chosen[0]}


async def soak(seconds, pause_s, seed):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cloud = Process(
            folder,
            "cloud",
            "demo-cloud",
            "--port",
            "0",
            "--unknown",
            "random",
            "--latency-ms",
            "30",
            "--latency-sigma",
            "0.5",
            *(x for f in FAULTS for x in ("--fault", f)),
        )
        settings = {**ENVIRONMENT, "FOGGATE_CLOUD__BASE_URL": await cloud.url() + "/v1"}
        gateway = Process(folder, "gateway", module="tests.support.dummy_gateway", **settings)
        watched = psutil.Process(gateway.process.pid)
        url, seen, samples = await gateway.url(), Counter(), []
        started = time.monotonic()
        warm_up = min(300.0, seconds / 5)
        try:
            async with httpx2.AsyncClient(base_url=url, timeout=30) as http:
                workers = [
                    asyncio.ensure_future(worker(http, random.Random(f"{seed}|{n}"), started + seconds, pause_s, seen))
                    for n in range(WORKERS)
                ]
                while not all(task.done() for task in workers):
                    await asyncio.sleep(1)
                    if time.monotonic() - started >= warm_up and time.monotonic() - started < seconds:
                        samples.append(sample(gateway, watched))
                    sys.stderr.write(f"\r{time.monotonic() - started:.0f} s of {seconds}, {sum(seen.values())} requests   ")
                await asyncio.gather(*workers)
                metrics = (await http.get("/metrics")).text
        finally:
            code = await gateway.stop()
            await cloud.stop()
    return seen, samples, metrics, code, warm_up


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--pause", type=float, default=0.2, help="mean seconds between the requests of one of the clients")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    seen, samples, metrics, code, warm_up = asyncio.run(soak(given.seconds, given.pause, given.seed))
    marks = {"warm-up": mean_around(samples, 0.1), "middle": mean_around(samples, 0.5), "end": mean_around(samples, 1.0)}
    print(f"\n{sum(seen.values())} requests in {given.seconds:.0f} s, {WORKERS} clients, seed {given.seed}")
    for kind, count in sorted(seen.items()):
        print(f"  {kind}: {count}")
    degraded = [line for line in metrics.splitlines() if line.startswith(("foggate_degraded_total{", "foggate_cloud_shared_total{"))]
    print("\n".join(f"  {line}" for line in degraded))
    print(f"means over a tenth of the time from {warm_up:.0f} s on:")
    for name, mark in marks.items():
        print(f"  {name}: RSS {mark['rss_mb']:.1f} MB, open files {mark['sockets']:.1f}, tasks {mark['tasks']:.1f}")
    first, wrong = marks["warm-up"], []
    for name in ("middle", "end"):
        if marks[name]["rss_mb"] > 1.05 * first["rss_mb"]:
            wrong.append(f"memory grew by more than 5 % up to the {name}")
        for what in ("sockets", "tasks"):
            if marks[name][what] > first[what] + WORKERS:
                wrong.append(f"{what} grew up to the {name}")
    wrong += [f"{kind}: {count}" for kind, count in seen.items() if kind.split()[1].startswith("5") or kind.endswith("Error")]
    if code != 0:
        wrong.append(f"the gateway ended with {code}")
    print("flat" if not wrong else "NOT flat: " + "; ".join(wrong))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

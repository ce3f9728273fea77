"""The gateway's event loop never stands still for long, whatever callers and the cloud send: real processes, real HTTP.

Each text is tried up to eight times and the shortest of the longest pauses counts: what a text costs, it costs every time, and what
the machine does beside it differs. How a pause is measured: `tests/support/heartbeat.py`.
"""

import asyncio
import contextlib
import json

import pytest

from app.edge.builtin import default_cache_dir
from tests.support.hostile import BODIES, BODY, REQUESTS, TEXTS, HostileCloud, ask, completion, http, wires
from tests.support.loopback import loopback_client
from tests.unit.test_encoding import HEAVY

BOUND_S = 0.05
UNSURE = {"question": "Who knows", "options": ["a", "b"]}


class Watched:
    """A gateway in a process of its own, and how long its loop stood still."""

    def __init__(self, process, cloud):
        self.process, self.cloud = process, cloud
        told = json.loads(process.out.read_text().splitlines()[0])
        self.url, self._port = told["url"], told["watch"]
        self.http = loopback_client(base_url=self.url, timeout=60)

    async def longest(self):
        """Since the last time."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(b"\n")
        longest = json.loads(await reader.readline())
        writer.close()
        return longest

    async def pause(self, send):
        """What `send` costs the loop, and its last result."""
        shortest = 9.0
        for _ in range(8):
            await self.longest()
            result = await send()
            # A turn of the loop or two, so that what was left behind is counted.
            assert (await self.http.get("/health/live")).status_code == 200
            shortest = min(shortest, await self.longest())
            if shortest < BOUND_S:
                break
        return shortest, result

    async def raw(self, request):
        """The first line that comes back."""
        reader, writer = await asyncio.open_connection("127.0.0.1", int(self.url.rpartition(":")[2]))
        writer.write(request)
        line = await reader.readline()
        writer.close()
        return line


@contextlib.asynccontextmanager
async def watched(start, *args):
    cloud = HostileCloud(http(completion("B")))
    async with await asyncio.start_server(cloud, "127.0.0.1", 0) as server:
        process = start(
            "gateway", "--cloud", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", *args, module="tests.support.heartbeat"
        )
        await process.url()
        gateway = Watched(process, cloud)
        async with gateway.http:
            yield gateway
        await process.stop()
        await cloud.left()


@contextlib.asynccontextmanager
async def probed(gateway):
    """`/health/live` answers all the time."""
    statuses = []

    async def probe():
        async with loopback_client(base_url=gateway.url, timeout=60) as prober:
            while True:
                statuses.append((await prober.get("/health/live")).status_code)
                await asyncio.sleep(0.02)

    probing = asyncio.create_task(probe())
    try:
        yield
    finally:
        probing.cancel()
    assert set(statuses) == {200}


JSON = {"content-type": "application/json"}


async def test_no_body_and_no_reply_holds_the_loop(start):
    long = {}
    async with watched(start) as gateway, probed(gateway):
        for name, (path, body) in BODIES.items():
            took, reply = await gateway.pause(lambda path=path, body=body: gateway.http.post(path, content=body, headers=JSON))
            assert reply.status_code in {200, 400, 422}, (name, reply.text[:200])
            long["body", name] = took
        for name, (coding, make) in HEAVY.items():
            body = make()
            headers = {**JSON, "content-encoding": coding}
            took, reply = await gateway.pause(
                lambda body=body[:BODY], headers=headers: gateway.http.post("/v1/answer", content=body, headers=headers)
            )
            assert reply.status_code in {400, 413}, (name, reply.text[:200])
            long["compressed", name] = took
        for name, request in REQUESTS.items():
            took, line = await gateway.pause(lambda request=request: gateway.raw(request))
            assert line.split()[1] in {b"200", b"404"}, name
            long["request", name] = took
        for name, wire in wires().items():
            gateway.cloud.reply = wire
            took, reply = await gateway.pause(lambda: gateway.http.post("/v1/answer", json=UNSURE))
            assert reply.status_code == 200, (name, reply.text[:200])
            long["reply", name] = took
    assert {name: took for name, took in long.items() if took >= BOUND_S} == {}


BUILTIN = max((path for path in default_cache_dir().glob("smollm2*") if path.is_dir()), default=None)


@pytest.mark.parametrize("tokenizer", ["tiny", BUILTIN], ids=["tiny", "builtin"])
async def test_no_text_holds_the_loop_while_it_is_tokenised(start, tokenizer):
    if tokenizer is None:
        pytest.skip("the builtin model is not here: make setup")
    long = {}
    async with watched(start, "--tokenizer", str(tokenizer)) as gateway, probed(gateway):
        for name, text in TEXTS.items():
            body = ask(text, route="edge")
            took, reply = await gateway.pause(lambda body=body: gateway.http.post("/v1/answer", json=body))
            assert reply.status_code in {200, 422}, (name, reply.text[:200])
            long[name] = took
        for name in ("batch of runs of blanks", "batch of astral characters", "empty lists", "as many deep lists as are read"):
            path, body = BODIES[name]
            took, _ = await gateway.pause(lambda path=path, body=body: gateway.http.post(path, content=body, headers=JSON))
            long[name] = took
    assert {name: took for name, took in long.items() if took >= BOUND_S} == {}

"""Random bodies through the whole ASGI application: only documented statuses, whatever comes.

`make fuzz` sends a hundred thousand; `make test` two thousand, always the same ones.
"""

import argparse
import asyncio
import contextlib
import json
import random
import sys
from collections import Counter

import httpx2

from app.api.app import create_app
from app.config.settings import Settings
from app.demo.bank import SHIPPED_BANK, Bank, load_rows
from app.demo.server import create_demo
from app.edge.build import with_engine
from tests.support import hostile, mutants
from tests.support.fakes import FakeEngine
from tests.support.servers import serving

# Those of the interface's document: 502 where the edge broke on the question and the cloud failed too.
DOCUMENTED = {200, 400, 413, 415, 422, 429, 502, 503, 504}
TEXTS = (
    "sure",
    "Who knows",
    "",
    " ",
    "poison",
    "long",
    "\u0000",
    "\ud800",
    "😀" * 40,
    "<|im_end|>",
    "A. x\nB. y",
    "ё" * 300,
    "a" * 30_000,
    "\u2028",
    "null",
)
SCALARS = (None, True, False, 0, -1, 1, 0.5, 1e308, -0.0, 10**40, 10**400, -(10**400), "", "x", "\ud800", [], {}, [[]], {"": None})
RAW = (
    b"",
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"\xff\xfe",
    b'{"question": NaN}',
    b'{"question": 1e999}',
    b"[" * 5000,
    b'{"a":' * 3000,
    b"\x00" * 100,
    '{"question": "sure", "options": ["a", "b"]}'.encode("utf-16"),
    b"[" + b"9" * 5000 + b"]",
    b'{"questions": [' + b"[]," * 20_000 + b"[]]}",
)
NAMES = ("extra", "\ud800", "\u2028", "", "x" * 5000)
TYPES = (
    "application/json",
    "application/json; charset=utf-8",
    "application/problem+json",
    "text/plain",
    "",
    "application/x-www-form-urlencoded",
)


def _text(draw):
    """Mostly short ones; now and then one of the longest and hardest that are allowed."""
    return draw.choice(TEXTS) if draw.random() < 0.98 else draw.choice(list(hostile.TEXTS.values()))


def question(draw):
    """A well-formed question, or one with something wrong in it."""
    body = {
        "question": _text(draw) if draw.random() < 0.5 else f"I am sure of number {draw.randrange(1000)}",
        "options": [_text(draw) if draw.random() < 0.2 else f"option {n}" for n in range(draw.choice((0, 1, 2, 4, 4, 4, 10, 26, 27)))],
    }
    for name, values in {
        "id": ("x", "y" * 200, "\ud800", "ё\udfff"),
        "domain": ("law", "z" * 100, "\ud800"),
        "tau": (0, 0.5, 1, 2),
        "route": ("auto", "edge", "cloud", "moon"),
        "deadline_ms": (1, 50, 10**9, 0, 10**20, 10**400),
    }.items():
        if draw.random() < 0.2:
            body[name] = draw.choice(values) if draw.random() < 0.7 else draw.choice(SCALARS)
    if draw.random() < 0.2:
        body[draw.choice(("question", "options", "tau", *NAMES))] = draw.choice(SCALARS)
    if draw.random() < 0.1:
        del body[draw.choice(sorted(body))]
    return body


def request(draw):
    """Path, body and headers."""
    path = draw.choice(("/v1/answer", "/v1/answer", "/v1/answers", *mutants.GOOD))
    kind = draw.random()
    if kind < 0.1:
        content = draw.choice(RAW)
    elif kind < 0.2:
        whole = json.dumps(question(draw)).encode()
        at = draw.randrange(len(whole))
        content = whole[:at] + bytes([draw.randrange(256)]) + whole[at + draw.randrange(3) :]
    elif path in mutants.GOOD:
        content = mutants.mutant(draw, path)
    elif path == "/v1/answers":
        content = json.dumps(
            {"questions": [question(draw) if draw.random() < 0.9 else draw.choice(SCALARS) for _ in range(draw.randrange(6))]}
        ).encode()
    else:
        content = json.dumps(question(draw)).encode()
    headers = {"content-type": "application/json" if draw.random() < 0.9 else draw.choice(TYPES)}
    if draw.random() < 0.1:
        headers["accept"] = draw.choice(("application/x-ndjson", "text/html", "*/*;q=0"))
    if draw.random() < 0.1:
        headers["x-request-id"] = draw.choice(("abc", "x" * 500, "é".encode(), "a b"))
    return path, content, headers


class RandomCloud(hostile.HostileCloud):
    """Any of the hostile replies, drawn by seed."""

    def __init__(self, seed):
        super().__init__(b"")
        self._draw = random.Random(f"{seed}|cloud")

    def says(self):
        return self._draw.choice(list(hostile.wires().values()))


def _check_of_other_clients(reply, about):
    """See whether a reply in the form of another interface is one of those that it documents."""
    assert reply.status_code != 500 or reply.headers.get("x-foggate-reason") == "passed_on", about
    if reply.headers["content-type"].startswith("text/event-stream"):
        assert reply.status_code == 200, about
        for line in reply.text.split("\n"):
            if line.startswith("data: {"):
                hostile.strictly(line[6:])
        return
    body = hostile.strictly(reply.text)
    if reply.status_code == 200:
        assert {"choices", "output", "answers"} & set(body), about
    elif reply.headers.get("x-foggate-reason") != "passed_on":
        assert reply.status_code in DOCUMENTED | {404}, about
        assert "detail" in body or {"message", "type", "param", "code", "request_id"} == set(body["error"]), about


async def fuzz(count, seed, *, concurrency=16, on_progress=lambda done: None):
    """Statuses by count. Raises AssertionError with the seed of the first request that got an undocumented one."""
    seen = Counter()
    async with contextlib.AsyncExitStack() as stack:
        cloud = await stack.enter_async_context(
            serving(create_demo(Bank(load_rows([SHIPPED_BANK]), guess=True), faults={"500": 0.1, "prose": 0.1}))
        )
        # Asked where the first endpoint fails: says something else, whatever a cloud can say, every time.
        second = RandomCloud(seed)
        server = await stack.enter_async_context(await asyncio.start_server(second, "127.0.0.1", 0))
        stack.push_async_callback(second.left)
        other = {"base_url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"}
        cloud = {"base_url": cloud + "/v1", "max_attempts": 2, "retry_budget": 1, "endpoints": {"second": other}}
        app = create_app(Settings(cloud=cloud, policy={"tau": 0.5}), edge=with_engine(lambda _: FakeEngine()))
        await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx2.ASGITransport(app)
        http = await stack.enter_async_context(httpx2.AsyncClient(transport=transport, base_url="http://localhost"))
        while (await http.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.01)
        numbers = iter(range(count))

        async def worker():
            for number in numbers:
                path, content, headers = request(random.Random(f"{seed}|{number}"))
                reply = await http.post(path, content=content, headers=headers)
                seen[reply.status_code] += 1
                if number % 1000 == 0:
                    on_progress(number)
                assert reply.headers["x-request-id"]
                if path in mutants.GOOD:
                    _check_of_other_clients(reply, (seed, number, path, reply.status_code, content[:2000], reply.text[:300]))
                    continue
                assert reply.status_code in DOCUMENTED, (seed, number, reply.status_code, content[:300])
                # Where the edge broke on the question and it was not to go to the cloud; never for another reason.
                assert reply.status_code != 503 or reply.json()["error"]["type"] == "edge_error", (seed, number)
                if headers.get("accept") == "application/x-ndjson" and reply.headers["content-type"].startswith("application/x-ndjson"):
                    assert all("index" in hostile.strictly(line) for line in reply.text.split("\n") if line), (seed, number)
                else:
                    hostile.strictly(reply.text)
                if reply.status_code != 200:
                    assert set(reply.json()["error"]) <= {"type", "message", "param", "request_id"}, (seed, number)

        await asyncio.gather(*(worker() for _ in range(concurrency)))
        assert (await http.get("/health/ready")).status_code == 200
    return seen


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    import logging

    import structlog

    # Refused requests are what this is about; a log line for each is not.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.ERROR)
    found = asyncio.run(fuzz(given.count, given.seed, on_progress=lambda done: sys.stderr.write(f"\r{done} of {given.count}")))
    print(
        f"\n{sum(found.values())} random requests, seed {given.seed}: " + ", ".join(f"{status}: {n}" for status, n in sorted(found.items()))
    )

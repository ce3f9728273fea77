"""A whole gateway as a process whose event loop is watched: how long was its longest pause since somebody last asked?

`python -m tests.support.heartbeat` prints its address and that of the watch, which answers a line with the pause in seconds.
"""

import argparse
import asyncio
import json
import sys
import time

from app.api.server import listen, serve
from app.config.settings import Settings
from app.edge.build import with_engine
from app.telemetry.logs import configure_logging
from tests.support.fakes import FakeEngine


class Watch:
    """Measures every turn of the loop in which it runs.

    A pause is counted at the smaller of what passed on the clock and what this process computed meanwhile, all threads
    together. On a busy machine the clock alone would count what others computed; the computing of the loop's thread alone
    would miss a pause in which another thread of ours held the interpreter's lock.
    """

    def __init__(self):
        self.longest = 0.0

    async def run(self):
        clock, computed = time.perf_counter(), time.process_time()
        while True:
            await asyncio.sleep(0.001)
            now, now_computed = time.perf_counter(), time.process_time()
            self.longest = max(self.longest, min(now - clock, now_computed - computed))
            clock, computed = now, now_computed

    async def answer(self, reader, writer):
        await reader.readline()
        longest, self.longest = self.longest, 0.0
        writer.write(json.dumps(longest).encode() + b"\n")
        writer.close()


def tokenising_engine(tokenizer):
    """A tiny model behind a real tokenizer: `tiny`, or the folder of one."""
    # torch is not needed where the engine is the fake.
    from transformers import AutoTokenizer

    from app.core.prompt import PromptFamily
    from app.edge.engine import VerdictEngine
    from app.edge.rendering import Renderer
    from tests.support.tiny import tiny_model, tiny_tokenizer

    loaded = tiny_tokenizer() if tokenizer == "tiny" else AutoTokenizer.from_pretrained(tokenizer)
    return VerdictEngine(tiny_model("llama", len(loaded)), Renderer(loaded, PromptFamily.LLAMA), name="tiny")


async def run(cloud, tokenizer):
    settings = Settings(
        cloud={"base_url": cloud, "max_attempts": 1, "breaker": {"min_calls": 10**6}},
        # On a busy machine a body of a hundred thousand chunks takes long; how long it may take is not what is watched.
        limits={"body_timeout_s": 300},
        policy={"tau": 0.5},
    )
    listener = listen("127.0.0.1", 0)
    watch = Watch()
    watching = asyncio.create_task(watch.run())
    async with await asyncio.start_server(watch.answer, "127.0.0.1", 0) as server:

        def say(_):
            port = server.sockets[0].getsockname()[1]
            sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}", "watch": port}) + "\n")
            sys.stdout.flush()

        await serve(
            settings, listener, on_ready=say, edge=with_engine(lambda _: tokenising_engine(tokenizer) if tokenizer else FakeEngine())
        )
    watching.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cloud", required=True)
    parser.add_argument("--tokenizer", help="a folder, or tiny; without it the engine only looks at words")
    given = parser.parse_args()
    configure_logging("error")
    asyncio.run(run(given.cloud, given.tokenizer))

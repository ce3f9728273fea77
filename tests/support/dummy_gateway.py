"""A whole gateway as a process, with the benches' engine that only waits: for load and failure runs, where a model's speed is noise.

The engine is sure of a question with the word `sure`. Prints its address when it is ready and then, every second, how many asyncio tasks it has.
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

from app.api.server import listen, serve
from app.bench.gateway.engine import WaitingEngine
from app.config.loading import load_settings
from app.core import interrupts
from app.edge.build import with_engine
from app.telemetry.logs import configure_logging

READY = []


def is_sure(text):
    return "sure" in text.split()


async def run(port, batch_ms, load_s, *, at_once, config):
    settings = load_settings(config)
    listener = listen("127.0.0.1", port)

    def say(**what):
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()

    async def count():
        while True:
            say(tasks=len(asyncio.all_tasks()))
            await asyncio.sleep(1)

    counting = asyncio.ensure_future(count())

    def address():
        say(url=f"http://127.0.0.1:{listener.getsockname()[1]}")

    def load(_):
        if at_once:
            address()
        time.sleep(load_s)
        return WaitingEngine(batch_ms / 1000, is_sure)

    def ready(_):
        READY.append(True)
        address()

    code = await serve(settings, listener, on_ready=ready, edge=with_engine(load), read_settings=lambda: load_settings(config))
    counting.cancel()
    return code


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--batch-ms", type=float, default=5.0)
    parser.add_argument("--load-s", type=float, default=0.0)
    parser.add_argument("--at-once", action="store_true", help="Print the address before anything is loaded.")
    parser.add_argument("--config", type=Path)
    given = parser.parse_args()
    configure_logging("info" if given.config else "error")
    code = asyncio.run(run(given.port, given.batch_ms, given.load_s, at_once=given.at_once, config=given.config))
    if code or not READY:
        interrupts.finish(code)

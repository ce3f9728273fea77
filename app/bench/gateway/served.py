"""The gateway as it is served, with an edge engine that waits and computes nothing: `python -m app.bench.gateway.served`.

It is a program of the bench and not an option of `foggate serve`, so that nobody serves its answers by accident. It listens on loopback
only, and its model is called `bench-waiting-engine` in every answer. Settings of the caller's environment, such as the address and the
key of a real cloud, are not read: those of the command line are the only ones.
"""

import argparse
import asyncio
import json
import os
from pathlib import Path

from app.api.listener import listen_on
from app.api.server import serve
from app.bench.gateway.engine import WaitingEngine
from app.bench.gateway.sampling import Sampler
from app.config.loading import load_settings
from app.config.tree import PREFIX
from app.core import interrupts
from app.edge.build import with_engine
from app.telemetry.logs import configure_logging


async def _run(port: int, batch_s: float, sampler: Sampler | None) -> int:
    settings = load_settings()
    configure_logging(settings.log.level, settings.log.format)
    edge = with_engine(lambda _: WaitingEngine(batch_s))

    def ready(_: object) -> None:
        if sampler is not None:
            sampler.start()

    return await serve(settings, *listen_on("127.0.0.1", port), on_ready=ready, edge=edge)


def main() -> None:
    """Serve until a signal ends it."""
    interrupts.install(terminated=0)
    parser = argparse.ArgumentParser(description="A gateway whose edge model is a wait. For foggate bench.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--edge-ms", type=float, default=0.5)
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE", help="a variable FOGGATE_… without its prefix")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="write where the processor time went, when a signal ends it")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        del os.environ[name]
    os.environ.update((PREFIX + name, value) for name, _, value in (setting.partition("=") for setting in given.setting))
    sampler = None if given.profile is None else Sampler()
    code = asyncio.run(_run(given.port, given.edge_ms / 1000, sampler))
    if sampler is not None:
        given.profile.write_text(json.dumps(sampler.stop()), encoding="utf-8")
    if code:
        interrupts.finish(code)


if __name__ == "__main__":
    main()

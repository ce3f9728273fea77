"""Real servers on loopback, in this event loop."""

import asyncio
import contextlib

import uvicorn

from app.api.server import listen

# What is in flight when a server ends gets this long.
_GRACE_S = 2


@contextlib.asynccontextmanager
async def serving(app, **options):
    """Run an ASGI app with uvicorn on a free port; yields its URL.

    The steps of `uvicorn.Server.serve` without its waiting: that one looks ten times a second whether it shall end, and then waits another
    tenth of a second for its connections, which a thousand tests feel.
    """
    config = uvicorn.Config(app, log_config=None, access_log=False, **options)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with listen("127.0.0.1", 0) as listener:
        await server.startup([listener])
        # The headers that every reply has.
        await server.on_tick(0)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            for one in server.servers:
                one.close()
            for connection in list(server.server_state.connections):
                connection.shutdown()
            await _finished(server.server_state)
            await server.lifespan.shutdown()


async def _finished(state):
    """Wait until nothing is in flight; what still is after the grace is cancelled."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GRACE_S):
            while state.connections or state.tasks:
                await asyncio.sleep(0.002)
    for task in state.tasks:
        task.cancel()

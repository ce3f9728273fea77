"""Real servers on loopback, in this event loop."""

import contextlib

import uvicorn

from app.api.server import listen


@contextlib.asynccontextmanager
async def serving(app, **options):
    """Run an ASGI app with uvicorn on a free port; yields its URL."""
    import asyncio

    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2, **options))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                await asyncio.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task

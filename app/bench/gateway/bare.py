"""The least server that uvicorn makes: it reads a body and answers with bytes of the size of an edge answer. `python -m app.bench.gateway.bare`.

It has the parser of HTTP that the gateway has (h11, whose bounds on heads the gateway needs) and no framework above it. It is the floor
of the gateway's edge route: what that costs beyond this server is the gateway's own.
"""

import argparse
import asyncio
from typing import Any

import uvicorn

from app.api.listener import listen_on

BODY = b'{"answer":"A","route":"edge","degraded":false,"padding":"' + b"-" * 600 + b'"}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]


async def application(scope: Any, receive: Any, send: Any) -> None:
    """The ASGI application: POST with any body, or GET for the bench to see that it is ready."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": BODY})


def main() -> None:
    """Serve on loopback until a signal ends it."""
    parser = argparse.ArgumentParser(description="The least server that uvicorn makes. For foggate bench.")
    parser.add_argument("--port", type=int, required=True)
    config = uvicorn.Config(application, http="h11", lifespan="off", log_config=None, access_log=False, server_header=False)
    asyncio.run(uvicorn.Server(config).serve(sockets=listen_on("127.0.0.1", parser.parse_args().port)))


if __name__ == "__main__":
    main()

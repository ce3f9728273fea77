"""The least proxy that FastAPI and httpx2 make: a body in, the same body to the cloud, its reply back. `python -m app.bench.gateway.least`.

It checks nothing, counts nothing, logs nothing, has no deadline, and repeats nothing. What a gateway costs beyond it is the price of
doing these things.
"""

import argparse
import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

# As clients write it, who leave a blank or none.
_STREAMED = (b'"stream": true', b'"stream":true')


def create_proxy(cloud: str) -> FastAPI:
    """The application.

    Args:
        cloud: address of the cloud, without `/v1`.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with httpx2.AsyncClient(timeout=60, limits=httpx2.Limits(max_connections=None), trust_env=False) as http:
            app.state.http = http
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/chat/completions")
    async def passed_on(request: Request) -> Response:
        http: httpx2.AsyncClient = request.app.state.http
        content = await request.body()
        headers = {"content-type": "application/json"}
        asked = http.build_request("POST", f"{cloud}/v1/chat/completions", content=content, headers=headers)
        if not any(streamed in content for streamed in _STREAMED):
            reply = await http.send(asked)
            return Response(reply.content, reply.status_code, media_type="application/json")
        reply = await http.send(asked, stream=True)
        return StreamingResponse(
            reply.aiter_bytes(), reply.status_code, media_type="text/event-stream", background=BackgroundTask(reply.aclose)
        )

    return app


def main() -> None:
    """Serve on loopback until a signal ends it."""
    parser = argparse.ArgumentParser(description="The least proxy that FastAPI and httpx2 make. For foggate bench.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--cloud", required=True)
    given = parser.parse_args()
    # As the gateway's listener: asyncio sets TCP_NODELAY only on sockets that say they are TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", given.port))
    listener.listen(2048)
    server = uvicorn.Server(uvicorn.Config(create_proxy(given.cloud), log_config=None, access_log=False))
    asyncio.run(server.serve(sockets=[listener]))


if __name__ == "__main__":
    main()

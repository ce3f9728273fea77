"""The least proxy that FastAPI and httpx2 can be: passes a body on and the reply back. Started by `tests/runs/request_cpu.py`; argument: the URL."""

import asyncio
import contextlib
import json
import sys

import httpx2
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse

from app.api.server import listen


def create_proxy(url):
    @contextlib.asynccontextmanager
    async def lifespan(app):
        limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=1000)
        async with httpx2.AsyncClient(timeout=60, limits=limits) as app.state.http:
            yield

    app = FastAPI(lifespan=lifespan, openapi_url=None)

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> Response:
        content = await request.body()
        headers = {"content-type": "application/json"}
        if not json.loads(content).get("stream"):
            reply = await app.state.http.post(url, content=content, headers=headers)
            return Response(reply.content, reply.status_code, media_type="application/json")
        reply = await app.state.http.send(app.state.http.build_request("POST", url, content=content, headers=headers), stream=True)
        return StreamingResponse(reply.aiter_bytes(), reply.status_code, media_type="text/event-stream")

    return app


async def serve(url):
    listener = listen("127.0.0.1", 0)
    print(json.dumps({"url": "http://{}:{}".format(*listener.getsockname())}), flush=True)
    await uvicorn.Server(uvicorn.Config(create_proxy(url), log_config=None, access_log=False)).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))

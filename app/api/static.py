"""Files of a page: sent with the headers that keep a browser from loading anything from elsewhere, or from running what a page does not contain."""

from pathlib import Path

from fastapi import Request
from fastapi.responses import Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from app.api.face import Endpoint, Face


def headers_of(policy: str) -> dict[str, str]:
    """The headers of every file of a page.

    Args:
        policy: what its content security policy allows beyond nothing.
    """
    return {
        "content-security-policy": f"default-src 'none'; {policy}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        # Asked for again after an update; unchanged files are answered with 304.
        "cache-control": "no-cache",
    }


class Folder:
    """The files of a page.

    Args:
        path: the folder that holds them.
        headers: headers of every reply.
    """

    def __init__(self, path: Path, headers: dict[str, str]) -> None:
        self._files = StaticFiles(directory=path)
        self._headers = headers

    def serve(self, face: Face, endpoint: Endpoint, name: str) -> None:
        """Let an endpoint of a face send one file."""

        async def file(request: Request) -> Response:
            return await self.send(name, request)

        face.endpoints.append(endpoint)
        # FastAPI's own routes take a millisecond each to be made, and there is nothing here that they would validate or describe.
        face.router.routes.append(Route(endpoint.path, file, methods=["GET"], include_in_schema=False))

    async def send(self, name: str, request: Request) -> Response:
        """One file, or that it has not changed."""
        response = await self._files.get_response(name, request.scope)
        response.headers.update(self._headers)
        return response

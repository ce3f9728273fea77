"""The interface described: the OpenAPI document, and the page that shows it, with everything that the page needs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from starlette.staticfiles import StaticFiles

from app.gateway.state import Access

DOCS, OPENAPI = "/docs", "/openapi.json"
_FOLDER = Path(__file__).parent / "swagger"
_ASSETS = ("swagger-ui-bundle.js", "swagger-ui.css", "init.js", "favicon-32x32.png")
DOCS_PATHS = (DOCS, OPENAPI, *(f"{DOCS}/{name}" for name in _ASSETS))
_KEY = {"type": "http", "scheme": "bearer", "description": "A key that `foggate keys create` printed, without `Bearer`."}
_HEADERS = {
    # Scripts, styles and requests of this gateway only. Swagger UI sets style attributes and draws pictures from data.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    # Asked for again after an update; unchanged files are answered with 304.
    "cache-control": "no-cache",
}


class DocumentedApp(FastAPI):
    """FastAPI whose OpenAPI document says how to send a key, and whose examples are whole.

    Args:
        access: whether keys are configured, and which paths need none; a reload changes it.
        replies: the responses of the routes, by path, with their examples.
        options: of FastAPI.
    """

    def __init__(self, *, access: Access, replies: Mapping[str, Mapping[int | str, dict[str, Any]]], **options: Any) -> None:
        self._access = access
        self._replies = replies
        # FastAPI's own pages load scripts from other hosts.
        super().__init__(openapi_url=OPENAPI, docs_url=None, redoc_url=None, **options)

    def openapi(self) -> dict[str, Any]:
        """The document, made once but for what it says of keys."""
        is_new = self.openapi_schema is None
        document = super().openapi()
        if is_new:
            self._put_back_what_is_null(document)
        self._say_how_to_send_a_key(document)
        return document

    def _put_back_what_is_null(self, document: dict[str, Any]) -> None:
        """FastAPI leaves every null out of the document, those inside examples among them."""
        for path, replies in self._replies.items():
            for operation in document["paths"][path].values():
                for status, reply in replies.items():
                    for kind, content in reply.get("content", {}).items():
                        examples = {key: content[key] for key in ("example", "examples") if key in content}
                        operation["responses"][str(status)]["content"][kind].update(examples)

    def _say_how_to_send_a_key(self, document: dict[str, Any]) -> None:
        with_keys = self._access.ring is not None
        if with_keys:
            document["components"]["securitySchemes"] = {"key": _KEY}
        else:
            document["components"].pop("securitySchemes", None)
        for path, operations in document["paths"].items():
            for operation in operations.values():
                if with_keys:
                    operation["security"] = [] if path in self._access.public else [{"key": []}]
                else:
                    operation.pop("security", None)


def documents_router() -> APIRouter:
    """The page at `/docs` and its files."""
    router = APIRouter(include_in_schema=False)
    files = StaticFiles(directory=_FOLDER)

    async def send(name: str, request: Request) -> Response:
        response = await files.get_response(name, request.scope)
        response.headers.update(_HEADERS)
        return response

    @router.get(DOCS)
    async def page(request: Request) -> Response:
        return await send("index.html", request)

    for name in _ASSETS:

        @router.get(f"{DOCS}/{name}")
        async def asset(request: Request, name: str = name) -> Response:
            return await send(name, request)

    return router

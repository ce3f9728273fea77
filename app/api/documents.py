"""The face for those who read: the OpenAPI document, and the page that shows it, with everything that the page needs."""

from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI

from app.api.auth import Access
from app.api.face import Endpoint, Endpoints, Face
from app.api.static import Folder, headers_of

DOCS, OPENAPI = "/docs", "/openapi.json"
_FOLDER = Path(__file__).parent / "swagger"
_ASSETS = ("swagger-ui-bundle.js", "swagger-ui.css", "init.js", "favicon-32x32.png")
_OPENED_BY: Final = "public_docs"
_KEY = {"type": "http", "scheme": "bearer", "description": "A key that `foggate keys create` printed, without `Bearer`."}
# Scripts, styles and requests of this gateway only. Swagger UI sets style attributes and draws pictures from data.
_HEADERS = headers_of("script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'")


class DocumentedApp(FastAPI):
    """FastAPI whose OpenAPI document says how to send a key, and whose examples are whole.

    Args:
        access: whether keys are configured, and which paths need none; a reload changes it.
        endpoints: the responses of the routes, with their examples.
        options: options of FastAPI.
    """

    def __init__(self, *, access: Access, endpoints: Endpoints, **options: Any) -> None:
        self._access = access
        self.endpoints = endpoints
        # FastAPI's own pages load scripts from other hosts.
        super().__init__(openapi_url=OPENAPI, docs_url=None, redoc_url=None, **options)

    def openapi(self) -> dict[str, Any]:
        """The document. It is made once, but for its statements about keys, which a reload can change."""
        is_new = self.openapi_schema is None
        document = super().openapi()
        if is_new:
            self._put_back_what_is_null(document)
        self._say_how_to_send_a_key(document)
        return document

    def _put_back_what_is_null(self, document: dict[str, Any]) -> None:
        """FastAPI leaves every null out of the document, those inside examples among them."""
        for endpoint in self.endpoints:
            for operation in document["paths"].get(endpoint.shown, {}).values():
                # FastAPI adds a 422 in a form of its own, where an endpoint documents none.
                for status in [status for status in operation["responses"] if int(status) not in endpoint.replies]:
                    del operation["responses"][status]
                for status, reply in endpoint.replies.items():
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


def documents_face() -> Face:
    """The page at `/docs` and its files."""
    face = Face(None)
    files = Folder(_FOLDER, _HEADERS)

    # FastAPI serves this one itself.
    face.endpoints.append(Endpoint(OPENAPI, opened_by=_OPENED_BY))
    files.serve(face, Endpoint(DOCS, opened_by=_OPENED_BY), "index.html")
    for name in _ASSETS:
        files.serve(face, Endpoint(f"{DOCS}/{name}", opened_by=_OPENED_BY, counted=False), name)
    return face

"""The face for people: one page to ask a question, to watch the gateway, and to see what its threshold does.

The page asks questions at `/v1/answer`, as every client does. What else it needs stands here. It logs in with a key, which stays in a
cookie (`app.api.page_session`); without a key it is an empty form.
"""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from limits import RateLimitItemPerMinute
from pydantic import BaseModel, ConfigDict, Field

from app.access.keys import Key, KeyRing, Permission
from app.access.quotas import Quotas
from app.api import page_session as session
from app.api.body import json_route
from app.api.face import Endpoint, Face
from app.api.live import Live, LiveResponse
from app.api.static import Folder, headers_of
from app.core.errors import Forbidden, InvalidQuestion, RateLimited, Unauthorized
from app.core.offload import SMALL, in_text_thread
from app.gateway.state import GatewayState
from app.recognise import Recognised, Refusal, examine
from app.telemetry.request_line import note

FOLDER = Path(__file__).parent / "web"
ASSETS = (
    *("app.js", "ask.js", "verdict.js", "snippets.js", "live.js", "threshold.js", "login.js", "charts.js", "gateway.js", "words.js"),
    *("preact.js", "uPlot.iife.min.js", "uPlot.min.css", "style.css", "icon.svg"),
)
# Scripts, styles, pictures and requests of this gateway only; and no script may turn a text into HTML or code.
_HEADERS = headers_of(
    "script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_NOT_STORED = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
# Keys have 256 random bits: nobody guesses one. This bounds what somebody who tries can make the gateway do and log.
_FAILED_LOGINS = RateLimitItemPerMinute(20, namespace="foggate-login")


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class Login(_Body):
    key: Annotated[str, Field(max_length=200)]


class Logout(_Body):
    pass


class Text(_Body):
    text: str


def pages_face(state: GatewayState, quotas: Quotas) -> Face:
    """The page, its files, and what only the page asks for.

    Args:
        state: the gateway.
        quotas: where failed logins are counted.
    """
    face = Face(None, json_route(1))
    _serve_files(face)
    _serve_login(face, state, quotas)
    _serve_questions(face, state)
    _serve_live(face, Live(state))
    return face


def _serve_files(face: Face) -> None:
    files = Folder(FOLDER, _HEADERS)

    for path in ("/", "/ui"):
        files.serve(face, Endpoint(path, public=True), "index.html")
    for name in ASSETS:
        files.serve(face, Endpoint(f"/ui/{name}", public=True, counted=False), name)


def _serve_login(face: Face, state: GatewayState, quotas: Quotas) -> None:
    @face.serves(Endpoint("/ui/session", public=True))
    async def who(request: Request) -> JSONResponse:
        ring = _ring(request)
        return _private(_described(state, ring, ring.find(session.key_of(request.scope)) if ring else None))

    @face.serves(Endpoint("/ui/login", public=True, takes_body=True))
    async def login(given: Login, request: Request) -> JSONResponse:
        _only_the_page(request)
        ring = _ring(request)
        key = ring.find(given.key.strip()) if ring else None
        if ring is not None and key is None:
            # Counted only where it failed, so that nobody can lock out those who have a key.
            if not await quotas.take([(_FAILED_LOGINS, request.client.host if request.client else "unknown")]):
                raise RateLimited("too many failed logins: wait a minute", retry_after_s=60)
            raise Unauthorized("this is not a valid key, or it was revoked")
        response = _private(_described(state, ring, key))
        if key is not None:
            note(key=key.id)
            session.set_key(response, given.key.strip(), https=session.is_https(request.scope))
        return response

    @face.serves(Endpoint("/ui/logout", public=True, takes_body=True))
    async def logout(_: Logout, request: Request) -> JSONResponse:
        _only_the_page(request)
        response = _private(_described(state, _ring(request), None))
        session.forget_key(response)
        return response


def _serve_questions(face: Face, state: GatewayState) -> None:
    @face.serves(Endpoint("/ui/recognise", takes_body=True))
    async def split(given: Text) -> JSONResponse:
        length, limit = len(given.text), state.limits.max_text_chars
        if length > limit:
            raise InvalidQuestion(f"the text is {length} characters long, the limit is {limit}", param="text")
        find = partial(examine, given.text, is_question=True)
        return _private(_split(find() if length <= SMALL else await in_text_thread(find)))

    @face.serves(Endpoint("/ui/threshold"))
    async def threshold() -> JSONResponse:
        return _private({"calibration": state.calibration, "curve": state.curve and state.curve.model_dump(mode="json")})


def _serve_live(face: Face, live: Live) -> None:
    @face.serves(Endpoint("/ui/events", Permission.ADMIN, quiet=True))
    async def events() -> Response:
        live.admit()
        return LiveResponse(live, _NOT_STORED)


def _private(content: dict[str, Any]) -> JSONResponse:
    """A reply that no cache keeps."""
    return JSONResponse(content, headers=_NOT_STORED)


def _ring(request: Request) -> KeyRing | None:
    """The accepted keys; a reload can change them."""
    ring: KeyRing | None = request.app.state.access.ring
    return ring


def _only_the_page(request: Request) -> None:
    """Refuse another origin: it must neither log a browser in as somebody else nor log it out. Raises Forbidden."""
    if not session.from_page(request.headers):
        raise Forbidden("only the gateway's own page may do this")


def _described(state: GatewayState, ring: KeyRing | None, key: Key | None) -> dict[str, Any]:
    """What the page may know: without a valid key, where keys are needed, nothing of the gateway."""
    permissions = frozenset(Permission) if ring is None else key.permissions if key else frozenset()
    return {
        "needs_key": ring is not None,
        "key": {"id": key.id, "name": key.name} if key else None,
        "permissions": sorted(permissions),
        "gateway": _gateway(state) if permissions else None,
    }


def _gateway(state: GatewayState) -> dict[str, Any]:
    policy = state.cascade.policy if state.cascade else None
    return {
        "status": state.status,
        "edge_model": state.edge_model,
        "cloud_model": state.cloud_model,
        "signal": policy.signal.value if policy else None,
        "tau": policy.tau if policy else None,
        "domains": dict(policy.domains) if policy else {},
        "warning": state.warning,
        "max_text_chars": state.limits.max_text_chars,
    }


def _split(found: Recognised | Refusal) -> dict[str, Any]:
    if isinstance(found, Refusal):
        return {"question": None, "options": [], "reason": found.value, "sentence": found.sentence}
    return {"question": found.question.question, "options": list(found.question.options)}

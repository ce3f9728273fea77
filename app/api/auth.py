"""Keys and host names, before any body is read: makes the `Caller` of a request, or refuses the request. Pure ASGI."""

import math
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.caller import Caller
from app.access.keys import KeyRing, Permission
from app.access.quotas import Quotas
from app.api.errors import http_response, response_of
from app.api.face import Endpoints
from app.api.page_session import key_of
from app.core.errors import FogGateError, Unauthorized
from app.telemetry.metrics import Metrics
from app.telemetry.request_line import note


@dataclass(slots=True)
class Access:
    """Who may ask; changes when the configuration is reloaded.

    Attributes:
        ring: the accepted keys; None where none are configured.
        public: paths that need no key.
        hosts: host names that requests may name, without ports, in lower case; None allows all.
    """

    ring: KeyRing | None
    public: frozenset[str]
    hosts: frozenset[str] | None

    def take(self, other: "Access") -> None:
        """Become like another one, in one step."""
        self.ring, self.public, self.hosts = other.ring, other.public, other.hosts


class Authenticate:
    """Puts the `Caller` into `scope["state"]["caller"]`, or answers 401, 403 or 429 itself.

    Args:
        app: the application behind.
        access: the accepted keys, and the paths that need none.
        endpoints: the permission that each path needs; any other path needs the permission to ask.
        quotas: where rates are counted.
        metrics: where refusals are counted.
    """

    def __init__(self, app: ASGIApp, access: Access, endpoints: Endpoints, quotas: Quotas, metrics: Metrics) -> None:
        self.app = app
        self.access = access
        self.needed = {one.path: one.permission for one in endpoints if one.permission is not None}
        self.quotas = quotas
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope["state"]
        ring = self.access.ring
        if ring is None or scope["path"] in self.access.public:
            state["caller"] = Caller(self.quotas)
            await self.app(scope, receive, send)
            return
        try:
            key = ring.find(key_of(scope))
            if key is None:
                raise Unauthorized("a valid API key is needed: authorization: Bearer …")
            caller = state["caller"] = Caller(self.quotas, key)
            note(key=key.id)
            caller.require(self.needed.get(scope["path"], Permission.ANSWER))
            if scope["method"] == "POST":
                await caller.admit()
        except FogGateError as error:
            self.metrics.rejected.labels(error.code).inc()
            response = response_of(error, state["request_id"])
            if isinstance(error, Unauthorized):
                response.headers["www-authenticate"] = "Bearer"
            # The body was not read, so the connection cannot be used again.
            response.headers["connection"] = "close"
            await response(scope, receive, send)
            return

        async def send_with_rates(message: Message) -> None:
            if message["type"] == "http.response.start":
                refused = HTTPStatus.BAD_REQUEST <= message["status"] < HTTPStatus.INTERNAL_SERVER_ERROR
                if scope["method"] == "POST" and refused:
                    await caller.settle()
                MutableHeaders(scope=message).update(await _rate_headers(caller))
            await send(message)

        await self.app(scope, receive, send_with_rates)


class HostGuard:
    """Refuses requests whose `Host` names something else than this gateway: a web page can let its host name point to loopback
    (DNS rebinding), and a proxy makes a loopback listener public.

    Args:
        app: the application behind.
        access: the allowed host names.
        endpoints: tells which paths are probes, which may be asked under any name.
    """

    def __init__(self, app: ASGIApp, access: Access, endpoints: Endpoints) -> None:
        self.app = app
        self.access = access
        self.probes = endpoints.paths(lambda one: one.is_probe)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hosts = self.access.hosts
        if scope["type"] != "http" or hosts is None or scope["path"] in self.probes or _host(Headers(scope=scope).get("host", "")) in hosts:
            await self.app(scope, receive, send)
            return
        await http_response(421, scope["state"]["request_id"], {"connection": "close"})(scope, receive, send)


async def _rate_headers(caller: Caller) -> dict[str, str]:
    """The fields of the IETF draft "RateLimit header fields", in their widespread form; empty without a rate."""
    if (rate := await caller.rate()) is None:
        return {}
    return {
        "ratelimit-limit": str(rate.limit),
        "ratelimit-remaining": str(rate.remaining),
        "ratelimit-reset": str(math.ceil(rate.reset_s)),
    }


def _host(value: str) -> str:
    """`[::1]:8080` → `::1`, `localhost:8080` → `localhost`."""
    name = value.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0]

"""Who asks, and what he may do. Pure ASGI, before any body is read.

Without keys every caller has every permission: the gateway then listens on loopback only, or was told `--insecure`.
"""

import math
from dataclasses import dataclass
from http import HTTPStatus

from limits import RateLimitItemPerDay, RateLimitItemPerMinute
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.keys import Key, Permission
from app.access.quotas import Quotas
from app.api.errors import http_response, response_of
from app.core.ask import Bound
from app.core.errors import FogGateError, Forbidden, InvalidQuestion, RateLimited, Unauthorized, type_name
from app.gateway.state import Access
from app.telemetry.metrics import Metrics

PROBES = ("/health/live", "/health/ready")
METRICS = "/metrics"
# Asked every few seconds: no news for the log, and not worth a trace.
QUIET = (*PROBES, METRICS)


@dataclass(slots=True)
class Caller:
    """Who asks, for one request. `key` is None where no keys are configured: everything is allowed, nothing is counted.

    Attributes:
        settled: whether the request was charged to the key's rate, or refused in a way that costs nothing.
    """

    counts: Quotas
    key: Key | None = None
    settled: bool = False

    def may(self, permission: Permission) -> bool:
        """Whether he has a permission."""
        return self.key is None or permission in self.key.permissions

    def require(self, permission: Permission, *, param: str | None = None) -> None:
        """Raises Forbidden without it."""
        if not self.may(permission):
            raise Forbidden(f"this key lacks the permission '{permission}'", param=param)

    async def admit(self) -> None:
        """Refuse a key whose rate is used up, before anything is read for it. Quotas nothing.

        Raises:
            RateLimited: not one more question fits into this minute.
        """
        if self.key is None or (rate := self._rate) is None:
            return
        left = await self.counts.left(rate, self.key.id)
        if not left.remaining:
            raise RateLimited(f"over {rate.amount} questions a minute", retry_after_s=max(1.0, left.reset_s))

    async def count(self, questions: int) -> None:
        """Count questions against the key's rate: all of them or, when they are refused, none.

        Raises:
            InvalidQuestion: so many questions never fit into a minute of this key.
            RateLimited: they do not fit into what is left of this minute.
        """
        self.settled = True
        if self.key is None or (rate := self._rate) is None:
            return
        if questions > rate.amount:
            raise InvalidQuestion(
                f"{questions} questions in one request, but this key may ask {rate.amount} a minute: send smaller batches",
                param="questions",
            )
        if not await self.counts.take([(rate, self.key.id)], cost=questions):
            left = await self.counts.left(rate, self.key.id)
            raise RateLimited(
                f"{questions} questions, but {left.remaining} are left of {rate.amount} a minute"
                if left.remaining
                else f"over {rate.amount} questions a minute",
                retry_after_s=max(1.0, left.reset_s),
            )

    async def give_back(self) -> None:
        """Take one question off the key's rate again: it was counted, and then refused unasked (queue full, draining)."""
        if self.key is not None and (rate := self._rate) is not None:
            await self.counts.give_back(rate, self.key.id)

    async def settle(self, status: int) -> None:
        """Count a request that failed before any question of it was counted, such as a broken body, as one question."""
        refused_by_caller = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        if not self.settled and refused_by_caller and self.key is not None and (rate := self._rate) is not None:
            self.settled = True
            await self.counts.hit(rate, self.key.id)

    @property
    def allowance(self) -> tuple[Bound, ...]:
        """What bounds the cloud calls that are made for this caller; each is counted when it goes out."""
        if self.key is None or self.key.cloud_calls_per_day is None:
            return ()
        return ((RateLimitItemPerDay(self.key.cloud_calls_per_day, namespace="foggate-cloud"), self.key.id),)

    async def rate_headers(self) -> dict[str, str]:
        """As of the IETF draft "RateLimit header fields" in its widespread form; empty without a rate."""
        if self.key is None or (rate := self._rate) is None:
            return {}
        left = await self.counts.left(rate, self.key.id)
        return {
            "ratelimit-limit": str(rate.amount),
            "ratelimit-remaining": str(left.remaining),
            "ratelimit-reset": str(math.ceil(left.reset_s)),
        }

    @property
    def _rate(self) -> RateLimitItemPerMinute | None:
        per_minute = self.key.questions_per_minute if self.key else None
        return None if per_minute is None else RateLimitItemPerMinute(per_minute, namespace="foggate-rate")


class Authenticate:
    """Puts the `Caller` into `scope["state"]["caller"]`, or answers 401, 403 or 429 itself.

    Args:
        app: what comes behind.
        access: the accepted keys, and the paths that need none.
        counts: where rates are counted.
        metrics: where refusals are counted.
    """

    def __init__(self, app: ASGIApp, access: Access, counts: Quotas, metrics: Metrics) -> None:
        self.app = app
        self.access = access
        self.counts = counts
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope["state"]
        ring = self.access.ring
        if ring is None or scope["path"] in self.access.public:
            state["caller"] = Caller(self.counts)
            await self.app(scope, receive, send)
            return
        try:
            key = ring.find(_presented(Headers(scope=scope)))
            if key is None:
                raise Unauthorized("a valid API key is needed: authorization: Bearer …")
            caller = state["caller"] = Caller(self.counts, key)
            state["log"]["key"] = key.id
            caller.require(Permission.ADMIN if scope["path"] == METRICS else Permission.ANSWER)
            if scope["method"] == "POST":
                await caller.admit()
        except FogGateError as error:
            self.metrics.rejected.labels(type_name(error)).inc()
            response = response_of(error, state["request_id"])
            if isinstance(error, Unauthorized):
                response.headers["www-authenticate"] = "Bearer"
            # The body was not read: the connection cannot be used again.
            response.headers["connection"] = "close"
            await response(scope, receive, send)
            return

        async def send_with_rates(message: Message) -> None:
            if message["type"] == "http.response.start":
                if scope["method"] == "POST":
                    await caller.settle(message["status"])
                MutableHeaders(scope=message).update(await caller.rate_headers())
            await send(message)

        await self.app(scope, receive, send_with_rates)


class HostGuard:
    """Refuses requests whose `Host` names something else than this gateway: a page in a browser can make a name of its own
    point to loopback (DNS rebinding), and a proxy makes a loopback listener public.

    Args:
        app: what comes behind.
        access: the allowed host names.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hosts = self.access.hosts
        if scope["type"] != "http" or hosts is None or scope["path"] in PROBES or _host(Headers(scope=scope).get("host", "")) in hosts:
            await self.app(scope, receive, send)
            return
        await http_response(421, scope["state"]["request_id"], {"connection": "close"})(scope, receive, send)


def _presented(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _host(value: str) -> str:
    """`[::1]:8080` → `::1`, `localhost:8080` → `localhost`."""
    name = value.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0]

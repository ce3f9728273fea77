"""What every request goes through before a route sees it."""

from collections.abc import Collection

from fastapi import FastAPI

from app.access.quotas import Quotas
from app.api.auth import METRICS, PROBES, Authenticate, HostGuard
from app.api.body_guard import BodyGuard
from app.api.cors import Cors
from app.api.documents import DOCS, OPENAPI
from app.api.middleware import CancelOnDisconnect, HeadAsGet, InternalErrors, RequestContext
from app.api.routes import ANSWER, ANSWERS, MODELS
from app.gateway.state import GatewayState

# Paths that metrics name.
KNOWN = (*PROBES, METRICS, ANSWER, ANSWERS, MODELS, DOCS, OPENAPI)


def guard(app: FastAPI, state: GatewayState, counts: Quotas, *, origins: Collection[str]) -> None:
    """Add the middleware; the last one added runs first.

    Args:
        app: the application.
        state: the gateway; its `access` says who may ask, now and after a reload.
        counts: where rates are counted.
        origins: of web pages on other hosts whose scripts may read replies.
    """
    asking, limits, metrics = (ANSWER, ANSWERS), state.limits, state.metrics
    app.add_middleware(HeadAsGet)
    app.add_middleware(CancelOnDisconnect, paths=asking)
    app.add_middleware(BodyGuard, paths=asking, max_body_bytes=limits.max_body_bytes, timeout_s=limits.body_timeout_s, metrics=metrics)
    app.add_middleware(Authenticate, access=state.access, counts=counts, metrics=metrics)
    app.add_middleware(HostGuard, access=state.access)
    app.add_middleware(InternalErrors, metrics=metrics)
    if origins:
        # Outside of whatever refuses a request: a page is to read those replies too, and a preflight request carries no key.
        app.add_middleware(Cors, origins=origins)
    app.add_middleware(RequestContext, draining=lambda: state.draining, metrics=metrics, paths=KNOWN)

"""The middleware that every request passes before its route."""

from collections.abc import Collection

from fastapi import FastAPI

from app.access.quotas import Quotas
from app.api.auth import Access, Authenticate, HostGuard
from app.api.body_guard import BodyGuard, BodyLimits
from app.api.cors import Cors
from app.api.face import Endpoints
from app.api.middleware import CancelOnDisconnect, HeadAsGet, InternalErrors, RequestContext
from app.gateway.state import GatewayState


def guard(
    app: FastAPI,
    state: GatewayState,
    *,
    access: Access,
    endpoints: Endpoints,
    quotas: Quotas,
    limits: BodyLimits,
    origins: Collection[str],
) -> None:
    """Add the middleware; the last one added runs first.

    Args:
        app: the application.
        state: the gateway; says whether it is draining.
        access: who may ask, now and after a reload.
        endpoints: what is known of the application's paths.
        quotas: where rates are counted.
        limits: bounds of a body.
        origins: origins of web pages on other hosts whose scripts may read replies.
    """
    metrics = state.metrics
    with_body = endpoints.paths(lambda one: one.takes_body)
    app.add_middleware(HeadAsGet)
    app.add_middleware(CancelOnDisconnect, paths=with_body)
    app.add_middleware(BodyGuard, paths=with_body, limits=limits, metrics=metrics)
    app.add_middleware(Authenticate, access=access, endpoints=endpoints, quotas=quotas, metrics=metrics)
    app.add_middleware(HostGuard, access=access, endpoints=endpoints)
    app.add_middleware(InternalErrors, metrics=metrics)
    if origins:
        # Outside of whatever refuses a request: a page is to read those replies too, and a preflight request carries no key.
        app.add_middleware(Cors, origins=origins)
    app.add_middleware(RequestContext, draining=lambda: state.draining, metrics=metrics, endpoints=endpoints)

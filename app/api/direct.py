"""The way of a question past the router: requests with a body go from the guards to their handler.

The router, and what FastAPI does around a handler (stacks for dependencies and files, nested exception handling, spans), takes as much CPU
time as everything that the gateway does with a small question. Nothing else differs: a face describes its route once, and the handler is
the route's own. With tracing, whose spans FastAPI makes, every request takes the router.
"""

from collections.abc import Iterable

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.body import Handler
from app.api.errors import Refusals


class Direct:
    """Calls the handlers of POST requests by their path.

    Args:
        app: the application behind, with the router, for every other request.
        handlers: handlers by path.
        refusals: makes the response of what a handler raises.
    """

    def __init__(self, app: ASGIApp, handlers: dict[str, Handler], refusals: Refusals) -> None:
        self.app = app
        self.handlers = handlers
        self.refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self.handlers.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if handler is None:
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            response = await handler(request)
        except Exception as error:
            refusal = self.refusals.of(request, error)
            if refusal is None:
                raise
            response = refusal
        await response(scope, receive, send)


def handlers_of(routes: Iterable[object], paths: Iterable[str]) -> dict[str, Handler]:
    """The handlers of routes that have no parameters in their path.

    Args:
        routes: routes of the faces.
        paths: paths that take a body.
    """
    wanted = frozenset(paths)
    return {
        route.path: route.get_route_handler()
        for route in routes
        if isinstance(route, APIRoute) and route.path in wanted and "POST" in (route.methods or ()) and route.body_field is not None
    }

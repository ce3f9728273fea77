"""A face of the gateway: routes that belong together, each with what the rest of the interface has to know of it.

Keys, permissions and bodies are looked at before a route is chosen, so the middleware decides by path; what it decides by is what
the faces say of their endpoints. A new endpoint is therefore one entry in one face.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from fastapi import APIRouter
from fastapi.routing import APIRoute

from app.access.keys import Permission
from app.api.error_form import ErrorForm

Handler = TypeVar("Handler", bound=Callable[..., Any])
# A parameter that takes the rest of the path.
_REST = re.compile(r"\{(\w+):path\}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path.

    Attributes:
        path: the path; it may end with one parameter that takes the rest of it, as in `/v1/models/{model:path}`.
        permission: what a key must permit, where keys are configured. None lets everybody in, without a key and under any host name: a probe.
        opened_by: the setting of `security` that lets everybody in too.
        public: whether everybody is let in without a key, under the gateway's host names: it holds nothing secret, or looks at the key itself.
        takes_body: whether it takes POST requests with a body: the body is read and bounded, and a caller who leaves ends the work.
        quiet: whether it is asked every few seconds, so that neither log nor traces name each request.
        counted: whether the metrics count it under its own path.
        replies: its responses in the OpenAPI document, with their examples.
        error_form: makes the errors that its clients read of those of the gateway; None leaves them as they are.
    """

    path: str
    permission: Permission | None = Permission.ANSWER
    opened_by: Literal["public_metrics", "public_docs"] | None = None
    public: bool = False
    takes_body: bool = False
    quiet: bool = False
    counted: bool = True
    replies: dict[int | str, dict[str, Any]] = field(default_factory=dict)
    error_form: ErrorForm | None = None

    @property
    def shown(self) -> str:
        """The path as documents and metrics name it: `/v1/models/{model}`."""
        return _REST.sub(r"{\1}", self.path)

    @property
    def is_probe(self) -> bool:
        """Whether everybody may ask, under any host name."""
        return self.permission is None


class Face:
    """Routes and their endpoints.

    Args:
        tag: heading of the routes in the OpenAPI document; None leaves them out of it, unless a route has its own tags.
        route_class: class of the routes.

    Attributes:
        router: the routes.
        endpoints: what is known of their paths.
    """

    def __init__(self, tag: str | None, route_class: type[APIRoute] = APIRoute) -> None:
        self.router = APIRouter(route_class=route_class)
        self.endpoints: list[Endpoint] = []
        self._tag = tag

    def serves(self, endpoint: Endpoint, *, tag: str | None = None, **options: Any) -> Callable[[Handler], Handler]:
        """Decorate the handler of an endpoint.

        Args:
            endpoint: the endpoint.
            tag: heading of this route in the OpenAPI document, where it is not that of the face.
            options: options of `APIRouter.api_route`.
        """
        self.endpoints.append(endpoint)
        heading = tag or self._tag
        return self.router.api_route(
            endpoint.path,
            methods=["POST" if endpoint.takes_body else "GET"],
            responses=endpoint.replies or None,
            tags=[heading] if heading else None,
            include_in_schema=heading is not None,
            **options,
        )


class Endpoints(tuple[Endpoint, ...]):
    """The endpoints of all faces."""

    __slots__ = ()

    def of(self, path: str) -> Endpoint | None:
        """The endpoint that a path belongs to; None where there is none."""
        for one in self:
            beginning, parameter, _ = one.path.partition("{")
            if path == one.path or (parameter and path.startswith(beginning)):
                return one
        return None

    def paths(self, wanted: Callable[[Endpoint], object]) -> frozenset[str]:
        """The paths of those that are wanted."""
        return frozenset(one.path for one in self if wanted(one))


def endpoints_of(faces: Iterable[Face]) -> Endpoints:
    """What the faces say of their endpoints."""
    return Endpoints(endpoint for face in faces for endpoint in face.endpoints)

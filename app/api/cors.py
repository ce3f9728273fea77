"""Cross-origin requests of browsers: which web pages may send questions and read replies."""

from collections.abc import Collection

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

# What OpenAI's JavaScript client, and those that are built on it, send with every request: without these they would work in no page.
_OF_OPENAI = (
    *("openai-organization", "openai-project", "user-agent"),
    *(f"x-stainless-{name}" for name in ("arch", "helper-method", "lang", "os", "package-version", "poll-helper", "retry-count")),
    *(f"x-stainless-{name}" for name in ("runtime", "runtime-version", "timeout")),
)
# A page may send these besides those that every page may.
REQUEST_HEADERS = (
    *("authorization", "content-encoding", "content-type", "traceparent", "tracestate", "x-foggate-debug", "x-request-id"),
    *_OF_OPENAI,
)
# A page may read these besides those that every page may.
EXPOSED_HEADERS = (
    "x-request-id",
    "x-foggate-route",
    "x-foggate-signal",
    "x-foggate-reason",
    "x-foggate-model",
    "x-foggate-tau",
    "x-foggate-confidence",
    "x-foggate-overhead-ms",
    "x-foggate-decision-id",
    "x-foggate-ignored",
    "x-foggate-cost",
    "x-foggate-not-recognised",
    "x-foggate-not-honoured",
    "x-should-retry",
    "retry-after",
    "retry-after-ms",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "www-authenticate",
    "allow",
    "accept-encoding",
)


class Cors(CORSMiddleware):
    """Starlette's middleware with the properties of this interface: no cookies, few methods, keys in a header.

    Args:
        app: the application behind.
        origins: exact origins of web pages, or `*` for all.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        super().__init__(
            app,
            allow_origins=tuple(origins),
            allow_methods=("GET", "HEAD", "POST"),
            allow_headers=REQUEST_HEADERS,
            # Browsers ask for this when a page of the Internet calls a gateway in the local network; the operator has listed the page.
            allow_private_network=True,
            expose_headers=EXPOSED_HEADERS,
        )

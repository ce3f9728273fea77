"""What carries calls to endpoints that are asked directly: httpcore2's pool over the connections of `app/cloud/sockets.py`.

httpx2's own transport makes the same pool and takes no other connections. Calls through a proxy go by httpx2's transport.
"""

import ssl
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager

import httpcore2
import httpx2

from app.cloud.sockets import Sockets


class DirectTransport(httpx2.AsyncBaseTransport):
    """Carries calls without a proxy.

    Args:
        context: certificates that are trusted.
        limits: limits of the connections.
    """

    def __init__(self, context: ssl.SSLContext, limits: httpx2.Limits) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=Sockets(),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; the response is closed by whoever reads it. Raises httpx2.TransportError."""
        url = request.url
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        assert isinstance(request.stream, httpx2.AsyncByteStream)  # noqa: S101  # as an asynchronous client makes them
        asked = httpcore2.Request(
            request.method, target, headers=request.headers.raw, content=request.stream, extensions=request.extensions
        )
        with _errors():
            reply = await self._pool.handle_async_request(asked)
        return httpx2.Response(reply.status, headers=reply.headers, stream=_Body(reply), extensions=reply.extensions)

    async def aclose(self) -> None:
        """Close all connections."""
        with _errors():
            await self._pool.aclose()


class _Body(httpx2.AsyncByteStream):
    """The body of a reply."""

    def __init__(self, reply: httpcore2.Response) -> None:
        self._reply = reply

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _errors():
            assert isinstance(self._reply.stream, AsyncIterable)  # noqa: S101  # as an asynchronous pool makes them
            async for piece in self._reply.stream:
                yield piece

    async def aclose(self) -> None:
        """Give the connection back."""
        with _errors():
            await self._reply.aclose()


@contextmanager
def _errors() -> Iterator[None]:
    """Raise httpcore2's exceptions as httpx2's, which have the same names, with the cause."""
    try:
        yield
    except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, httpcore2.UnsupportedProtocol) as error:
        kind: type[httpx2.TransportError] = getattr(httpx2, type(error).__name__, httpx2.TransportError)
        raise kind(str(error)) from error

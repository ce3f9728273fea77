"""The HTTP exchange of one attempt: paid for at the moment when it is sent, and read within bounds."""

import asyncio
import email.utils
import math
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from app.cloud.call import Attempt, Call
from app.cloud.failures import Failure
from app.core.errors import BudgetExhausted, CloudUnparsable

# A chat completion of 64 tokens is a few hundred bytes (with log-probabilities some ten thousand), and comes in a few pieces: each
# piece costs the event loop as much as a kilobyte.
MAX_REPLY_BYTES = 1_048_576
_MAX_PIECES = 4_096
PIECES_AT_ONCE = 64
# Headers of a reply that say something to the caller of a passed-through chat, and nothing about keys or accounts.
PASSED_ON = ("content-type", "x-request-id")
_MAX_HEADER_CHARS = 200
# A date in a header is 29 characters long.
_MAX_DATE_CHARS = 64


async def _pay(call: Call, seen: Attempt) -> None:
    if call.purse is not None and not seen.charged:
        if not await call.purse.take():
            seen.outcome = "budget"
            raise BudgetExhausted("the cloud budget of the gateway or of this caller is spent")
        seen.charged = True


@asynccontextmanager
async def sent(http: httpx2.AsyncClient, call: Call, trace: Mapping[str, str], seen: Attempt) -> AsyncIterator[httpx2.Response]:
    """The response to the request of an attempt, its body not read yet; what its head says is in `seen`.

    Args:
        http: the client that carries the request.
        call: the attempt.
        trace: headers of the trace context.
        seen: gets status, headers and `Retry-After`.

    Raises:
        BudgetExhausted: nothing was left to pay for it when it was about to be sent; nothing was sent.
        httpx2.HTTPError: the library's own, and the other roots of its exceptions.
    """

    async def on_event(event: str, info: Mapping[str, Any]) -> None:
        # There is a connection, and our own request (no proxy's CONNECT) is about to be written: now it costs something.
        if event.endswith(".send_request_headers.started") and info["request"].method == b"POST":
            await _pay(call, seen)

    endpoint = call.endpoint
    headers = {**trace, **endpoint.headers}
    request = call.request
    if request.content is not None:
        headers.setdefault("content-type", "application/json")
    body: dict[str, Any] = {"json": request.body} if request.content is None else {"content": request.content}
    # No timeout here: the caller's asyncio.timeout bounds everything.
    async with http.stream("POST", endpoint.url, **body, headers=headers, timeout=None, extensions={"trace": on_event}) as response:
        # A transport that reports no events has sent it all the same.
        await _pay(call, seen)
        seen.status = response.status_code
        seen.retry_after_s = retry_after(response.headers.get("retry-after"))
        seen.headers = {name: value[:_MAX_HEADER_CHARS] for name in PASSED_ON if (value := response.headers.get(name)) is not None}
        yield response


async def whole(response: httpx2.Response, seen: Attempt) -> bytes:
    """The body of a response, decompressed, whatever its status.

    Raises:
        AttemptFailed: it is over the bounds.
        httpx2.HTTPError: the library's own, and the other roots of its exceptions.
    """
    content, pieces = bytearray(), 0
    # A compressed reply is decoded in steps of a megabyte at most, each of which is counted.
    async for piece in response.aiter_bytes():
        content += piece
        pieces += 1
        if len(content) > MAX_REPLY_BYTES or pieces > _MAX_PIECES:
            error = CloudUnparsable(f"the cloud's reply is over {MAX_REPLY_BYTES} bytes or {_MAX_PIECES} pieces")
            raise seen.failed(Failure(error, "too_long", False))
        if pieces % PIECES_AT_ONCE == 0:
            # Pieces that have arrived already are handed over without a pause otherwise: thousands of pieces of a byte each.
            await asyncio.sleep(0)
    return bytes(content)


def retry_after(value: str | None) -> float | None:
    """Seconds from a `Retry-After` header: a number, or an HTTP date (RFC 9110, 10.2.3); None if it is neither."""
    if value is None or len(value) > _MAX_DATE_CHARS:
        return None
    try:
        seconds = float(value)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None

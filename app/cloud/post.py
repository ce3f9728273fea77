"""The wire of one attempt: paid for at the moment when it goes out, read within bounds."""

import asyncio
import email.utils
import math
import time
from collections.abc import Mapping
from typing import Any

import httpx2

from app.cloud.call import Attempt, Purse
from app.cloud.endpoint import Endpoint
from app.cloud.failures import Failure
from app.core.errors import BudgetExhausted, CloudUnparsable

# A chat completion of 64 tokens is a few hundred bytes (with log-probabilities some ten thousand), and comes in a few pieces: each
# piece costs the event loop as much as a kilobyte.
MAX_REPLY_BYTES = 1_048_576
_MAX_PIECES = 4_096
_PIECES_AT_ONCE = 64
# A date in a header is 29 characters long.
_MAX_DATE_CHARS = 64


async def _pay(purse: Purse | None, seen: Attempt) -> None:
    if purse is not None and not seen.charged:
        if not await purse.take():
            seen.outcome = "budget"
            raise BudgetExhausted("the cloud budget of the gateway or of this caller is spent")
        seen.charged = True


async def post(
    http: httpx2.AsyncClient, endpoint: Endpoint, body: Mapping[str, Any], trace: Mapping[str, str], seen: Attempt, *, purse: Purse | None
) -> bytes:
    """Send a request and read the whole reply, whatever its status: its bytes, and what its head says into `seen`.

    Raises:
        AttemptFailed: it is over the bounds.
        BudgetExhausted: nothing was left to pay for it when it was about to go out; nothing was sent.
        httpx2.HTTPError: the library's own, and the other roots of its exceptions.
    """
    content, pieces = bytearray(), 0

    async def on_event(event: str, info: Mapping[str, Any]) -> None:
        # There is a connection, and our own request (no proxy's CONNECT) is about to be written: now it costs something.
        if event.endswith(".send_request_headers.started") and info["request"].method == b"POST":
            await _pay(purse, seen)

    headers = {**trace, **endpoint.headers}
    # No timeout of its own: the caller's asyncio.timeout.
    async with http.stream("POST", endpoint.url, json=body, headers=headers, timeout=None, extensions={"trace": on_event}) as response:
        # A transport that tells no events has sent it all the same.
        await _pay(purse, seen)
        seen.status = response.status_code
        seen.retry_after_s = retry_after(response.headers.get("retry-after"))
        # A compressed reply is decoded in steps of a megabyte at most, each of which is counted.
        async for piece in response.aiter_bytes():
            content += piece
            pieces += 1
            if len(content) > MAX_REPLY_BYTES or pieces > _MAX_PIECES:
                error = CloudUnparsable(f"the cloud's reply is over {MAX_REPLY_BYTES} bytes or {_MAX_PIECES} pieces")
                raise seen.failed(Failure(error, "too_long", False))
            if pieces % _PIECES_AT_ONCE == 0:
                # What is here already is handed over without a pause otherwise: thousands of pieces of a byte each.
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

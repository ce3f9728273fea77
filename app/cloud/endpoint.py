"""One OpenAI-compatible endpoint and one attempt at it. With `client.py` the only place that knows httpx2.

Messages of errors never hold the key, the question or the endpoint's own text.
"""

import asyncio
import email.utils
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import httpx2

from app.cloud.breaker import Breaker
from app.cloud.silence import Judge, Silence, Trial
from app.errors import BudgetExhausted, CloudError, CloudRejected, CloudTimeout, CloudUnavailable, CloudUnparsable
from app.metrics import Metrics
from app.offload import SMALL, in_text_thread
from app.strict_json import loads
from app.tracing import cloud_attempt

logger = logging.getLogger("foggate.cloud")

# A chat completion of 64 tokens is a few hundred bytes, a few dozen values (with log-probabilities some thousands), and
# comes in a few pieces: each piece costs the event loop as much as a kilobyte.
MAX_REPLY_BYTES = 1_048_576
_MAX_VALUES = 20_000
_MAX_PIECES = 4_096
_PIECES_AT_ONCE = 64
# A date in a header is 29 characters long.
_MAX_DATE_CHARS = 64


class AttemptFailed(Exception):
    """This attempt failed in a way that another may not.

    Attributes:
        error: what the caller gets if there is no other.
        outcome: the metric's word for it.
        here: whether the same endpoint may be asked again; otherwise only another one.
        retry_after_s: what the endpoint asked for.
    """

    def __init__(self, error: CloudError, outcome: str, *, here: bool, retry_after_s: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.outcome = outcome
        self.here = here
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one cloud model is.

    Attributes:
        name: in metrics and logs.
        base_url: as in `http://127.0.0.1:9000/v1`.
        model: what the endpoint calls its model.
        breaker: leaves it alone when it fails.
        api_key: sent as a bearer token; None sends none.
        extra_headers: sent with every call.
        judge: says what it means when no answer comes.
    """

    name: str
    base_url: str
    model: str
    breaker: Breaker
    api_key: str | None = field(default=None, repr=False)
    extra_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    judge: Judge = field(default_factory=Judge, repr=False)

    @property
    def url(self) -> str:
        """Of its chat completions."""
        return self.base_url.rstrip("/") + "/chat/completions"

    @property
    def headers(self) -> dict[str, str]:
        """Of every call."""
        return {**self.extra_headers, **({"authorization": f"Bearer {self.api_key}"} if self.api_key else {})}


class Purse(Protocol):
    """What pays for attempts."""

    async def left(self) -> bool:
        """Whether there is anything for one more attempt."""

    async def take(self) -> bool:
        """Count an attempt that is about to go out; False, and nothing counted, if there is nothing left for it."""

    async def used(self, model: str, usage: Mapping[str, int]) -> None:
        """Count the tokens that a reply of this model reports."""


async def attempt(
    http: httpx2.AsyncClient,
    endpoint: Endpoint,
    body: Mapping[str, Any],
    *,
    number: int,
    limit_s: float,
    trial: Trial,
    ticket: int,
    metrics: Metrics,
    purse: Purse | None,
) -> Any:
    """One call: the decoded JSON of a 200. Breaker, metric and span are told what it says of the endpoint.

    Raises:
        AttemptFailed: another attempt may do better.
        CloudUnparsable: a reply that is no JSON, too long, or no HTTP, or one that this code fails on.
        BudgetExhausted: nothing was left to pay for it when it was about to go out; nothing was sent.
    """
    seen = _Seen()
    with cloud_attempt(endpoint=endpoint.name, url=endpoint.url, model=endpoint.model, number=number) as span:
        try:
            # One clock over connect, send and the whole body; httpx2's own timeouts start anew with every chunk.
            async with asyncio.timeout(limit_s):
                content = await _post(http, endpoint, body, span.headers, seen, purse=purse)
            if seen.status == httpx2.codes.OK:
                trial.answered()
            return await _payload(content, seen)
        except (AttemptFailed, CloudError):
            raise
        except TimeoutError:
            seen.outcome, seen.silence = "timeout", trial.silent()
            raise AttemptFailed(CloudTimeout("the cloud did not answer in time"), seen.outcome, here=False) from None
        except asyncio.CancelledError:
            # The caller left: hung up, or the deadline is over.
            seen.silence = trial.silent()
            raise
        except httpx2.TransportError:
            # Refused, reset, cut in the middle, a stale pooled connection: asking again is safe, an answer has no effects.
            seen.outcome, seen.healthy = "connection", False
            raise AttemptFailed(CloudUnavailable(f"the cloud did not answer ({seen.outcome})"), seen.outcome, here=True) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError):
            seen.outcome, seen.healthy = "protocol", False
            raise CloudUnparsable("the cloud's reply is not valid HTTP") from None
        except Exception:
            # Whatever a reply makes this code do wrong belongs to the attempt: there is an edge answer to fall back to.
            logger.exception("a bug: an attempt at the cloud failed unexpectedly")
            seen.outcome = "internal"
            raise CloudUnparsable("the cloud's reply could not be read") from None
        finally:
            metrics.cloud_attempts.labels(seen.outcome).inc()
            span.ended(seen.outcome, seen.status)
            _tell(endpoint.breaker, ticket, seen)


@dataclass(slots=True)
class _Seen:
    """What an attempt has shown so far. `healthy` is None while no answer came; `silence` then says what that means."""

    outcome: str = "cancelled"
    healthy: bool | None = None
    silence: Silence = Silence.NOTHING
    charged: bool = False
    status: int | None = None
    retry_after_s: float | None = None


def _tell(breaker: Breaker, ticket: int, seen: _Seen) -> None:
    # A 5xx has said enough, even if the rest of it never comes.
    if seen.healthy is False or seen.silence is Silence.FAILURE or (seen.status or 0) >= httpx2.codes.INTERNAL_SERVER_ERROR:
        breaker.failed(ticket)
    elif seen.healthy:
        breaker.succeeded(ticket)
    elif seen.silence is Silence.DOUBT:
        breaker.doubted(ticket)
    else:
        breaker.abandoned(ticket)


async def _payload(content: bytes, seen: _Seen) -> Any:
    """The JSON of a 200; any other status is a failure of its kind."""
    status = seen.status or 0
    seen.healthy = status < httpx2.codes.INTERNAL_SERVER_ERROR
    seen.outcome = str(status) if status in (httpx2.codes.OK, httpx2.codes.TOO_MANY_REQUESTS) else f"{status // 100}xx"
    if status == httpx2.codes.TOO_MANY_REQUESTS or not seen.healthy:
        error = CloudUnavailable(f"the cloud did not answer ({seen.outcome})")
        raise AttemptFailed(error, seen.outcome, here=True, retry_after_s=seen.retry_after_s)
    if status != httpx2.codes.OK:
        raise AttemptFailed(CloudRejected(f"the cloud refused the request with status {status}"), seen.outcome, here=False)
    try:
        if len(content) <= SMALL:
            return loads(content, max_values=_MAX_VALUES)
        return await in_text_thread(partial(loads, content, max_values=_MAX_VALUES))
    except ValueError:
        seen.outcome = "not_json"
        raise CloudUnparsable("the cloud's reply is not JSON") from None


async def _pay(purse: Purse | None, seen: _Seen) -> None:
    if purse is not None and not seen.charged:
        if not await purse.take():
            seen.outcome = "budget"
            raise BudgetExhausted("the cloud budget of the gateway or of this caller is spent")
        seen.charged = True


async def _post(
    http: httpx2.AsyncClient, endpoint: Endpoint, body: Mapping[str, Any], trace: Mapping[str, str], seen: _Seen, *, purse: Purse | None
) -> bytes:
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
                seen.outcome, seen.healthy = "too_long", True
                raise CloudUnparsable(f"the cloud's reply is over {MAX_REPLY_BYTES} bytes or {_MAX_PIECES} pieces")
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

"""One attempt at one endpoint: the call, its clock and its bounds, and what everybody is told of how it ended."""

import asyncio
import email.utils
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

import httpx2

from app.cloud.completion import fault_of
from app.cloud.endpoint import Endpoint
from app.cloud.excerpt import excerpt_of, excerpt_of_payload
from app.cloud.failures import Failure, failure_of, failure_of_status, may_be_about_the_format
from app.cloud.formats import AnswerFormat
from app.cloud.silence import Silence, Trial
from app.errors import BudgetExhausted, CloudError, CloudTimeout, CloudUnparsable
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

Reply = TypeVar("Reply")


class AttemptFailed(Exception):
    """This attempt failed in a way that another may not.

    Attributes:
        error: what the caller gets if there is no other.
        outcome: the metric's word for it.
        here: whether the same endpoint may be asked again; otherwise only another one.
        at_once: whether the same endpoint is to be asked again before any other, because the request will be another one.
        retry_after_s: what the endpoint asked for.
    """

    def __init__(self, failure: Failure, *, retry_after_s: float | None = None, at_once: bool = False) -> None:
        super().__init__(failure.error.message)
        self.error = failure.error
        self.outcome = failure.outcome
        self.here = failure.same_endpoint
        self.at_once = at_once
        self.retry_after_s = retry_after_s


class Purse(Protocol):
    """What pays for attempts."""

    async def left(self) -> bool:
        """Whether there is anything for one more attempt."""

    async def take(self) -> bool:
        """Count an attempt that is about to go out; False, and nothing counted, if there is nothing left for it."""

    async def used(self, model: str, usage: Mapping[str, int]) -> float:
        """Count the tokens that a reply of this model reports; returns their price in the currency of the prices."""


@dataclass(slots=True)
class Attempt:
    """What is known of one call; complete when it has ended.

    Attributes:
        endpoint: its name.
        number: of the question's attempts, from 1.
        form: the form of answer that was asked for.
        outcome: the metric's word: `200`, `429`, `401`, `4xx`, `5xx`, `timeout`, `connection`, `proxy`, `certificate`, `misconfigured`,
            `protocol`, `too_long`, `not_json`, `unusable`, `unreadable`, `internal`, `budget` or `cancelled`.
        status: of the reply, if one began.
        seconds: from the beginning of the call to its end.
        error: what the caller is told if nothing else succeeds; None after a success, and where nobody waits any more.
        said: a bounded piece of the endpoint's words about its error.
        payload: the decoded reply.
        healthy: None while no answer came; `silence` then says what that means.
    """

    endpoint: str
    number: int
    form: AnswerFormat
    outcome: str = "cancelled"
    status: int | None = None
    seconds: float = 0.0
    error: CloudError | None = None
    said: str = ""
    payload: Any = None
    healthy: bool | None = None
    silence: Silence = Silence.NOTHING
    charged: bool = False
    retry_after_s: float | None = None

    def failed(self, failure: Failure, *, at_once: bool = False) -> AttemptFailed:
        """Note how it ended; returns what to raise."""
        self.outcome, self.healthy, self.error = failure.outcome, failure.healthy, failure.error
        return AttemptFailed(failure, retry_after_s=self.retry_after_s, at_once=at_once)


@dataclass(frozen=True, slots=True)
class Call:
    """What one attempt is made of.

    Attributes:
        body: of the request.
        form: of the answer that the body asks for.
        texts: what was asked; never logged.
        number: of the question's attempts, from 1.
        limit_s: how long it may take.
        trial: judges a silence.
        ticket: of the endpoint's breaker.
    """

    body: Mapping[str, Any]
    form: AnswerFormat
    texts: tuple[str, ...]
    number: int
    limit_s: float
    trial: Trial
    ticket: int


class Observer(Protocol):
    """Who writes attempts down."""

    async def replied(self, endpoint: Endpoint, payload: Any, purse: Purse | None) -> None:
        """A 200 was decoded; nothing in it has been judged yet."""

    def ended(self, endpoint: Endpoint, seen: Attempt) -> None:
        """The attempt has ended."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What all attempts share: what carries the calls, and who writes them down."""

    http: httpx2.AsyncClient
    observer: Observer


async def attempt(desk: Desk, endpoint: Endpoint, call: Call, read: Callable[[Any], Awaitable[Reply]], *, purse: Purse | None) -> Reply:
    """One call: what is read in the chat completion of a 200. Breaker, observers and span are told what it says of the endpoint.

    Args:
        desk: what all attempts share.
        endpoint: who is asked.
        call: what is asked.
        read: makes the result of a completion; raises CloudUnparsable where it holds none.
        purse: pays for it; None counts nothing.

    Raises:
        AttemptFailed: another attempt may do better.
        BudgetExhausted: nothing was left to pay for it when it was about to go out; nothing was sent.
    """
    seen = Attempt(endpoint.name, call.number, call.form)
    started = time.monotonic()
    with cloud_attempt(endpoint=endpoint.name, url=endpoint.url, model=endpoint.model, number=call.number) as span:
        try:
            # One clock over connect, send and the whole body; httpx2's own timeouts start anew with every chunk.
            async with asyncio.timeout(call.limit_s):
                content = await _post(desk.http, endpoint, call.body, span.headers, seen, purse=purse)
            if seen.status == httpx2.codes.OK:
                call.trial.answered()
            await _decode(endpoint, call, content, seen)
            await desk.observer.replied(endpoint, seen.payload, purse)
            return await _judge(endpoint, call, read, seen)
        except (AttemptFailed, BudgetExhausted):
            raise
        except TimeoutError:
            seen.silence = call.trial.silent()
            failure = Failure(CloudTimeout("the cloud did not answer in time"), "timeout", None)
            raise seen.failed(failure) from None
        except asyncio.CancelledError:
            # The caller left: hung up, or the deadline is over.
            seen.silence = call.trial.silent()
            raise
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise seen.failed(failure_of(error)) from None
        except Exception:
            # Whatever a reply makes this code do wrong belongs to the attempt: there is an edge answer to fall back to.
            logger.exception("a bug: an attempt at the cloud failed unexpectedly")
            raise seen.failed(Failure(CloudUnparsable("the cloud's reply could not be read"), "internal", None)) from None
        finally:
            seen.seconds = time.monotonic() - started
            span.ended(seen.outcome, seen.status)
            _tell(endpoint, call.ticket, seen)
            desk.observer.ended(endpoint, seen)


def _tell(endpoint: Endpoint, ticket: int, seen: Attempt) -> None:
    breaker = endpoint.breaker
    # A 5xx has said enough, even if the rest of it never comes.
    if seen.healthy is False or seen.silence is Silence.FAILURE or (seen.status or 0) >= httpx2.codes.INTERNAL_SERVER_ERROR:
        breaker.failed(ticket)
    elif seen.healthy:
        breaker.succeeded(ticket)
    elif seen.silence is Silence.DOUBT:
        breaker.doubted(ticket)
    else:
        breaker.abandoned(ticket)


async def _decode(endpoint: Endpoint, call: Call, content: bytes, seen: Attempt) -> None:
    """The JSON of a 200, into `seen`; any other status, and what is no JSON, is a failure of its kind."""
    if seen.status != httpx2.codes.OK:
        seen.said = await _excerpt(endpoint, call, content)
        again = may_be_about_the_format(seen.status) and endpoint.form.refused(call.form)
        raise seen.failed(failure_of_status(seen.status or 0), at_once=again)
    try:
        if len(content) <= SMALL:
            seen.payload = loads(content, max_values=_MAX_VALUES)
        else:
            seen.payload = await in_text_thread(partial(loads, content, max_values=_MAX_VALUES))
    except ValueError:
        seen.said = await _excerpt(endpoint, call, content)
        raise seen.failed(Failure(CloudUnparsable("the cloud's reply is not JSON"), "not_json", False)) from None


async def _judge(endpoint: Endpoint, call: Call, read: Callable[[Any], Awaitable[Reply]], seen: Attempt) -> Reply:
    """What is read in a decoded 200. One without a completion is the endpoint's failure, one without a letter is not."""
    if (fault := fault_of(seen.payload)) is not None:
        seen.said = excerpt_of_payload(seen.payload, secrets=endpoint.secrets, texts=call.texts)
        raise seen.failed(Failure(CloudUnparsable(f"the cloud's reply holds no answer: {fault}"), "unusable", False))
    endpoint.form.taken(call.form)
    try:
        reply = await read(seen.payload)
    except CloudUnparsable as error:
        raise seen.failed(Failure(error, "unreadable", True)) from None
    seen.outcome, seen.healthy = "200", True
    return reply


async def _excerpt(endpoint: Endpoint, call: Call, content: bytes) -> str:
    work = partial(excerpt_of, content, secrets=endpoint.secrets, texts=call.texts)
    return work() if len(content) + sum(map(len, call.texts)) <= SMALL else await in_text_thread(work)


async def _pay(purse: Purse | None, seen: Attempt) -> None:
    if purse is not None and not seen.charged:
        if not await purse.take():
            seen.outcome = "budget"
            raise BudgetExhausted("the cloud budget of the gateway or of this caller is spent")
        seen.charged = True


async def _post(
    http: httpx2.AsyncClient, endpoint: Endpoint, body: Mapping[str, Any], trace: Mapping[str, str], seen: Attempt, *, purse: Purse | None
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

"""One attempt at one endpoint: how each way in which it can end is recorded, and what the breaker is told about it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import httpx2

from app.cloud.breaker import State
from app.cloud.call import Attempt, AttemptFailed, Call, Desk, RawReply
from app.cloud.excerpt import excerpt_of, excerpt_of_payload
from app.cloud.failures import Failure, failure_of, failure_of_status
from app.cloud.post import sent, whole
from app.cloud.silence import Silence
from app.core.errors import BudgetExhausted, CloudTimeout, CloudUnavailable, CloudUnparsable, Refusal
from app.core.offload import SMALL, in_text_thread
from app.core.strict_json import loads
from app.telemetry.tracing import cloud_attempt

logger = logging.getLogger("foggate.cloud")

# The key or the proxy of this gateway, which are none of a caller's business.
_ABOUT_US = (httpx2.codes.UNAUTHORIZED, httpx2.codes.PROXY_AUTHENTICATION_REQUIRED)

Result = TypeVar("Result")
Read = Callable[[RawReply], Awaitable[Result]]
Exchange = Callable[[Attempt, Mapping[str, str]], Awaitable[Result]]


async def recorded(desk: Desk, call: Call, exchange: Exchange[Result]) -> Result:
    """The result of an exchange with an endpoint. Breaker, observer and span are told how it ended.

    Args:
        desk: what all attempts share.
        call: the attempt.
        exchange: sends the request and makes the result; gets the record of the attempt and the headers of the trace context.

    Raises:
        AttemptFailed: another attempt may succeed, unless a part of the reply was given to the caller.
        BudgetExhausted: nothing was left to pay for it when it was about to be sent; nothing was sent.
    """
    endpoint = call.endpoint
    seen = Attempt(endpoint.name, call.number, call.request.label)
    started = time.monotonic()
    with cloud_attempt(endpoint=endpoint.name, url=endpoint.url, model=endpoint.model, number=call.number) as span:
        try:
            return await exchange(seen, span.headers)
        except (AttemptFailed, BudgetExhausted):
            raise
        except TimeoutError:
            seen.silence = call.trial.silent()
            said = "the cloud's reply did not come to its end in time" if seen.handed_out else "the cloud did not answer in time"
            raise seen.failed(Failure(CloudTimeout(said), "timeout", None)) from None
        except asyncio.CancelledError:
            # The caller left: closed the connection, or its deadline is over.
            seen.silence = call.trial.silent()
            raise
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            failure = failure_of(error)
            if seen.handed_out:
                failure = replace(failure, error=CloudUnavailable("the cloud's reply broke off before its end"))
            raise seen.failed(failure) from None
        except Exception:
            # Whatever a reply makes this code do wrong belongs to the attempt: there is an edge answer to fall back to.
            logger.exception("a bug: an attempt at the cloud failed unexpectedly")
            raise seen.failed(Failure(CloudUnparsable("the cloud's reply could not be read"), "internal", None)) from None
        finally:
            seen.seconds = time.monotonic() - started
            span.ended(seen.outcome, seen.status)
            _tell(call, seen)
            desk.observer.ended(endpoint, seen)


async def whole_reply(desk: Desk, call: Call, read: Read[Result]) -> Result:
    """One attempt whose reply is read as a whole: what `read` makes of the chat completion of a 200.

    Args:
        desk: what all attempts share.
        call: the attempt.
        read: makes the result; raises CloudUnparsable where the completion holds none, and another endpoint is asked.

    Raises:
        AttemptFailed: another attempt may succeed.
        BudgetExhausted: nothing was left to pay for it when it was about to be sent; nothing was sent.
    """

    async def exchange(seen: Attempt, trace: Mapping[str, str]) -> Result:
        # One clock over connect, send and the whole body; httpx2's own timeouts start again with every chunk.
        async with asyncio.timeout(call.limit_s), sent(desk.http, call, trace, seen) as response:
            content = await whole(response, seen)
        if seen.status != httpx2.codes.OK:
            raise await refusal(call, content, seen)
        call.trial.answered()
        seen.payload = await _decoded(call, content, seen)
        await desk.observer.replied(call.endpoint, seen.payload, call.purse)
        if (fault := call.request.fault(seen.payload)) is not None:
            raise await unusable(call, seen.payload, seen, f"the cloud's reply holds no answer: {fault}")
        try:
            result = await read(RawReply(call.endpoint, call.request, call.number, seen.headers, content, seen.payload))
        except CloudUnparsable as error:
            # There is a completion: the question may be to blame, and not the endpoint.
            raise seen.failed(Failure(error, "unreadable", True)) from None
        seen.outcome, seen.healthy = "200", True
        return result

    return await recorded(desk, call, exchange)


async def refusal(call: Call, content: bytes, seen: Attempt) -> AttemptFailed:
    """What to raise after a status other than 200 with this body."""
    status = seen.status or 0
    seen.said = await _excerpt(call, content)
    failure = failure_of_status(status)
    failure.error.refusal = _refusal_of(call, content, seen)
    return seen.failed(failure, at_once=call.request.refused(status))


def _refusal_of(call: Call, content: bytes, seen: Attempt) -> Refusal | None:
    """What may be shown to the caller: nothing about our key, nor anything that holds a secret of ours."""
    status = seen.status or 0
    if status < httpx2.codes.BAD_REQUEST or status in _ABOUT_US or any(secret.encode() in content for secret in call.endpoint.secrets):
        return None
    return Refusal(status, content, seen.headers.get("content-type", ""), seen.retry_after_s)


async def not_json(call: Call, content: bytes, seen: Attempt, message: str) -> AttemptFailed:
    """What to raise after a 200 with something else than JSON, or than events."""
    seen.said = await _excerpt(call, content)
    return seen.failed(Failure(CloudUnparsable(message), "not_json", False))


async def unusable(call: Call, payload: Any, seen: Attempt, message: str) -> AttemptFailed:
    """What to raise after a 200 that is an error of the endpoint."""
    if call.request.quiet:
        return seen.failed(Failure(CloudUnparsable(message), "unusable", False))
    work = partial(excerpt_of_payload, payload, secrets=call.endpoint.secrets, texts=call.request.texts)
    seen.said = work() if sum(map(len, call.request.texts)) <= SMALL else await in_text_thread(work)
    return seen.failed(Failure(CloudUnparsable(message), "unusable", False))


def tell_begun(call: Call, seen: Attempt) -> None:
    """A streamed reply has begun: for a half-open breaker that is enough, or a long stream would keep a place of its few probes."""
    if call.endpoint.breaker.state is State.HALF_OPEN:
        call.endpoint.breaker.succeeded(call.ticket)
        seen.probed = True


def _tell(call: Call, seen: Attempt) -> None:
    breaker = call.endpoint.breaker
    # A 5xx is a failure, even if the rest of it never comes.
    if seen.healthy is False or seen.silence is Silence.FAILURE or (seen.status or 0) >= httpx2.codes.INTERNAL_SERVER_ERROR:
        breaker.failed(call.ticket)
    elif seen.probed:
        return
    elif seen.silence is Silence.DOUBT:
        breaker.doubted(call.ticket)
    # A stream that its caller left, or that the deadline ended, was answering.
    elif seen.healthy or seen.handed_out:
        breaker.succeeded(call.ticket)
    else:
        breaker.abandoned(call.ticket)


async def _decoded(call: Call, content: bytes, seen: Attempt) -> Any:
    """The JSON of a 200. Raises AttemptFailed."""
    try:
        if len(content) <= SMALL:
            return loads(content, max_values=call.request.max_values)
        return await in_text_thread(partial(loads, content, max_values=call.request.max_values))
    except ValueError:
        raise await not_json(call, content, seen, "the cloud's reply is not JSON") from None


async def _excerpt(call: Call, content: bytes) -> str:
    if call.request.quiet:
        return ""
    texts = call.request.texts
    work = partial(excerpt_of, content, secrets=call.endpoint.secrets, texts=texts)
    return work() if len(content) + sum(map(len, texts)) <= SMALL else await in_text_thread(work)

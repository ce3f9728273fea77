"""One attempt at one endpoint: the call, its clock and its bounds, and what everybody is told of how it ended."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import httpx2

from app.cloud.call import Attempt, AttemptFailed, Call, Desk, Purse
from app.cloud.completion import fault_of
from app.cloud.endpoint import Endpoint
from app.cloud.excerpt import excerpt_of, excerpt_of_payload
from app.cloud.failures import Failure, failure_of, failure_of_status, may_be_about_the_format
from app.cloud.post import post
from app.cloud.silence import Silence
from app.core.errors import BudgetExhausted, CloudTimeout, CloudUnparsable
from app.core.offload import SMALL, in_text_thread
from app.core.strict_json import loads
from app.telemetry.tracing import cloud_attempt

logger = logging.getLogger("foggate.cloud")

# A chat completion has a few dozen, with log-probabilities some thousands.
_MAX_VALUES = 20_000

Reply = TypeVar("Reply")


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
                content = await post(desk.http, endpoint, call.body, span.headers, seen, purse=purse)
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
        work = partial(excerpt_of_payload, seen.payload, secrets=endpoint.secrets, texts=call.texts)
        seen.said = work() if sum(map(len, call.texts)) <= SMALL else await in_text_thread(work)
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

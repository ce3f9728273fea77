"""The cloud: OpenAI-compatible endpoints in the order of their priority, through httpx2.

One question is a few attempts under one deadline. Connect errors, cut connections, 429 and 5xx are tried again: at once at
another endpoint if there is one, else at the same one with full jitter; `Retry-After` is honoured, and nothing is tried
that could not end in time. All questions share a retry budget, a bound on calls in flight, and a breaker per endpoint.
Cancelling the caller cancels the call.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx2

from app.cloud.endpoint import AttemptFailed, Endpoint, Purse, attempt
from app.cloud.messages import cloud_messages
from app.cloud.reply import read_letter, text_chars
from app.cloud.retry_budget import RetryBudget
from app.cloud.usage import charged_usage, read_model, shown_usage
from app.counts import Bound
from app.deadline import Deadline
from app.domain import CloudReply, Question
from app.errors import BudgetExhausted, CircuitOpen, CloudError, CloudTimeout, CloudUnavailable, CloudUnparsable
from app.metrics import Metrics
from app.offload import SMALL, in_text_thread

logger = logging.getLogger("foggate.cloud")

# An answer is one letter in a short sentence; this bounds a model that thinks aloud.
_MAX_TOKENS = 64
_BACKOFF_BASE_S, _BACKOFF_CAP_S = 0.1, 2.0


class CloudClient:
    """Asks one of several endpoints.

    Args:
        endpoints: in the order in which they are to be asked; at least one.
        metrics: where attempts and tokens are counted.
        retry_budget: shared by all questions.
        timeout_s: one attempt at most (the deadline may be nearer).
        max_attempts: calls per question at most, over all endpoints.
        max_in_flight: questions under way; one more is refused, not queued.
        longest_s: the longest that any caller waits: no attempt can last longer, and none is judged as if it could.
        extra_body: laid over the request body, as in `{"chat_template_kwargs": {…}}`.
        seed: of the jitter, for tests.
        transport: what carries the calls instead of a network, for tests.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        metrics: Metrics,
        *,
        retry_budget: RetryBudget,
        timeout_s: float = 8.0,
        max_attempts: int = 3,
        max_in_flight: int = 64,
        longest_s: float = math.inf,
        extra_body: Mapping[str, Any] | None = None,
        seed: int | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._endpoints = list(endpoints)
        self._metrics = metrics
        self._retry_budget = retry_budget
        self._timeout_s = timeout_s
        self._possible_s = min(timeout_s, longest_s)
        self._max_attempts = max_attempts
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._extra_body = dict(extra_body or {})
        self._random = random.Random(seed)  # noqa: S311  # jitter, not a secret
        limits = httpx2.Limits(max_connections=max_in_flight)
        self._http = httpx2.AsyncClient(limits=limits, follow_redirects=False, transport=transport)

    async def close(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()

    async def answer(
        self,
        question: Question,
        deadline: Deadline,
        allowance: Sequence[Bound] = (),  # noqa: ARG002  # a Cloud's; whoever counts calls stands in front and gives a purse
        *,
        purse: Purse | None = None,
        patience: Callable[[], float] | None = None,
    ) -> CloudReply:
        """Ask until there is a reply, the attempts are spent, or the deadline or the purse leaves no room for another.

        Args:
            question: what is asked.
            deadline: when the call ends at the latest.
            allowance: not looked at.
            purse: pays for each attempt that goes out; None counts nothing.
            patience: seconds that the callers still wait, where that may be less than the deadline.

        Raises:
            BudgetExhausted: the purse had nothing left for the first attempt when it was about to go out.
            CloudTimeout: no reply in time.
            CloudUnavailable: every attempt failed to connect, was cut, or got a 429 or 5xx; or too many calls are in flight.
            CloudRejected: another 4xx, or a redirect.
            CloudUnparsable: a 200 without a usable letter.
            CircuitOpen: every endpoint is being left alone.
        """
        if not deadline.remaining():
            raise CloudTimeout("the deadline left no time for the cloud")
        if self._in_flight >= self._max_in_flight:
            raise CloudUnavailable(f"{self._max_in_flight} cloud calls are in flight already")
        self._in_flight += 1
        started = time.monotonic()
        try:
            return await self._answer(question, deadline, purse, patience or deadline.remaining)
        finally:
            self._in_flight -= 1
            self._metrics.cloud_request_duration.observe(time.monotonic() - started)

    async def _answer(self, question: Question, deadline: Deadline, purse: Purse | None, patience: Callable[[], float]) -> CloudReply:
        body = {"messages": cloud_messages(question), "temperature": 0, "max_tokens": _MAX_TOKENS, **self._extra_body}
        failed: dict[str, AttemptFailed] = {}
        error: CloudError = CircuitOpen("the cloud failed too often lately and is not being asked")
        for number in range(1, self._max_attempts + 1):
            if failed and (not deadline.remaining() or (purse is not None and not await purse.left())):
                break
            chosen = await self._next(failed, number, deadline)
            if chosen is None:
                break
            endpoint, ticket = chosen
            if not failed:
                self._retry_budget.called()
            limit_s = min(self._timeout_s, deadline.remaining())
            try:
                payload = await attempt(
                    self._http,
                    endpoint,
                    {"model": endpoint.model, **body},
                    number=number,
                    limit_s=limit_s,
                    trial=endpoint.judge.begin(given_s=min(limit_s, patience()), possible_s=self._possible_s),
                    ticket=ticket,
                    metrics=self._metrics,
                    purse=purse,
                )
            except AttemptFailed as failure:
                failed[endpoint.name] = failure
                error = failure.error
            except BudgetExhausted:
                if not failed:
                    raise
                break
            else:
                await self._charge(payload, endpoint.model, purse)
                return await self._reply(payload, question, number, endpoint.model)
        raise error

    async def _next(self, failed: Mapping[str, AttemptFailed], number: int, deadline: Deadline) -> tuple[Endpoint, int] | None:
        """The endpoint of the next attempt with its breaker's ticket: one that was not asked yet, else, after a wait, one again."""
        for endpoint in self._endpoints:
            if endpoint.name in failed or (ticket := endpoint.breaker.admit()) is None:
                continue
            if failed and not self._retry_budget.take():
                endpoint.breaker.abandoned(ticket)
                return None
            return endpoint, ticket
        again = next((endpoint for endpoint in self._endpoints if endpoint.name in failed and failed[endpoint.name].here), None)
        if again is None:
            return None
        wait = self._wait(number - 1, failed[again.name].retry_after_s)
        if wait >= deadline.remaining() or not self._retry_budget.left():
            return None
        await asyncio.sleep(wait)
        late = again.breaker.admit()
        if late is not None and not self._retry_budget.take():
            again.breaker.abandoned(late)
            late = None
        return None if late is None else (again, late)

    async def _charge(self, payload: Any, asked_model: str, purse: Purse | None) -> None:
        """What a reply costs, before it is known whether a letter can be read in it."""
        usage = charged_usage(payload)
        for kind, tokens in usage.items():
            self._metrics.cloud_tokens.labels(kind.removesuffix("_tokens")).inc(tokens)
        if purse is not None:
            await purse.used(read_model(payload, asked_model), usage)

    async def _reply(self, payload: Any, question: Question, attempts: int, asked_model: str) -> CloudReply:
        """What a decoded 200 says. Raises CloudUnparsable."""
        try:
            if text_chars(payload, question) <= SMALL:
                letter = read_letter(payload, question)
            else:
                letter = await in_text_thread(read_letter, payload, question)
        except CloudError:
            raise
        except Exception:
            logger.exception("a bug: a reply of the cloud could not be read")
            raise CloudUnparsable("the cloud's reply could not be read") from None
        return CloudReply(letter, read_model(payload, asked_model), attempts, shown_usage(payload))

    def _wait(self, attempt_number: int, retry_after_s: float | None) -> float:
        jitter = self._random.uniform(0, min(_BACKOFF_CAP_S, _BACKOFF_BASE_S * 2**attempt_number))
        return jitter if retry_after_s is None else retry_after_s + jitter

"""Which endpoint is asked next, and when: the attempts of one call under one deadline.

Connection errors, broken connections, 429 and 5xx are tried again: at once at another endpoint if there is one, else at the same one
with full jitter; `Retry-After` is honoured, and nothing is tried that could not end in time. A reply that its reader cannot use is
tried at another endpoint only. All calls share a retry budget.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from app.cloud.call import AttemptFailed, Call, Purse, RequestFor
from app.cloud.endpoint import Endpoint
from app.cloud.failures import REFUSES_THE_REQUEST
from app.cloud.retry_budget import RetryBudget
from app.cloud.silence import Judge
from app.core.deadline import Deadline
from app.core.errors import BudgetExhausted, CircuitOpen, CloudError

_BACKOFF_BASE_S, _BACKOFF_CAP_S = 0.1, 2.0

Result = TypeVar("Result")


@dataclass(slots=True)
class Waiting:
    """A caller's call: what it sends, what bounds it, and which endpoints have failed so far.

    Attributes:
        request_for: makes the request to an endpoint.
        deadline: when the call ends at the latest.
        purse: pays for each attempt; None counts nothing.
        patience: seconds that the callers still wait.
        timeout_s: longest time of one attempt in seconds.
        possible_s: longest time in seconds that an attempt of this kind can last, deadlines considered.
        judge_of: the judge of an endpoint's silence at this kind of call.
        failed: the last failure of each endpoint, by its name.
    """

    request_for: RequestFor
    deadline: Deadline
    purse: Purse | None
    patience: Callable[[], float]
    timeout_s: float
    possible_s: float
    judge_of: Callable[[Endpoint], Judge]
    failed: dict[str, AttemptFailed] = field(default_factory=dict)


class Retries:
    """Makes the attempts of calls.

    Args:
        endpoints: endpoints in the order in which they are asked.
        retry_budget: retry budget that all calls share.
        max_attempts: largest number of attempts of one call, over all endpoints.
        seed: seed of the jitter, for tests.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        retry_budget: RetryBudget,
        *,
        max_attempts: int,
        seed: int | None,
    ) -> None:
        self._endpoints = list(endpoints)
        self._retry_budget = retry_budget
        self._max_attempts = max_attempts
        self._random = random.Random(seed)  # noqa: S311  # jitter, not a secret

    async def first_success(self, waiting: Waiting, once: Callable[[Call], Awaitable[Result]]) -> Result:
        """The result of the first attempt that succeeds.

        No other attempt is made when a part of a reply was given to the caller.

        Args:
            waiting: the call.
            once: makes one attempt; raises AttemptFailed or BudgetExhausted.

        Raises:
            CloudError: the last attempt's; CircuitOpen where every endpoint is being left alone; BudgetExhausted where nothing was
                left for the first attempt.
        """
        failed, deadline, purse = waiting.failed, waiting.deadline, waiting.purse
        error: CloudError = CircuitOpen("the cloud failed too often lately and is not being asked")
        for number in range(1, self._max_attempts + 1):
            if failed and (not deadline.remaining() or (purse is not None and not await purse.left())):
                break
            chosen = await self._next(waiting, number)
            if chosen is None:
                break
            endpoint, ticket = chosen
            call = self._call(waiting, endpoint, ticket, number)
            if not failed:
                self._retry_budget.called()
            try:
                return await once(call)
            except AttemptFailed as failure:
                failed[endpoint.name] = failure
                error = failure.error
                if failure.handed_out:
                    break
            except BudgetExhausted:
                if not failed:
                    raise
                break
        raise error

    def _call(self, waiting: Waiting, endpoint: Endpoint, ticket: int, number: int) -> Call:
        try:
            request = waiting.request_for(endpoint)
        except BaseException:
            endpoint.breaker.abandoned(ticket)
            raise
        limit_s = min(waiting.timeout_s, waiting.deadline.remaining())
        trial = waiting.judge_of(endpoint).begin(given_s=min(limit_s, waiting.patience()), possible_s=waiting.possible_s)
        return Call(endpoint, request, number, limit_s, trial, ticket, waiting.purse)

    async def _next(self, waiting: Waiting, number: int) -> tuple[Endpoint, int] | None:
        """The endpoint of the next attempt with its breaker's ticket: one that was not asked yet, else, after a wait, one again."""
        failed = waiting.failed
        for endpoint in self._endpoints:
            failure = failed.get(endpoint.name)
            if failure is None or not failure.at_once or (ticket := endpoint.breaker.admit()) is None:
                continue
            # Without what the endpoint refused for certain, it is no retry of the same request.
            if failure.status in REFUSES_THE_REQUEST or self._retry_budget.take():
                return endpoint, ticket
            endpoint.breaker.abandoned(ticket)
        for endpoint in self._endpoints:
            if endpoint.name in failed or (ticket := endpoint.breaker.admit()) is None:
                continue
            if failed and not self._retry_budget.take():
                endpoint.breaker.abandoned(ticket)
                return None
            return endpoint, ticket
        return await self._same_again(waiting, number)

    async def _same_again(self, waiting: Waiting, number: int) -> tuple[Endpoint, int] | None:
        """The first endpoint that failed in a way that may pass, after a wait; None where there is none, or no time for it."""
        failed = waiting.failed
        retryable = (one for one in self._endpoints if one.name in failed and failed[one.name].same_endpoint_retryable)
        again = next(retryable, None)
        if again is None:
            return None
        wait = self._wait(number - 1, failed[again.name].retry_after_s)
        if wait >= waiting.deadline.remaining() or not self._retry_budget.left():
            return None
        await asyncio.sleep(wait)
        late = again.breaker.admit()
        if late is not None and not self._retry_budget.take():
            again.breaker.abandoned(late)
            late = None
        return None if late is None else (again, late)

    def _wait(self, attempt_number: int, retry_after_s: float | None) -> float:
        jitter = self._random.uniform(0, min(_BACKOFF_CAP_S, _BACKOFF_BASE_S * 2**attempt_number))
        return jitter if retry_after_s is None else retry_after_s + jitter

"""The cloud: OpenAI-compatible endpoints in the order of their priority, through httpx2.

One question is a few attempts under one deadline. Connect errors, cut connections, 429 and 5xx are tried again: at once at
another endpoint if there is one, else at the same one with full jitter; `Retry-After` is honoured, and nothing is tried
that could not end in time. A reply without an answer is tried at another endpoint only. All questions share a retry budget, a bound
on calls in flight, and a breaker per endpoint. Cancelling the caller cancels the call.
"""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx2

from app.cloud.accounts import Accounts
from app.cloud.attempt import attempt
from app.cloud.call import Attempt, AttemptFailed, Call, Desk, Purse
from app.cloud.endpoint import Endpoint
from app.cloud.formats import AnswerFormat, format_fields
from app.cloud.logprobs import answer_probabilities
from app.cloud.proxies import connection_options
from app.cloud.reading import letter_of
from app.cloud.request import RequestSettings
from app.cloud.retry_budget import RetryBudget
from app.cloud.usage import read_model, shown_usage
from app.core.ask import Bound
from app.core.deadline import Deadline
from app.core.errors import BudgetExhausted, CircuitOpen, CloudError, CloudTimeout, CloudUnavailable
from app.core.offload import in_text_thread
from app.core.outcome import CloudReply
from app.core.question import Question
from app.telemetry.metrics import Metrics

Reply = TypeVar("Reply")
_BACKOFF_BASE_S, _BACKOFF_CAP_S = 0.1, 2.0


@dataclass(frozen=True, slots=True)
class Probe(Generic[Reply]):
    """What an endpoint is asked beside the questions of callers: messages, the form of the answer, and who reads the completion."""

    messages: list[dict[str, str]]
    form: AnswerFormat
    letters: str
    read: Callable[[Any], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question with what bounds it."""

    question: Question
    deadline: Deadline
    purse: Purse | None
    patience: Callable[[], float]


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
        request: what every request is made with.
        extra_body: laid over the request body, as in `{"chat_template_kwargs": {…}}`; in place of `request`.
        on_attempt: told of each attempt when it has ended.
        seed: of the jitter, for tests.
        transport: what carries the calls instead of a network, for tests.

    Raises:
        ConfigError: the proxies of the environment cannot be used.
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
        request: RequestSettings | None = None,
        extra_body: Mapping[str, Any] | None = None,
        on_attempt: Callable[[Attempt], None] = lambda _: None,
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
        self.request = request or RequestSettings(extra_body=dict(extra_body or {}))
        self._random = random.Random(seed)  # noqa: S311  # jitter, not a secret
        limits = httpx2.Limits(max_connections=max_in_flight)
        urls = [endpoint.url for endpoint in endpoints]
        options = {"transport": transport} if transport else connection_options(urls, limits)
        self._http = httpx2.AsyncClient(follow_redirects=False, **options)
        self._desk = Desk(self._http, Accounts(metrics, on_attempt))

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """In the order in which they are asked."""
        return self._endpoints

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
            CloudMisconfigured: a key, a certificate, an address or a header of ours is wrong.
            CloudUnparsable: a 200 without a usable letter, or something that this code fails on.
            CircuitOpen: every endpoint is being left alone.
        """
        if not deadline.remaining():
            raise CloudTimeout("the deadline left no time for the cloud")
        if self._in_flight >= self._max_in_flight:
            raise CloudUnavailable(f"{self._max_in_flight} cloud calls are in flight already")
        self._in_flight += 1
        started = time.monotonic()
        try:
            return await self._answer(_Asked(question, deadline, purse, patience or deadline.remaining))
        finally:
            self._in_flight -= 1
            self._metrics.cloud_request_duration.observe(time.monotonic() - started)

    async def _answer(self, asked: "_Asked") -> CloudReply:
        deadline, purse = asked.deadline, asked.purse
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
            try:
                return await self._ask(endpoint, ticket, number, asked)
            except AttemptFailed as failure:
                failed[endpoint.name] = failure
                error = failure.error
            except BudgetExhausted:
                if not failed:
                    raise
                break
        raise error

    async def _ask(self, endpoint: Endpoint, ticket: int, number: int, asked: "_Asked") -> CloudReply:
        """One attempt. Raises AttemptFailed or BudgetExhausted."""
        question = asked.question
        form = endpoint.form.in_use

        async def read(payload: Any) -> CloudReply:
            letter = await letter_of(payload, question, form)
            wanted = self.request.top_logprobs > 0
            distribution = await in_text_thread(answer_probabilities, payload, question, letter) if wanted else None
            return CloudReply(letter, read_model(payload, endpoint.model), number, shown_usage(payload), distribution)

        limit_s = min(self._timeout_s, asked.deadline.remaining())
        trial = endpoint.judge.begin(given_s=min(limit_s, asked.patience()), possible_s=self._possible_s)
        body = self.request.question(question, endpoint.model, form)
        call = Call(body, form, (question.question, *question.options), number, limit_s, trial, ticket)
        return await attempt(self._desk, endpoint, call, read, purse=asked.purse)

    async def probe(self, endpoint: Endpoint, probe: Probe[Reply], purse: Purse) -> Reply:
        """What the probe reads in the endpoint's reply, by one attempt.

        Raises:
            AttemptFailed: no chat completion came.
            BudgetExhausted: nothing is left to pay for it, or the endpoint is being left alone.
        """
        if not await purse.left() or (ticket := endpoint.breaker.admit()) is None:
            raise BudgetExhausted("the cloud is not being asked at the moment")
        trial = endpoint.judge.begin(given_s=self._timeout_s, possible_s=self._possible_s)
        body = self.request.body(probe.messages, endpoint.model, format_fields(probe.form, probe.letters))
        call = Call(body, probe.form, (), 1, self._timeout_s, trial, ticket)
        return await attempt(self._desk, endpoint, call, probe.read, purse=purse)

    async def _next(self, failed: Mapping[str, AttemptFailed], number: int, deadline: Deadline) -> tuple[Endpoint, int] | None:
        """The endpoint of the next attempt with its breaker's ticket: one that was not asked yet, else, after a wait, one again."""
        for endpoint in self._endpoints:
            # Without the form of answer that it refused; that is no retry of the same request.
            if endpoint.name in failed and failed[endpoint.name].at_once and (ticket := endpoint.breaker.admit()) is not None:
                return endpoint, ticket
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

    def _wait(self, attempt_number: int, retry_after_s: float | None) -> float:
        jitter = self._random.uniform(0, min(_BACKOFF_CAP_S, _BACKOFF_BASE_S * 2**attempt_number))
        return jitter if retry_after_s is None else retry_after_s + jitter

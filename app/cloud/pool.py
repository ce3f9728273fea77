"""The pool of OpenAI-compatible endpoints, asked in the order of their priority: raw request bodies go out, raw replies come back.

One call is a few attempts under one deadline (`app/cloud/retries.py`). All calls, whole or streamed, share the retry budget, the bound
on calls in flight, and a breaker per endpoint, and each attempt is paid for. Cancelling the caller cancels the request. What the bodies
mean is known to whoever sends them, and not here.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import httpx2

from app.cloud.accounts import Accounts
from app.cloud.attempt import Read, whole_reply
from app.cloud.call import Attempt, Call, Desk, Purse, Request, RequestFor
from app.cloud.endpoint import Endpoint
from app.cloud.proxies import connection_options
from app.cloud.retries import Retries, Waiting
from app.cloud.retry_budget import RetryBudget
from app.cloud.stream import Pipe, Stream
from app.cloud.streaming import streamed_reply
from app.core.deadline import Deadline
from app.core.errors import BudgetExhausted, CloudTimeout, CloudUnavailable
from app.telemetry.metrics import Metrics

Result = TypeVar("Result")


class CloudPool:
    """Asks one of several endpoints.

    Args:
        endpoints: endpoints in the order in which they are asked; at least one.
        metrics: where attempts and tokens are counted.
        retry_budget: retry budget that all calls share.
        timeout_s: longest time of one attempt in seconds (the deadline may be nearer); of a stream, the longest time until its
            first event and between two pieces.
        max_attempts: largest number of attempts of one call, over all endpoints.
        max_in_flight: largest number of calls under way; one more is refused, not queued.
        longest_s: longest time in seconds that any caller waits for a whole reply: no attempt can last longer, and none is judged
            as if it could.
        on_attempt: called with each attempt when it has ended.
        seed: seed of the jitter, for tests.
        transport: what carries the calls in place of a network, for tests.

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
        on_attempt: Callable[[Attempt], None] = lambda _: None,
        seed: int | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.retry_budget = retry_budget
        self._endpoints = list(endpoints)
        self.metrics = metrics
        self._timeout_s = timeout_s
        self._possible_s = min(timeout_s, longest_s)
        self._retries = Retries(endpoints, retry_budget, max_attempts=max_attempts, seed=seed)
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._streams: set[asyncio.Task[None]] = set()
        limits = httpx2.Limits(max_connections=max_in_flight)
        urls = [endpoint.url for endpoint in endpoints]
        options = {"transport": transport} if transport else connection_options(urls, limits)
        self._http = httpx2.AsyncClient(follow_redirects=False, **options)
        self._desk = Desk(self._http, Accounts(metrics, on_attempt))

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Endpoints in the order in which they are asked."""
        return self._endpoints

    @property
    def in_flight(self) -> int:
        """Number of calls under way."""
        return self._in_flight

    @property
    def possible_s(self) -> float:
        """The longest time in seconds that an attempt at a whole reply can last."""
        return self._possible_s

    async def idle(self) -> None:
        """Wait until no call is under way."""
        await self._idle.wait()

    async def close(self) -> None:
        """Cancel the streams that are under way, and close all connections."""
        streams = tuple(self._streams)
        for task in streams:
            task.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        await self._http.aclose()

    async def post(
        self,
        request_for: RequestFor,
        read: Read[Result],
        deadline: Deadline,
        *,
        purse: Purse | None = None,
        patience: Callable[[], float] | None = None,
        timeout_s: float | None = None,
    ) -> Result:
        """What `read` makes of a whole reply: of the first one that it can use.

        Args:
            request_for: makes the request to an endpoint; called before each attempt.
            read: makes the result of a chat completion; raises CloudUnparsable where it cannot use it, and another endpoint is asked.
            deadline: when the call ends at the latest.
            purse: pays for each attempt that is sent; None counts nothing.
            patience: seconds that the callers still wait, where that may be less than the deadline.
            timeout_s: longest time of one attempt in seconds, for replies that usually take longer than an answer; by default that of
                the pool.

        Raises:
            BudgetExhausted: the purse had nothing left for the first attempt; nothing was sent.
            CloudTimeout: no reply in time.
            CloudUnavailable: every attempt failed to connect, was cut, or got a 429 or 5xx; or too many calls are in flight.
            CloudRejected: another 4xx, or a redirect.
            CloudMisconfigured: a key, a certificate, an address or a header of ours is wrong.
            CloudUnparsable: a 200 that is no chat completion, or that `read` cannot use, or something that this code fails on.
            CircuitOpen: every endpoint is being left alone.
        """

        async def once(call: Call) -> Result:
            return await whole_reply(self._desk, call, read)

        waiting = Waiting(
            request_for,
            deadline,
            purse,
            patience or deadline.remaining,
            timeout_s=timeout_s or self._timeout_s,
            possible_s=timeout_s or self._possible_s,
            judge_of=lambda endpoint: endpoint.chat_judge if timeout_s else endpoint.judge,
        )
        async with self._counted(waiting):
            return await self._retries.first_success(waiting, once)

    async def stream(
        self,
        request_for: RequestFor,
        deadline: Deadline,
        *,
        purse: Purse | None = None,
        patience: Callable[[], float] | None = None,
        silence_s: float | None = None,
    ) -> Stream:
        """A streamed reply, when its first event has come; until then, an attempt that fails is followed by another.

        The caller closes it. Its bytes are those of the endpoint, from the first on. What its usage reports is charged when it ends.

        Args:
            request_for: makes the request to an endpoint, whose body asks for a stream; called before each attempt.
            deadline: when the whole reply must be there.
            purse: pays for each attempt that is sent; None counts nothing.
            patience: seconds that the callers still wait for the beginning, where that may be less than the deadline.
            silence_s: longest time in seconds until the first event and between two pieces; by default that of an attempt.

        Raises:
            CloudError: as `post`; after it has returned, the iteration of the stream raises what goes wrong.
        """
        pipe = Pipe()
        longest_s = silence_s or self._timeout_s

        async def once(call: Call) -> None:
            await streamed_reply(self._desk, call, pipe, deadline, silence_s=longest_s)

        waiting = Waiting(
            request_for,
            deadline,
            purse,
            patience or deadline.remaining,
            timeout_s=longest_s,
            possible_s=silence_s or self._possible_s,
            judge_of=lambda endpoint: endpoint.stream_judge,
        )

        async def run() -> None:
            async with self._counted(waiting):
                await self._retries.first_success(waiting, once)

        task = asyncio.create_task(run())
        self._streams.add(task)
        task.add_done_callback(self._streams.discard)
        stream = Stream(task, pipe)
        await stream.begin()
        return stream

    async def once(self, endpoint: Endpoint, request: Request, read: Read[Result], purse: Purse) -> Result:
        """What `read` makes of the whole reply of this endpoint to one attempt.

        Raises:
            AttemptFailed: no chat completion came, or none that `read` can use.
            BudgetExhausted: nothing is left to pay for it, or the endpoint is being left alone.
        """
        if not await purse.left() or (ticket := endpoint.breaker.admit()) is None:
            raise BudgetExhausted("the cloud is not being asked at the moment")
        trial = endpoint.judge.begin(given_s=self._timeout_s, possible_s=self._possible_s)
        return await whole_reply(self._desk, Call(endpoint, request, 1, self._timeout_s, trial, ticket, purse), read)

    @asynccontextmanager
    async def _counted(self, waiting: Waiting) -> AsyncIterator[None]:
        """A place among the calls in flight, if there is one, budget, and time."""
        if waiting.purse is not None and not await waiting.purse.left():
            raise BudgetExhausted("the cloud budget of the gateway or of this caller is spent")
        if not waiting.deadline.remaining():
            raise CloudTimeout("the deadline left no time for the cloud")
        if self._http.is_closed:
            raise CloudUnavailable("the connections to the cloud are closed")
        if self._in_flight >= self._max_in_flight:
            raise CloudUnavailable(f"{self._max_in_flight} cloud calls are in flight already")
        self._in_flight += 1
        self._idle.clear()
        started = time.monotonic()
        try:
            yield
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()
            self.metrics.cloud_request_duration.observe(time.monotonic() - started)

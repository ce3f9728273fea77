"""Chats that are no multiple-choice question: they go to the cloud as they came, through the pool of all cloud calls.

So they have its endpoints, breakers, retries and budgets. Their times are their own: a chat may take minutes, a letter seconds. And
only so many are under way at once, so that long chats never take the cloud from questions.
"""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from app.cloud.budget import Budget, CallPurse
from app.cloud.call import RawReply
from app.cloud.passing import RawChat, WholeEvents
from app.cloud.pool import CloudPool
from app.cloud.stream import Stream
from app.cloud.usage import read_model
from app.core.ask import Bound
from app.core.deadline import Deadline
from app.core.errors import CloudError, CloudUnavailable, Overloaded


@dataclass(frozen=True, slots=True)
class PassLimits:
    """Bounds of the chats that are passed on.

    Attributes:
        deadline_s: seconds until the whole reply is there.
        idle_s: seconds until a streamed reply begins, and between two pieces of it.
        max_in_flight: chats that are under way at once; one more is refused.
    """

    deadline_s: float
    idle_s: float
    max_in_flight: int


@dataclass(frozen=True, slots=True)
class PassedReply:
    """A whole reply as it came.

    Attributes:
        content: its body, a JSON object.
        model: name of the model that it says it is from.
        waited_s: seconds that the cloud was waited for.
        cost: what it cost, failed attempts included, in the currency of the prices; None without prices.
    """

    content: bytes
    model: str
    waited_s: float
    cost: float | None = None


class PassedStream(AsyncIterator[bytes]):
    """A streamed reply, whole events at a time; its user closes it (`async with`), which cancels the call to the cloud.

    Attributes:
        model: name of the model that was asked.
        waited_s: seconds until it began.
        broken: whether the last bytes are a part of an event.

    Iterating raises CloudError where the reply does not come to its end.
    """

    def __init__(self, passing: "Passing", stream: Stream, events: WholeEvents, waited_s: float) -> None:
        self.model = stream.beginning.endpoint.model
        self.waited_s = waited_s
        self._passing = passing
        self._stream = stream
        self._events = events
        self._ended = False

    @property
    def broken(self) -> bool:
        """Whether what came last is the beginning of an event that is too long to be held."""
        return self._events.in_the_middle

    async def __anext__(self) -> bytes:
        while not self._ended:
            try:
                whole = self._events.feed(await anext(self._stream))
            except StopAsyncIteration:
                self._ended = True
                whole = self._events.rest()
                self._passing.count("streamed" if self._events.ended else "broken")
                if not self._events.ended:
                    raise CloudUnavailable("the cloud's reply broke off: its stream ended before it said so") from None
            except CloudError:
                self._passing.count("broken")
                raise
            if whole:
                return whole
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Cancel the call to the cloud, if it is still under way, and give its place to another chat."""
        self._passing.leave()
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()


class Passing:
    """Passes chats on.

    Args:
        pool: the endpoints.
        budget: the gateway's budget of the cloud.
        limits: bounds of the chats.
        without_keys: whether a caller may pass chats on where no keys are configured.
    """

    def __init__(self, pool: CloudPool, budget: Budget, limits: PassLimits, *, without_keys: bool) -> None:
        self.without_keys = without_keys
        self._pool = pool
        self._budget = budget
        self._limits = limits
        self._in_flight = 0
        self._counted = pool.metrics.passed_on

    async def ask(self, chat: RawChat, allowance: Sequence[Bound]) -> PassedReply | PassedStream:
        """The reply to a chat; a streamed one has begun.

        Args:
            chat: the chat.
            allowance: bounds on the caller's own cloud calls.

        Raises:
            Overloaded: too many chats are under way.
            CloudError: there is no reply; its `refusal` is what the endpoint said.
        """
        limits = self._limits
        if self._in_flight >= limits.max_in_flight:
            raise Overloaded(f"{limits.max_in_flight} chats are being passed on already", retry_after_s=1)
        purse, deadline = CallPurse(self._budget, tuple(allowance)), Deadline.after(limits.deadline_s)
        self._in_flight += 1
        began = time.monotonic()
        try:
            if not chat.streamed:
                try:
                    return await self._whole(chat, deadline, purse)
                finally:
                    self.leave()
            stream = await self._pool.stream(chat.request_for, deadline, purse=purse, silence_s=min(limits.idle_s, limits.deadline_s))
        except BaseException as error:
            self.count("failed" if isinstance(error, CloudError) else "left")
            if chat.streamed:
                self.leave()
            raise
        return PassedStream(self, stream, WholeEvents(hides_usage=chat.hides_usage), time.monotonic() - began)

    def leave(self) -> None:
        """A chat is no longer under way."""
        self._in_flight -= 1

    def count(self, outcome: str) -> None:
        """Count a chat by how it ended."""
        self._counted.labels(outcome).inc()

    async def _whole(self, chat: RawChat, deadline: Deadline, purse: CallPurse) -> PassedReply:
        began = time.monotonic()

        async def read(reply: RawReply) -> PassedReply:
            model = read_model(reply.payload, reply.endpoint.model)
            return PassedReply(reply.content, model, time.monotonic() - began, purse.cost)

        passed = await self._pool.post(chat.request_for, read, deadline, purse=purse, timeout_s=self._limits.deadline_s)
        self.count("whole")
        return passed

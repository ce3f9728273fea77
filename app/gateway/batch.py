"""Questions that one caller asks together, as one object from the face to the edge.

One task leads the whole batch: it takes as many places at the edge as there are whenever it is the batch's turn, and finishes a question
that the edge model answers where the reply arrives. Only a question that has to wait for the cloud, or to be read again, gets a task.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from app.access.caller import Caller
from app.core.ask import Ask
from app.core.cascade import Begun, Cascade, checked, edge_bug
from app.core.deadline import Deadline
from app.core.edge import Prepared
from app.core.errors import DeadlineExceeded, Draining, EdgeError, FogGateError, InvalidQuestion, Overloaded
from app.core.outcome import Outcome
from app.core.verdict import EdgeReply
from app.gateway.gateway import Gateway
from app.gateway.going_on import GoingOn
from app.gateway.unasked import BatchQuestion, Unasked

# Replies that are handled before others of the event loop have their turn.
_AT_ONCE = 16
# Takes the place of a question in its batch, and its outcome or error.
Seen = Callable[[int, Outcome | Exception], None]


@dataclass(frozen=True, slots=True)
class _Started:
    """A question that has begun, and what answers it: a reload changes nothing for it."""

    question: BatchQuestion
    begun: Begun
    cascade: Cascade


class Batch:
    """The questions of one batch. They wait behind single questions, and the batch in turn with other batches.

    Args:
        gateway: answers the questions.
        caller: who asks, and has paid for all of them.
        deadline: deadline of the batch. What has not begun by then is refused; each question has its own deadline besides.
    """

    def __init__(self, gateway: Gateway, caller: Caller, deadline: Deadline) -> None:
        state = gateway.state
        self._gateway, self._caller, self._deadline, self._turns = gateway, caller, deadline, state.turns
        self._at_edge: dict[asyncio.Future[EdgeReply], asyncio.TimerHandle] = {}
        self._going_on = GoingOn(state.limits.batch_concurrency)
        # What is left to do for questions that somebody has replied to.
        self._replied: deque[Callable[[], None]] = deque()
        self._news = asyncio.Event()
        self._turn: asyncio.Future[None] | None = None
        self._expired = False
        # Questions that were refused without having been asked, and have to be given back to the caller's rate.
        self._to_refund = 0

    @classmethod
    async def admitted(cls, gateway: Gateway, caller: Caller, questions: int, deadline_s: float | None = None) -> "Batch":
        """A new batch, all of whose questions are charged to the caller's rate.

        Args:
            gateway: answers the questions.
            caller: who asks.
            questions: how many there are.
            deadline_s: may shorten the configured deadline of a batch.

        Raises:
            InvalidQuestion: more questions than a batch may have, or than the caller may ever ask in a minute.
            NotReady: the edge model is still being loaded.
            RateLimited: the questions do not fit into what is left of the caller's rate.
        """
        limits = gateway.state.limits
        if questions > limits.max_questions:
            raise InvalidQuestion(f"{questions} questions, the limit is {limits.max_questions}", param="questions")
        await gateway.admit(caller, questions)
        return cls(gateway, caller, Deadline.after(min(math.inf if deadline_s is None else deadline_s, limits.batch_deadline_s)))

    async def answer(self, asks: Sequence[Ask], seen: Seen) -> None:
        """Answer the questions of the batch; to be called once. A question that is refused without having been asked is not charged.

        Args:
            asks: the questions.
            seen: is given each place with its outcome, or the error that there is instead, as they come: `Overloaded` where the edge had no
                place before the batch's deadline, `Draining` where the gateway began to stop first, and whatever else an answer may raise.
                What `seen` itself raises ends the batch.

        Raises:
            NotReady: the edge model is still being loaded.
        """
        edge = self._gateway.cascade().edge
        self._seen, self._left = seen, len(asks)
        self._unasked = Unasked(asks, self._news.set, lambda *failed: self._replied.append(partial(self._unreadable, *failed)))
        expiring = asyncio.get_running_loop().call_later(self._deadline.remaining(), self._expire)
        preparing: asyncio.Task[None] | None = None
        try:
            self._check()
            preparing = asyncio.ensure_future(self._unasked.prepare(edge))
            while self._left:
                self._begin()
                if self._left and not self._replied:
                    await self._news.wait()
                self._news.clear()
                await self._hand_over()
        finally:
            expiring.cancel()
            if preparing is not None:
                preparing.cancel()
            self._going_on.cancel()
            for reply in [*self._at_edge]:
                reply.cancel()
            self._turns.leave(self)
            # Whatever became of this batch, there may be room for another.
            self._turns.next()
            await self._refund()

    def _check(self) -> None:
        for question in self._unasked:
            try:
                self._gateway.check(question.ask, self._caller)
            except FogGateError as error:
                self._unasked.remove(question)
                self._caller.paid -= 1
                self._give(question, error)

    def _expire(self) -> None:
        self._expired = True
        self._news.set()

    def _begin(self) -> None:
        """Ask the edge what it has room for, if it is this batch's turn; refuse the questions whose time to begin is over."""
        if self._gateway.state.stopping:
            self._refuse(lambda: Draining("the gateway is shutting down", retry_after_s=1))
        elif self._expired or not self._deadline.remaining():
            # By the clock too: the timer of a question may come before that of its batch, and the place which it leaves must stay free.
            self._refuse(lambda: Overloaded("the edge had no place for this question within the batch's deadline", retry_after_s=1))
        while self._unasked.unreadable and not self._going_on.is_full:
            self._unreadable(*self._unasked.unreadable.popleft())
        woken = self._turn is not None and self._turn.done()
        if self._turn is not None and not woken and self._unasked:
            return
        self._turns.leave(self)
        self._turn = None
        if len(self._turns) and not woken and self._may_ask:
            self._join()
            return
        asked = None
        while asked is None and self._may_ask:
            asked = self._ask()
        if asked is not None and self._unasked.ready:
            self._join(first=woken and not asked)
        elif woken or asked is not None:
            self._turns.next()

    @property
    def _room(self) -> float:
        """How many more questions the edge may be asked: once some go on, others may have to, and would wait with their time running."""
        return self._going_on.left - len(self._at_edge) if len(self._going_on) else math.inf

    @property
    def _may_ask(self) -> bool:
        return bool(self._unasked.ready) and not self._unasked.unreadable and self._room > 0

    def _join(self, *, first: bool = False) -> None:
        self._turn = self._turns.join(self, len(self._unasked), first=first)
        self._turn.add_done_callback(lambda _: self._news.set())

    def _ask(self) -> int | None:
        """Ask the edge as many of the ready questions as it has room for; their number, or None where it failed on the first one."""
        cascade = self._gateway.cascade()
        started: list[_Started] = []
        room = self._room

        def wanted() -> Iterator[tuple[Prepared, Deadline]]:
            for question, prepared in self._unasked.ready:
                if len(started) >= room:
                    return
                started.append(self._start(question, cascade))
                yield prepared, started[-1].begun.deadline

        try:
            replies = cascade.edge.ask(wanted())
        except Exception as error:  # noqa: BLE001  # whatever an edge does wrong is a failure of the edge
            question, _ = self._unasked.take()
            self._caller.paid -= 1
            self._edge_failed(self._start(question, cascade), error if isinstance(error, FogGateError) else edge_bug(error))
            return None
        loop = asyncio.get_running_loop()
        for one, reply in zip(started, replies, strict=False):
            _, prepared = self._unasked.take()
            self._caller.paid -= 1
            self._at_edge[reply] = loop.call_later(one.begun.deadline.remaining(), _too_late, one.question, reply)
            reply.add_done_callback(partial(self._edge_replied, one, prepared))
        return len(replies)

    def _start(self, question: BatchQuestion, cascade: Cascade) -> _Started:
        """Let a question's time run; it has no more than its batch."""
        left_s = max(self._deadline.remaining(), 1e-6)
        granted_s = left_s if question.ask.deadline_s is None else min(left_s, question.ask.deadline_s)
        ask = replace(question.ask, deadline_s=granted_s, allowance=self._caller.allowance, yields=True)
        return _Started(question, cascade.begin(ask), cascade)

    def _unreadable(self, question: BatchQuestion, error: FogGateError) -> None:
        """Go on with a question that the edge cannot read; refuse one that it refuses."""
        if question in self._unasked:
            self._unasked.remove(question)
            self._caller.paid -= 1
            self._edge_failed(self._start(question, self._gateway.cascade()), error)

    def _edge_replied(self, one: _Started, prepared: Prepared, reply: asyncio.Future[EdgeReply]) -> None:
        self._at_edge.pop(reply).cancel()
        self._replied.append(partial(self._settle, one, prepared, reply))
        self._news.set()
        if not reply.cancelled():
            # Read here too, because the batch may have ended.
            reply.exception()

    def _settle(self, one: _Started, prepared: Prepared, reply: asyncio.Future[EdgeReply]) -> None:
        """Finish a question that the edge model answers; let another one go on."""
        try:
            edge = checked(reply.result(), one.begun.ask.question)
        except Overloaded:
            # An edge that says so only later: as if it had not been asked.
            self._caller.paid += 1
            self._unasked.put_back(one.question, prepared)
            if self._turn is None:
                self._join(first=True)
        except FogGateError as error:
            self._edge_failed(one, error)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # as above
            if one.question.late:
                self._give(one.question, DeadlineExceeded("no answer within the deadline"))
            else:
                self._go_on(one, edge_bug(error))
        else:
            try:
                outcome = one.cascade.settled(one.begun, edge)
            except Exception as error:  # noqa: BLE001  # a bug, which `seen` is told of
                self._give(one.question, error)
                return
            if outcome is None:
                self._go_on(one, edge)
            else:
                self._answered(one, outcome)

    def _edge_failed(self, one: _Started, error: FogGateError) -> None:
        if isinstance(error, EdgeError):
            self._go_on(one, error)
            return
        if isinstance(error, Overloaded | Draining):
            self._caller.paid += 1
            self._to_refund += 1
        self._give(one.question, error)

    def _go_on(self, one: _Started, reply: EdgeReply | EdgeError) -> None:
        def done(found: Outcome | Exception) -> None:
            then = partial(self._answered, one, found) if isinstance(found, Outcome) else partial(self._give, one.question, found)
            self._replied.append(then)
            self._news.set()

        self._going_on.begin(lambda: one.cascade.go_on(one.begun, reply), one.begun.deadline, done)

    def _answered(self, one: _Started, outcome: Outcome) -> None:
        self._gateway.show(one.begun.ask, outcome)
        self._give(one.question, outcome)

    def _give(self, question: BatchQuestion, found: Outcome | Exception) -> None:
        self._left -= 1
        self._seen(question.index, found)

    def _refuse(self, error: Callable[[], FogGateError]) -> None:
        """Refuse all questions that have not begun."""
        refused = self._unasked.clear()
        self._to_refund += len(refused)
        for question in refused:
            self._give(question, error())

    async def _hand_over(self) -> None:
        handled = 0
        while self._replied:
            self._replied.popleft()()
            handled += 1
            if not handled % _AT_ONCE:
                await asyncio.sleep(0)
        await self._refund()

    async def _refund(self) -> None:
        if self._to_refund:
            refused, self._to_refund = self._to_refund, 0
            await self._caller.refund(refused)


def _too_late(question: BatchQuestion, reply: asyncio.Future[EdgeReply]) -> None:
    question.late = True
    reply.cancel()

"""Questions that one caller asks together: they wait until the edge has a place that no single question needs."""

import asyncio
import contextlib
import math
from dataclasses import replace

from app.access.caller import Caller
from app.core.ask import Ask
from app.core.deadline import Deadline
from app.core.errors import Draining, InvalidQuestion, Overloaded
from app.core.outcome import Outcome
from app.gateway.gateway import Gateway


class Batch:
    """The questions of one batch. Each waits behind single questions and in turn with other batches.

    Args:
        gateway: answers the questions.
        caller: who asks, and has paid for all of them.
        deadline: deadline of the batch. What has not begun by then is refused; each question has its own deadline besides.
    """

    def __init__(self, gateway: Gateway, caller: Caller, deadline: Deadline) -> None:
        self._gateway = gateway
        self._caller = caller
        self._deadline = deadline
        self._turns = gateway.state.turns

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

    async def answer(self, ask: Ask) -> Outcome:
        """Answer one question of the batch; one that was refused without having been asked is not charged.

        Raises:
            Overloaded: the edge had no place before the batch's deadline.
            Draining: the gateway began to stop first.
            FogGateError: what `Gateway.answer` raises.
        """
        refused = False
        try:
            self._gateway.may_begin()
            while True:
                left_s = await self._wait(again=refused)
                bounded = replace(ask, deadline_s=min(left_s, ask.deadline_s or math.inf), yields=True)
                try:
                    return await self._gateway.answer(bounded, self._caller)
                except Overloaded:
                    refused = True
        except (Overloaded, Draining):
            await self._caller.refund()
            raise
        finally:
            # Whatever became of this one, there may be room for another.
            self._turns.next()

    async def _wait(self, *, again: bool) -> float:
        """Wait for the turn; the seconds that are left then, more than 0. Raises Overloaded."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._deadline.remaining()):
                if again or len(self._turns):
                    await self._turns.wait(self, again=again)
            if left_s := self._deadline.remaining():
                return left_s
        raise Overloaded("the edge had no place for this question within the batch's deadline", retry_after_s=1)

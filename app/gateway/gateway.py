"""The gateway without a network side: every question of every caller goes through here, whatever face it came by.

The order is fixed: is there a model, the caller's rate, limits, permissions, the cascade, and then every observer.
"""

from asyncio import CancelledError
from collections.abc import Sequence
from dataclasses import replace

import structlog

from app.access.caller import Caller
from app.access.keys import Permission
from app.cloud.passing import RawChat
from app.core.ask import Ask
from app.core.cascade import Cascade
from app.core.errors import Draining, Forbidden, InvalidQuestion, NotPassedOn, NotReady, Overloaded
from app.core.outcome import Outcome, RouteRequest
from app.gateway.observers import Observer
from app.gateway.passing import PassedReply, PassedStream
from app.gateway.state import GatewayState

log = structlog.get_logger("foggate")


class Gateway:
    """Answers questions.

    Args:
        state: the gateway's state, which changes while it runs.
        observers: told of every outcome, in this order.

    Attributes:
        state: the same.
    """

    def __init__(self, state: GatewayState, observers: Sequence[Observer] = ()) -> None:
        self.state = state
        self._observers = tuple(observers)

    async def admit(self, caller: Caller, questions: int) -> None:
        """Charge several questions to the caller's rate at once: all of them or none. `answer` then charges none of them again.

        Raises:
            NotReady: the edge model is still being loaded.
            InvalidQuestion: so many questions never fit into the caller's rate.
            RateLimited: they do not fit into what is left of it.
        """
        self.cascade()
        await caller.pay(questions)

    async def answer(self, ask: Ask, caller: Caller) -> Outcome:
        """Answer one question; it is charged to the caller's rate, unless `admit` did so.

        A question that is refused because the queue is full or the gateway is draining is not charged.

        Args:
            ask: what is asked; its allowance is the caller's, whatever it says.
            caller: who asks.

        Raises:
            NotReady: the edge model is still being loaded.
            Draining: the gateway takes no new work.
            RateLimited: the caller's rate is used up.
            Forbidden: the caller lacks a permission.
            InvalidQuestion: the question is longer than the limit, or the edge model cannot take it.
            FogGateError: what the cascade raises.
        """
        cascade = self.cascade()
        if not caller.paid:
            await caller.pay(1)
        caller.paid -= 1
        try:
            self.check(ask, caller)
            ask = replace(ask, allowance=caller.allowance)
            outcome = await cascade.answer(ask)
        except (Overloaded, Draining):
            caller.paid += 1
            await caller.refund()
            raise
        self.show(ask, outcome)
        return outcome

    def passes_on(self, caller: Caller) -> bool:
        """Whether chats of this caller that are no question go to the cloud."""
        passing = self.state.passing
        return passing is not None and (passing.without_keys if caller.key is None else caller.may(Permission.PASS_THROUGH))

    async def pass_through(self, chat: RawChat, caller: Caller) -> PassedReply | PassedStream:
        """Pass a chat on to the cloud as it came; it is charged to the caller's rate as one question.

        Args:
            chat: the chat.
            caller: who asks.

        Raises:
            NotReady: the edge model is still being loaded.
            NotPassedOn: no cloud is configured, or no chats are to be passed on.
            Forbidden: the caller lacks the permission.
            RateLimited: the caller's rate is used up.
            Overloaded: too many chats are under way.
            CloudError: what the pool raises.
        """
        self.cascade()
        passing = self.state.passing
        if passing is None:
            why = (
                "no cloud is configured" if self.state.cloud_model is None else "such chats are not passed on (cloud.pass_through.enabled)"
            )
            raise NotPassedOn(f"this chat is not one multiple-choice question, and {why}", param="messages")
        if not self.passes_on(caller):
            lacks = (
                "this gateway passes on no chats of callers without a key (cloud.pass_through.without_keys)"
                if caller.key is None
                else f"this key lacks the permission '{Permission.PASS_THROUGH}'"
            )
            raise Forbidden(f"this chat is not one multiple-choice question, and {lacks}", param="messages")
        if not caller.paid:
            await caller.pay(1)
        caller.paid -= 1
        try:
            return await passing.ask(chat, caller.allowance)
        except Overloaded:
            caller.paid += 1
            await caller.refund()
            raise

    def cascade(self) -> Cascade:
        """What answers questions that begin now. Raises NotReady."""
        if self.state.cascade is None:
            raise NotReady("the edge model is still being loaded", retry_after_s=2)
        return self.state.cascade

    def check(self, ask: Ask, caller: Caller) -> None:
        """Let a question pass that this caller may ask.

        Raises:
            InvalidQuestion: it is longer than the limit.
            Forbidden: the caller lacks a permission.
        """
        length, limit = ask.question.length, self.state.limits.max_text_chars
        if length > limit:
            raise InvalidQuestion(f"the text is {length} characters long, the limit is {limit}", param="question")
        caller.require(Permission.ANSWER)
        for field, chosen in (("tau", ask.tau is not None), ("route", ask.route is not RouteRequest.AUTO)):
            if chosen:
                caller.require(Permission.FORCE_ROUTE, param=field)

    def show(self, ask: Ask, outcome: Outcome) -> None:
        """Let every observer see an outcome."""
        for observer in self._observers:
            try:
                observer.seen(ask, outcome)
            except (Exception, CancelledError):
                # Whatever an observer does wrong, the caller has an answer. Nothing is waited for here, so no cancelling is the caller's.
                log.exception("a bug: an observer failed", observer=type(observer).__name__)

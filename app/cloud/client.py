"""Asks the cloud a multiple-choice question: the messages and the answer format of the request, and the letter in the reply.

Everything else is the pool's (`app/cloud/pool.py`): endpoints, attempts, breakers, budgets, deadline and cancellation.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from app.cloud.call import Purse, RawReply, Request
from app.cloud.endpoint import Endpoint
from app.cloud.formats import AnswerFormat, format_fields
from app.cloud.logprobs import answer_probabilities
from app.cloud.pool import CloudPool
from app.cloud.reading import letter_of
from app.cloud.request import RequestSettings
from app.cloud.usage import read_model, shown_usage
from app.core.ask import Bound
from app.core.deadline import Deadline
from app.core.offload import in_text_thread
from app.core.outcome import CloudReply
from app.core.question import Question

Reply = TypeVar("Reply")


@dataclass(frozen=True, slots=True)
class Probe(Generic[Reply]):
    """What the gateway itself asks an endpoint.

    Attributes:
        messages: chat messages.
        form: answer format that is asked for.
        letters: letters that are offered.
        read: makes the result of a chat completion.
    """

    messages: list[dict[str, str]]
    form: AnswerFormat
    letters: str
    read: Callable[[Any], Awaitable[Reply]]


class CloudClient:
    """Asks the endpoints of a pool.

    Args:
        pool: pool of endpoints.
        request: fields that every request is made with.
    """

    def __init__(self, pool: CloudPool, request: RequestSettings | None = None) -> None:
        self.pool = pool
        self.request = request or RequestSettings()

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Endpoints in the order in which they are asked."""
        return self.pool.endpoints

    async def close(self) -> None:
        """Close the connections."""
        await self.pool.close()

    async def answer(
        self,
        question: Question,
        deadline: Deadline,
        allowance: Sequence[Bound] = (),  # noqa: ARG002  # a Cloud's; whoever counts calls stands in front and gives a purse
        *,
        purse: Purse | None = None,
        patience: Callable[[], float] | None = None,
    ) -> CloudReply:
        """Ask until there is a letter, the attempts are spent, or the deadline or the purse leaves no room for another.

        Args:
            question: what is asked.
            deadline: when the call ends at the latest.
            allowance: not looked at.
            purse: pays for each attempt that is sent; None counts nothing.
            patience: seconds that the callers still wait, where that may be less than the deadline.

        Raises:
            CloudError: as `CloudPool.post`; CloudUnparsable where no reply names one offered letter.
        """
        return await self.pool.post(
            partial(self._request, question), partial(self._read, question), deadline, purse=purse, patience=patience
        )

    def _request(self, question: Question, endpoint: Endpoint) -> Request:
        form = endpoint.form.in_use
        body = self.request.question(question, endpoint.model, form)
        texts = (question.question, *question.options)
        return Request(body, texts, label=form.value, refused=lambda status: endpoint.form.refused(form, status))

    async def _read(self, question: Question, reply: RawReply) -> CloudReply:
        """The letter that a completion names. Raises CloudUnparsable."""
        form = AnswerFormat(reply.request.label)
        reply.endpoint.form.taken(form)
        letter = await letter_of(reply.payload, question, form)
        wanted = self.request.top_logprobs > 0
        distribution = (
            await in_text_thread(answer_probabilities, reply.payload, question, letter) if wanted and not question.is_long else None
        )
        model = read_model(reply.payload, reply.endpoint.model)
        return CloudReply(letter, model, reply.attempts, shown_usage(reply.payload), distribution)

    async def probe(self, endpoint: Endpoint, probe: Probe[Reply], purse: Purse) -> Reply:
        """What the probe reads in the endpoint's reply, by one attempt.

        Raises:
            AttemptFailed: no chat completion came.
            BudgetExhausted: nothing is left to pay for it, or the endpoint is being left alone.
        """
        body = self.request.body(probe.messages, endpoint.model, format_fields(probe.form, probe.letters))

        async def read(reply: RawReply) -> Reply:
            return await probe.read(reply.payload)

        return await self.pool.once(endpoint, Request(body, (), label=probe.form.value), read, purse)

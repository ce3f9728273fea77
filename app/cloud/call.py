"""The words of an attempt at the cloud: what is asked, what is known of how it ended, who pays and who writes it down."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx2

from app.cloud.endpoint import Endpoint
from app.cloud.failures import Failure
from app.cloud.formats import AnswerFormat
from app.cloud.silence import Silence, Trial
from app.core.errors import CloudError


class AttemptFailed(Exception):
    """This attempt failed in a way that another may not.

    Attributes:
        error: what the caller gets if there is no other.
        outcome: the metric's word for it.
        here: whether the same endpoint may be asked again; otherwise only another one.
        at_once: whether the same endpoint is to be asked again before any other, because the request will be another one.
        retry_after_s: what the endpoint asked for.
        status: of the reply, if one began.
    """

    def __init__(self, failure: Failure, *, status: int | None = None, retry_after_s: float | None = None, at_once: bool = False) -> None:
        super().__init__(failure.error.message)
        self.error = failure.error
        self.outcome = failure.outcome
        self.here = failure.same_endpoint
        self.at_once = at_once
        self.status = status
        self.retry_after_s = retry_after_s


class Purse(Protocol):
    """What pays for attempts."""

    async def left(self) -> bool:
        """Whether there is anything for one more attempt."""

    async def take(self) -> bool:
        """Count an attempt that is about to go out; False, and nothing counted, if there is nothing left for it."""

    async def used(self, model: str, usage: Mapping[str, int]) -> float:
        """Count the tokens that a reply of this model reports; returns their price in the currency of the prices."""


@dataclass(slots=True)
class Attempt:
    """What is known of one call; complete when it has ended.

    Attributes:
        endpoint: its name.
        number: of the question's attempts, from 1.
        form: the form of answer that was asked for.
        outcome: the metric's word: `200`, `429`, `401`, `4xx`, `5xx`, `timeout`, `connection`, `proxy`, `certificate`, `misconfigured`,
            `protocol`, `too_long`, `not_json`, `unusable`, `unreadable`, `internal`, `budget` or `cancelled`.
        status: of the reply, if one began.
        seconds: from the beginning of the call to its end.
        error: what the caller is told if nothing else succeeds; None after a success, and where nobody waits any more.
        said: a bounded piece of the endpoint's words about its error, or what is wrong with its certificate.
        payload: the decoded reply.
        healthy: None while no answer came; `silence` then says what that means.
    """

    endpoint: str
    number: int
    form: AnswerFormat
    outcome: str = "cancelled"
    status: int | None = None
    seconds: float = 0.0
    error: CloudError | None = None
    said: str = ""
    payload: Any = None
    healthy: bool | None = None
    silence: Silence = Silence.NOTHING
    charged: bool = False
    retry_after_s: float | None = None

    def failed(self, failure: Failure, *, at_once: bool = False) -> AttemptFailed:
        """Note how it ended; returns what to raise."""
        self.outcome, self.healthy, self.error = failure.outcome, failure.healthy, failure.error
        self.said = failure.detail or self.said
        return AttemptFailed(failure, status=self.status, retry_after_s=self.retry_after_s, at_once=at_once)


@dataclass(frozen=True, slots=True)
class Call:
    """What one attempt is made of.

    Attributes:
        body: of the request.
        form: of the answer that the body asks for.
        texts: what was asked; never logged.
        number: of the question's attempts, from 1.
        limit_s: how long it may take.
        trial: judges a silence.
        ticket: of the endpoint's breaker.
    """

    body: Mapping[str, Any]
    form: AnswerFormat
    texts: tuple[str, ...]
    number: int
    limit_s: float
    trial: Trial
    ticket: int


class Observer(Protocol):
    """Who writes attempts down."""

    async def replied(self, endpoint: Endpoint, payload: Any, purse: Purse | None) -> None:
        """A 200 was decoded; nothing in it has been judged yet."""

    def ended(self, endpoint: Endpoint, seen: Attempt) -> None:
        """The attempt has ended."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What all attempts share: what carries the calls, and who writes them down."""

    http: httpx2.AsyncClient
    observer: Observer

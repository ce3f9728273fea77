"""The types of a call to the cloud: the request, its raw reply, what is known of an attempt, who pays and who records it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx2

from app.cloud.completion import fault_of
from app.cloud.endpoint import Endpoint
from app.cloud.failures import Failure
from app.cloud.silence import Silence, Trial
from app.core.errors import CloudError

# A chat completion has a few dozen, with log-probabilities some thousands.
MAX_VALUES = 20_000


def never_again(status: int) -> bool:  # noqa: ARG001  # a Request's
    """No status makes the same endpoint worth another request at once."""
    return False


@dataclass(frozen=True, slots=True)
class Request:
    """What one endpoint is sent.

    Attributes:
        body: JSON object of the request. A stream whose tokens are to be charged asks for its usage
            (`stream_options.include_usage`); the pool adds nothing.
        texts: texts of the caller in the body. They are never logged, and are removed from what an endpoint says about an error.
        label: the sender's own word for this kind of request; shown to observers.
        content: the body as it is sent, where that is not what JSON makes of `body`.
        fault: what keeps a decoded 200 from being a reply, in a few words; None where nothing does.
        max_values: largest number of values in the JSON of a reply.
        quiet: whether nothing of what an endpoint says is logged: a caller's text may stand anywhere in it.
        refused: told a status other than 200; returns whether the sender would now send this endpoint another request, which is
            then sent before another endpoint is asked.
    """

    body: Mapping[str, Any]
    texts: tuple[str, ...]
    label: str = ""
    content: bytes | None = None
    fault: Callable[[Any], str | None] = fault_of
    max_values: int = MAX_VALUES
    quiet: bool = False
    refused: Callable[[int], bool] = never_again


# What each endpoint is sent: model name, answer format and extra fields differ.
RequestFor = Callable[[Endpoint], Request]


@dataclass(frozen=True, slots=True)
class RawReply:
    """A whole reply with status 200 that holds a chat completion.

    Attributes:
        endpoint: the endpoint that replied.
        request: the request that it replied to.
        attempts: number of attempts up to this one, at all endpoints.
        headers: headers of the reply that may be passed on (`PASSED_ON` in `app/cloud/post.py`), names in lower case.
        content: body as it came, decompressed.
        payload: decoded JSON of the body.
    """

    endpoint: Endpoint
    request: Request
    attempts: int
    headers: Mapping[str, str]
    content: bytes
    payload: Any


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is known of a streamed reply when its first event has come.

    Attributes:
        endpoint: the endpoint that replies.
        attempts: number of attempts up to this one, at all endpoints.
        headers: headers of the reply that may be passed on, names in lower case.
    """

    endpoint: Endpoint
    attempts: int
    headers: Mapping[str, str]


class AttemptFailed(Exception):
    """This attempt failed; another attempt may succeed.

    Attributes:
        error: what the caller gets if there is no other attempt.
        outcome: label of the attempt in the metrics.
        same_endpoint_retryable: whether the same endpoint may be asked again; otherwise only another one.
        at_once: whether the same endpoint is to be asked again before any other, because the request will be a different one.
        retry_after_s: seconds that the endpoint asked its clients to wait.
        status: status of the reply, if one began.
        handed_out: whether the caller has a part of the reply already; then there is no other attempt.
    """

    def __init__(self, failure: Failure, seen: "Attempt", *, at_once: bool = False) -> None:
        super().__init__(failure.error.message)
        self.error = failure.error
        self.outcome = failure.outcome
        self.same_endpoint_retryable = failure.same_endpoint_retryable
        self.at_once = at_once
        self.status = seen.status
        self.retry_after_s = seen.retry_after_s
        self.handed_out = seen.handed_out


class Purse(Protocol):
    """What pays for attempts."""

    async def left(self) -> bool:
        """Whether there is anything left for one more attempt."""

    async def take(self) -> bool:
        """Count an attempt that is about to be sent; False, and nothing counted, if there is nothing left for it."""

    async def used(self, model: str, usage: Mapping[str, int]) -> float:
        """Count the tokens that a reply of this model reports; returns their price in the currency of the prices."""


@dataclass(slots=True)
class Attempt:
    """What is known of one attempt; complete when it has ended.

    Attributes:
        endpoint: name of the endpoint.
        number: number of this attempt among those of its call, from 1.
        label: the sender's word for the kind of request.
        outcome: label in the metrics: `200`, `429`, `401`, `4xx`, `5xx`, `timeout`, `connection`, `proxy`, `certificate`,
            `misconfigured`, `protocol`, `too_long`, `not_json`, `unusable`, `unreadable`, `internal`, `budget` or `cancelled`.
        status: status of the reply, if one began.
        headers: headers of the reply that may be passed on.
        seconds: from the beginning of the attempt to its end.
        error: what the caller is told if no other attempt succeeds; None after a success, and where no caller waits any more.
        said: a bounded part of what the endpoint says about its error, or what is wrong with its certificate.
        payload: the decoded reply; of a stream, the last event that reports usage.
        healthy: what the attempt shows about the endpoint; None while no answer came; `silence` then tells what that means.
        silence: what the end of an attempt without an answer means.
        charged: whether the attempt has been counted against the budget.
        retry_after_s: seconds that the endpoint asked its clients to wait.
        handed_out: whether a part of the reply was given to the caller.
        probed: whether the breaker, half-open, was told that a streamed reply has begun.
    """

    endpoint: str
    number: int
    label: str = ""
    outcome: str = "cancelled"
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    error: CloudError | None = None
    said: str = ""
    payload: Any = None
    healthy: bool | None = None
    silence: Silence = Silence.NOTHING
    charged: bool = False
    retry_after_s: float | None = None
    handed_out: bool = False
    probed: bool = False

    def failed(self, failure: Failure, *, at_once: bool = False) -> AttemptFailed:
        """Record how it ended; returns what to raise."""
        self.outcome, self.healthy, self.error = failure.outcome, failure.healthy, failure.error
        self.said = failure.detail or self.said
        return AttemptFailed(failure, self, at_once=at_once)


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt that is about to be made.

    Attributes:
        endpoint: the endpoint that is asked.
        request: what it is sent.
        number: number of this attempt among those of its call, from 1.
        limit_s: seconds until the whole reply, or the first event of a stream, must be there.
        trial: judges an attempt without an answer.
        ticket: ticket of the endpoint's breaker.
        purse: pays for the attempt; None counts nothing.
    """

    endpoint: Endpoint
    request: Request
    number: int
    limit_s: float
    trial: Trial
    ticket: int
    purse: Purse | None


class Observer(Protocol):
    """Records attempts."""

    async def replied(self, endpoint: Endpoint, payload: Any, purse: Purse | None) -> None:
        """A reply, or the usage of a stream, was decoded; nothing in it has been judged yet."""

    def ended(self, endpoint: Endpoint, seen: Attempt) -> None:
        """The attempt has ended."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What all attempts share: the HTTP client that carries them, and the observer that records them."""

    http: httpx2.AsyncClient
    observer: Observer

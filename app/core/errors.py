"""Every error of FogGate.

    FogGateError
    ├─ ConfigError                       start-up: one sentence, exit code 2
    ├─ InvalidQuestion                   422
    ├─ Unsupported                       422
    ├─ UnknownModel · NotPassedOn        404
    ├─ PayloadTooLarge                   413
    ├─ Unauthorized 401 · Forbidden 403 · RateLimited 429
    ├─ Overloaded                        429, Retry-After
    ├─ Draining                          503, Retry-After
    ├─ NotReady                          503, Retry-After
    ├─ DeadlineExceeded                  504
    ├─ EdgeError                         → cloud (reason edge_failed); 503 if there is no cloud
    └─ CloudError                        → fallback, or 502/504
       ├─ CloudNotConfigured
       ├─ CloudTimeout · CloudUnavailable · CloudRejected · CloudMisconfigured · CloudUnparsable
       ├─ CircuitOpen · BudgetExhausted

Each class has a `code`: the error's `type` on the wire, the label of its metric, and, for a failure of the cloud, the `reason` of the
degraded answer. A new failure of the cloud is a class here and a row in the status table of `app/api/errors.py`.
Messages are written for the caller: no secret, no question text, no path of the machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

# A minute is the longest window of a rate. A longer estimate is not reliable: a caller who comes back too early is told again.
MAX_RETRY_AFTER_S = 60.0

Error = TypeVar("Error", bound="FogGateError")


class FogGateError(Exception):
    """Root of the tree.

    Attributes:
        code: name of the kind of error, unique among all kinds.
        param: the field of the request that is wrong, if one is.
        retry_after_s: seconds after which a new attempt makes sense, if known; at most `MAX_RETRY_AFTER_S`.
    """

    code: ClassVar[str]

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = None if retry_after_s is None else min(retry_after_s, MAX_RETRY_AFTER_S)


class ConfigError(FogGateError):
    """The configuration, the model or the adapter cannot be used; raised at start-up."""

    code = "config_error"


class InvalidQuestion(FogGateError):
    """Something inside a well-formed body is wrong."""

    code = "invalid_question"


class Unsupported(FogGateError):
    """The request is well-formed and asks for something that cannot be honoured, and that must not be ignored."""

    code = "unsupported"


class UnknownModel(FogGateError):
    """No model has this name."""

    code = "model_not_found"


class NotPassedOn(FogGateError):
    """The chat is not a multiple-choice question, and there is no cloud that it could be passed on to."""

    code = "not_passed_on"


class PayloadTooLarge(FogGateError):
    """The body is over the configured size."""

    code = "payload_too_large"


class Unauthorized(FogGateError):
    """No key, or a wrong one."""

    code = "unauthorized"


class Forbidden(FogGateError):
    """The key lacks the permission."""

    code = "forbidden"


class RateLimited(FogGateError):
    """The key is over its rate."""

    code = "rate_limited"


class Overloaded(FogGateError):
    """The edge queue is full."""

    code = "overloaded"


class Draining(FogGateError):
    """The gateway is shutting down and takes no new work."""

    code = "draining"


class NotReady(FogGateError):
    """The model is still being loaded."""

    code = "not_ready"


class DeadlineExceeded(FogGateError):
    """The request's one deadline passed before there was any answer."""

    code = "deadline_exceeded"


class EdgeError(FogGateError):
    """The edge model failed on this question.

    Attributes:
        verdicts: set by an engine that failed on some questions of a batch only: for each question, in order, the
            verdict or None. Empty where the whole batch failed.
    """

    code = "edge_error"

    def __init__(
        self, message: str, *, param: str | None = None, retry_after_s: float | None = None, verdicts: Sequence[object] = ()
    ) -> None:
        super().__init__(message, param=param, retry_after_s=retry_after_s)
        self.verdicts = verdicts


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an endpoint said in place of an answer, for the caller of a chat that was passed on; nobody else is shown it.

    Attributes:
        status: status of its reply.
        content: body of its reply, bounded.
        content_type: type of the body; empty where it has none.
        retry_after_s: seconds that it asked its clients to wait.
    """

    status: int
    content: bytes
    content_type: str
    retry_after_s: float | None


class CloudError(FogGateError):
    """The cloud gave no usable answer.

    Attributes:
        summary: what happened, as the end of a sentence for the person who asked.
        refusal: what the last endpoint said, where it replied with a status of its own and there is nothing secret in it.
        cost: what the failed attempts cost, in the currency of the prices; None where that is not known.
    """

    summary: ClassVar[str]
    refusal: Refusal | None = None
    cost: float | None = None


class CloudNotConfigured(CloudError):
    """No cloud is configured; the edge answers every question."""

    code = "cloud_not_configured"
    summary = "no cloud is configured"


class CloudTimeout(CloudError):
    """No reply in time."""

    code = "cloud_timeout"
    summary = "the cloud did not answer in time"


class CloudUnavailable(CloudError):
    """Unreachable, overloaded or failing after all attempts."""

    code = "cloud_unavailable"
    summary = "the cloud cannot be reached or fails"


class CloudRejected(CloudError):
    """The cloud refused the request itself (a 4xx other than 429)."""

    code = "cloud_rejected"
    summary = "the cloud refused the request"


class CloudMisconfigured(CloudError):
    """A fault of our configuration: the cloud refuses the key, or a certificate, an address or a header cannot be used."""

    code = "cloud_misconfigured"
    summary = "our side of the cloud's configuration is wrong, such as its key or a certificate (foggate cloud check)"


class CloudUnparsable(CloudError):
    """A reply in which no offered letter can be read without guessing."""

    code = "cloud_unparsable"
    summary = "the cloud's reply names no option"


class CircuitOpen(CloudError):
    """The endpoint failed too often in the last seconds and is not asked at present."""

    code = "circuit_open"
    summary = "the cloud failed too often and is not asked for a moment"


class BudgetExhausted(CloudError):
    """The configured cloud budget is spent."""

    code = "budget_exhausted"
    summary = "the budget for the cloud is spent"


def kinds_of(root: type[Error]) -> tuple[type[Error], ...]:
    """The concrete classes of this file below a class of the tree, in their order here. An edge may refine one of them for itself."""
    below = [kind for kind in root.__subclasses__() if kind.__module__ == __name__]
    return tuple(leaf for kind in below for leaf in kinds_of(kind)) if below else (root,)


def first_line(error: Exception) -> str:
    """The first line of any error's text, up to 200 characters, or the name of its class."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
